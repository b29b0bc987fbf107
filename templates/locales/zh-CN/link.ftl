# 邮件链接打开的页面。
link-verify-title = 确认邮箱地址
link-verify-body = 再完成一步，即可证明该地址属于你。
link-verify-submit = 确认地址
link-forgot-title = 重置密码
link-forgot-body = 我们会向账号的邮箱地址发送链接，30 分钟内有效。
link-forgot-submit = 发送链接
link-reset-title = 设置新密码
link-reset-body = 所有登录都会退出。两步验证保持启用。
link-reset-password = 新密码
link-reset-submit = 设置密码
