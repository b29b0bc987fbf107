# 表单有哪些问题。
problem-summary = 尚未更改任何内容
problem-limited = { $count ->
   *[other] 尝试次数过多，请在 { $shown } 秒后重试。
}
problem-busy = 服务器现在很忙，请过几秒再试。
problem-unverified = 请先验证邮箱地址。
problem-limit = 已达到套餐上限；“套餐”页面列出现有额度以及更大套餐增加的内容。
problem-last-owner = 组织至少要有一位所有者，请先将其他成员设为所有者。
problem-invitation = 此邀请在此期间已被接受或撤回。
problem-invited = 该地址已是成员或已被邀请。
problem-own-totp = 请先为自己启用两步验证，再要求成员启用。
problem-typed = 输入的内容与要求不符。
problem-reason = 请说明原因，最多 200 个字符。
problem-conflict = 该值已被占用，或在此期间已被更改。
problem-forbidden = 你的角色无权执行此操作。
problem-email = 这不是有效的邮箱地址。
problem-password = 密码不正确。
problem-new-password = 密码须为 12 到 256 个字符，且不能是攻击者首先尝试的密码，例如常见密码或你的邮箱地址。
problem-code = 验证码不正确，或已被使用过：每个验证码只能用一次，30 秒内会出现下一个。
problem-name = 名称须为 1 到 64 个字符。
problem-value = 不允许使用此值。
problem-typed-name = 与应用名称不符，未删除任何内容。
problem-origin = 来源形如 https://shop.example 或 http://localhost:3000，不含路径和通配符。
problem-scopes = 请至少选择一项权限，或只选择“全部”。
problem-days = 天数须为 1 到 3650。
problem-private-key = 这是私钥，绝不能外传。我们没有保留它；请重新生成密钥对，并粘贴以 -----BEGIN PUBLIC KEY----- 开头的公钥。
problem-public-key = 这不是所选算法的 PEM 公钥；HS256 没有公钥。
problem-title = 标题为一行，1 到 60 个字符。
problem-text = 正文为 1 到 500 个字符，换行计入。
problem-starts = 开始时间最多在 366 天之后。
problem-ends = 结束时间须晚于开始时间和现在，且最多晚 366 天。
