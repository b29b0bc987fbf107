# 只说明一件事的页面。
told-mail-title = 请查收邮件
told-mail-body = 如果该地址有账号，一封带链接的邮件正在发送。链接在 30 分钟内有效，只能使用一次。
told-sign-up-body = 我们已向该地址发送邮件，邮件里说明了接下来怎么做。
told-ended-title = 此链接已失效
told-verify-ended-body = 链接已被使用、超过 24 小时或复制不完整。请登录查看邮箱地址是否已验证，并可重新发送链接。
told-reset-ended-body = 链接已被使用、超过 30 分钟或复制不完整。请重新获取。
told-verified-title = 邮箱地址已验证
told-verified-body = 现在可以使用更多应用、邀请成员和计费。
told-sign-in = 前往登录
told-another = 重新获取链接
told-console = 前往控制台
