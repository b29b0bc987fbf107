# 请本人再次确认身份的页面。
prove-title = 请确认是你本人
prove-lead = 当前登录：{ $email }。如果上次输入密码已超过 10 分钟，更改密钥、成员、计费和账号安全设置前需要再次输入密码。
prove-password = 密码
prove-submit = 确认
prove-lead-code = 当前登录：{ $email }。如果上次输入验证码已超过 10 分钟，更改密钥、成员、计费和账号安全设置前需要再次输入验证码。
