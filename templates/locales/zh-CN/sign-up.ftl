# 注册页。
sign-up-title = 注册
sign-up-heading = 创建账号
sign-up-password-help = { $min } 到 { $max } 个字符。一句话既好记又难猜。
sign-up-submit = 注册
sign-up-waits = 注册后立即可以使用一个测试应用：最初 24 小时内 100 条消息。打开我们发送的邮件即可解锁其余功能：更多应用、邀请成员和计费。
sign-up-have = 改为登录
sign-up-instead = 创建账号
sign-up-org = { $name } 的组织
sign-up-app = 我的第一个应用
