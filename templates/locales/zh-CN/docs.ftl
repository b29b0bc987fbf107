# 文档页面；文档正文为英文。
docs-console = 控制台
docs-language = 在 TokenIM 上开发和运行 TokenIM 所需的内容。文档正文为英文。
docs-all = 全部文档
docs-contents = 本页内容
docs-protocol = 通信协议
docs-protocol-about = 通过 WebSocket 连接、发送、接收和恢复；令牌、REST、计量与限制。
docs-tokens = 自己签发令牌
docs-tokens-about = 由你的后端为用户签发令牌：使用密钥或密钥对，附 Node.js 和 Python 示例，以及每种拒绝的含义。
docs-errors = 错误码
docs-errors-about = 每个错误码的含义、HTTP 状态码和关闭码，以及是否应当重试。
docs-manage = 管理接口
docs-manage-about = 用脚本管理组织、成员、应用、密钥、套餐和用量，规则与控制台相同。
docs-operations = 运维
docs-operations-about = 如何安装、监控、备份和升级服务器，以及收到告警时如何处理。
docs-openapi = 接口参考
docs-openapi-about = 每个调用的字段和错误，供工具使用的 OpenAPI 3.1 文档。
