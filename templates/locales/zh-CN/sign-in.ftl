# 登录页。
sign-in-title = 登录
sign-in-heading = 登录控制台
sign-in-email = 邮箱地址
sign-in-password = 密码
sign-in-submit = 登录
sign-in-failed = 邮箱地址和密码与任何账号都不匹配。
sign-in-limited = { $count ->
   *[other] 尝试次数过多，请在 { $shown } 秒后重试。
}
sign-in-busy = 服务器正在校验大量密码，请过几秒再试。
