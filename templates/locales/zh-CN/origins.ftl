# 允许来源的页面。
origins-all = 可以连接的网页
origins-empty = 任何来源的网页都可以用此应用的用户令牌连接。添加第一个来源后，其他来源都会被拒绝。
origins-origin = 来源
origins-add = 允许一个来源
origins-remove = 移除
origins-help = 按浏览器发送的协议、主机和端口填写，不含路径；最多 { $most } 个。浏览器以外的客户端不发送来源，不受影响。
origins-console = 此控制台上的快速入门也会连接：如果要继续使用它，请添加 { $origin }。
