# 签名密钥页面。
signing-all = 为用户令牌签名的密钥
signing-empty = 此应用还没有签名密钥。你的后端用它为每个用户签发令牌。
signing-algorithm = 算法
signing-public-key = PEM 格式的公钥（仅用于 EdDSA 和 ES256）
signing-new = 新建签名密钥
signing-new-help = HS256：由我们生成密钥，只显示一次。EdDSA 和 ES256：私钥由你保管，在此粘贴公钥。
signing-revoke-help = 被吊销密钥签发的令牌从 2 秒后开始被拒绝，其连接在 5 秒内断开。
signing-sample = 签发令牌的示例程序（Node.js 和 Python）
