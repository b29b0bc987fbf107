# 概览页面。
overview-title = 概览
overview-start = 从这里开始
overview-quickstart = 用 { $app } 发送第一条消息
overview-units = 24 小时内的消息单位
