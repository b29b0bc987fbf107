# 邀请链接打开的页面。
invitation-title = 加入 { $org }
invitation-role = 角色
invitation-address = 受邀邮箱
invitation-ends = 有效期至
invitation-lead = 接受后你可以查看该角色有权查看的内容，其他成员会看到你的邮箱地址。
invitation-accept = 接受邀请
invitation-signed-out = 请用 { $email } 登录，或用该地址注册，之后会回到此页面。
invitation-foreign = 此邀请发给 { $email }，而你登录的是 { $own }。请先退出登录，再重新打开链接。
invitation-expired = 此邀请已过期（有效期 7 天）。请让对方重新邀请。
invitation-used = 此邀请已被接受过，只能使用一次。
invitation-revoked = 此邀请已被撤回。请让该组织重新邀请。
invitation-sign-in = 登录
invitation-sign-up = 注册
invitation-sign-out = 退出登录
invitation-console = 前往控制台
