# 导航条目。
nav-overview = 概览
nav-apps = 应用
nav-usage = 用量
nav-app = 应用详情
nav-quickstart = 快速上手
nav-keys = 密钥
nav-signing-keys = 签名密钥
nav-origins = 来源
nav-members = 成员
nav-audit = 审计日志
nav-settings = 设置
nav-billing = 套餐
nav-account = 账号
nav-operator = 运营区
nav-operator-orgs = 组织
nav-operator-plans = 套餐
nav-operator-jobs = 邮件与任务
