# 只显示一次密钥的页面。
secret-title = 你的新密钥
secret-once = 密钥仅在此显示一次。请保存到后端读取密钥的地方；不要放在浏览器、客户端或代码仓库里。
secret-public = 公钥已保存。请用你的私钥和此 kid 签发令牌。
secret-label = 密钥
secret-kid = kid
secret-old-until = 旧密钥可用至 { $time } UTC。
secret-use = 在后端这样使用：
secret-back = 我已保存
