# The overview page.
overview-title = Overview
overview-start = Start here
overview-quickstart = Send a first message with “{ $app }”
overview-units = Message units in 24 hours
overview-pace = Messages a second
overview-health-gateway = Gateway takes connections
overview-health-draining = Gateway is stopping: connections move away
overview-health-api = REST: 99 of 100 answered within { $time }
overview-health-api-slow = REST is slow: 99 of 100 within { $time }
overview-health-api-none = REST: no request in 5 minutes
overview-health-delivery = Delivery: 99 of 100 within { $time }
overview-health-delivery-slow = Delivery is slow: 99 of 100 within { $time }
overview-health-delivery-none = Delivery: no message in 5 minutes
overview-health-refusals-none = Nothing refused in the last 2 hours
overview-health-refusals = { $count ->
    [one] { $shown } refused in the last 2 hours
   *[other] { $shown } refused in the last 2 hours
}
overview-refusals-title = Recently refused
overview-refusals-under = The last 24 hours, as far as this server was running
overview-refusals-none = Nothing was refused. What your apps are refused shows here, by its code, with what it means.
overview-refusals-column-code = Code
overview-refusals-column-app = App
overview-refusals-column-last = Last (UTC)
overview-refusals-column-count = Count
overview-milliseconds = { $value } ms
overview-seconds = { $value } s
