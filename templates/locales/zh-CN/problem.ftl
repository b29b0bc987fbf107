# 表单有哪些问题。
problem-summary = 尚未完成
problem-limited = { $count ->
   *[other] 尝试次数过多，请在 { $shown } 秒后重试。
}
problem-busy = 服务器现在很忙，请过几秒再试。
problem-unverified = 请先验证邮箱地址。
problem-limit = 已达到套餐的上限。
problem-conflict = 该值已被占用，或在此期间已被更改。
problem-forbidden = 你的角色无权执行此操作。
problem-email = 这不是有效的邮箱地址。
problem-password = 密码不正确。
problem-name = 名称须为 1 到 64 个字符。
problem-value = 不允许使用此值。
