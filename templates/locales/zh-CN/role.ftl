# 组织中的角色。
role-owner = 所有者
role-admin = 管理员
role-developer = 开发者
role-billing = 财务
role-viewer = 查看者
role-and = 、
