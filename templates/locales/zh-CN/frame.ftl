# 每个页面外围的文字：页头、账号菜单、语言、主题。
# 术语表（固定译法）：account 账号 · org 组织 · app 应用 · live 正式 · test 测试 · key 密钥 · user 用户 · device 设备 ·
# conversation 会话 · member 成员 · message 消息 · message unit 消息单位 · connection 连接 · meter 计量项 · usage 用量 ·
# invoice 账单 · group 群组 · billed 计费 · plan 套餐 · console 控制台 · sign in 登录 · sign out 退出登录 · request id 请求编号。
frame-skip = 跳到正文
frame-nav = 控制台
frame-menu = 菜单
frame-crumbs = 当前位置
frame-unverified = 请通过我们发送的邮件验证地址：在此之前，测试应用最初 24 小时内最多发送 100 条消息，更多应用、邀请成员和计费都要等待。
frame-unverified-send = 重新发送邮件
frame-switch-org = 选择其他组织
frame-account = 账号
frame-signed-in-as = 当前登录：{ $email }
frame-theme = 主题
frame-theme-system = 跟随系统
frame-theme-light = 浅色
frame-theme-dark = 深色
frame-language = 语言
frame-sign-out = 退出登录
frame-mode-live = 正式
frame-mode-test = 测试
frame-title = { $page } · TokenIM
frame-title-test = { $page } · 测试 · TokenIM
frame-title-live = { $page } · 正式 · TokenIM
frame-suspended = 此组织已被暂停：其应用对所有人关闭，数据保留。请联系服务运营者解除。
frame-suspended-why = 此组织已被暂停，原因：{ $reason }。其应用对所有人关闭，数据保留。请联系服务运营者解除。
