# 开发邮箱。
mailbox-title = 本服务器的邮件
mailbox-help = 邮件不会真正发出：本服务器把邮件写入文件夹。
mailbox-empty = 还没有邮件。注册、重置密码或邀请成员后，邮件会出现在这里。
mailbox-subject = 主题
mailbox-to = 收件人
mailbox-time = 时间（UTC）
mailbox-newest = 最新
mailbox-older = 更早
mailbox-back = 全部邮件
mailbox-text = 文本
mailbox-headers = 邮件头
mailbox-html = HTML 源码
