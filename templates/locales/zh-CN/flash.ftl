# 提交表单后的页面首先显示的内容。
flash-saved = 已保存。
flash-key-revoked = 密钥已吊销：2 秒内开始被拒绝，其连接在 5 秒内断开。
flash-deleted = 已删除。
flash-invited = 邀请邮件已发出。
flash-joined = 你已加入该组织。
flash-needs-totp = 你的组织要求成员启用两步验证。请在此启用，之后即可打开其他页面。
flash-mail-sent = 带链接的邮件正在发送。
flash-password-set = 密码已设置，请用新密码登录。
flash-password-changed = 密码已修改，其他所有登录均已退出。
flash-sessions-ended = 已在那里退出登录。
flash-totp-off = 两步验证已停用。
