# 概览页面。
overview-title = 概览
overview-start = 从这里开始
overview-quickstart = 用“{ $app }”发送第一条消息
overview-units = 24 小时内的消息单位
overview-pace = 每秒消息数
overview-health-gateway = 网关正常接受连接
overview-health-draining = 网关正在停止：连接正在迁移
overview-health-api = REST：100 次中 99 次在 { $time } 内应答
overview-health-api-slow = REST 较慢：100 次中 99 次在 { $time } 内
overview-health-api-none = REST：5 分钟内没有请求
overview-health-delivery = 投递：100 条中 99 条在 { $time } 内
overview-health-delivery-slow = 投递较慢：100 条中 99 条在 { $time } 内
overview-health-delivery-none = 投递：5 分钟内没有消息
overview-health-refusals-none = 最近两小时没有拒绝
overview-health-refusals = { $count ->
   *[other] 最近两小时有 { $shown } 次拒绝
}
overview-refusals-title = 最近的拒绝
overview-refusals-under = 最近 24 小时，以本服务器的运行时间为限
overview-refusals-none = 没有任何拒绝。应用遭到的拒绝会按错误码列在这里，并附上含义。
overview-refusals-column-code = 错误码
overview-refusals-column-app = 应用
overview-refusals-column-last = 最近一次 (UTC)
overview-refusals-column-count = 次数
overview-milliseconds = { $value } 毫秒
overview-seconds = { $value } 秒
