# 用量页上的配额。
quota-title = 消息单位配额
quota-live-apps = 全部正式应用
quota-unlimited = 计数，不设上限。
quota-hard = 已用 { $percent }%。达到上限后将拒绝新消息，读取不受影响。
quota-hard-near = 已用 { $percent }%：即将拒绝新消息。
quota-hard-full = 已用完：新消息会被拒绝，读取不受影响。
quota-soft = 已用 { $percent }%。超出上限后继续计数。
quota-soft-near = 已用 { $percent }%。超出上限后继续计数。
quota-soft-full = 已超出套餐包含的数量。继续计数，不会拒绝任何消息。
quota-resets = { $time } UTC 重新开始计数。
quota-trial = 请验证你的邮箱地址：在此之前，该应用在最初 24 小时内最多可发送 100 个消息单位。
quota-larger = 更大的套餐配额更多。
