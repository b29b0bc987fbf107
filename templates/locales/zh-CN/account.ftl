# 账号页与两步验证。
account-title = 账号
account-address = 邮箱地址
account-verified = 已验证
account-unverified = 未验证
account-password = 密码
account-password-old = 当前密码
account-password-new = 新密码
account-password-submit = 修改密码
account-totp = 两步验证
account-totp-is-on = 已启用
account-totp-is-off = 未启用
account-totp-body = 每次登录时还需输入身份验证器应用中的验证码。这样即使密码被盗也无法登录。
account-totp-on = 启用
account-totp-off = 停用
account-totp-off-body = 停用后登录只需密码。停用前还需输入一次验证码或恢复码。
account-totp-change = 恢复码与停用
account-totp-read = 用身份验证器应用扫描
account-totp-picture = 供身份验证器应用扫描的二维码
account-totp-type = 或在应用中输入以下密钥：
account-recovery = 恢复码
account-recovery-left = { $count ->
   *[other] 还剩 { $shown } 个恢复码。
}
account-recovery-make = 生成新的恢复码
account-recovery-once = 设备丢失时，每个恢复码可用于登录一次。恢复码只在此刻显示；之前的恢复码已失效。
account-recovery-file = 下载为文本
account-recovery-kept = 我已保存
account-sessions = 登录位置
account-sessions-end = 结束
account-sessions-end-others = 结束其他所有登录
account-session-current = 当前登录
account-column-browser = 浏览器
account-column-address = 地址
account-column-seen = 上次使用（UTC）
account-looks = 主题与语言
account-back = 返回账号页
