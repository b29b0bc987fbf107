# 两步验证的验证码。
code-title = 输入验证码
code-label = 验证码
code-help = 身份验证器应用中的六位数字，或一个恢复码。
code-submit = 继续
code-again = 重新开始
code-operator-body = 运营区使用单独的登录，15 分钟不操作即结束。请输入密码和验证码。
code-operator-needs = 运营区要求两步验证。请先为账号启用两步验证。
code-back = 返回控制台
code-help-first = 身份验证器应用中的六位数字。
