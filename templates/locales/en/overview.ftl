# The overview page.
overview-title = Overview
overview-start = Start here
overview-quickstart = Send a first message with “{ $app }”
overview-units = Message units in 24 hours
overview-pace = Messages a second
health-gateway = Gateway takes connections
health-draining = Gateway is stopping: connections move away
health-api = REST: 99 of 100 answered within { $time }
health-api-slow = REST is slow: 99 of 100 within { $time }
health-api-none = REST: no request in 5 minutes
health-delivery = Delivery: 99 of 100 within { $time }
health-delivery-slow = Delivery is slow: 99 of 100 within { $time }
health-delivery-none = Delivery: no message in 5 minutes
health-refusals-none = Nothing refused in the last 2 hours
health-refusals = { $count ->
    [one] { $shown } refused in the last 2 hours
   *[other] { $shown } refused in the last 2 hours
}
refusals-title = Recently refused
refusals-under = The last 24 hours, as far as this server was running
refusals-none = Nothing was refused. What your apps are refused shows here, by its code, with what it means.
refusals-column-code = Code
refusals-column-app = App
refusals-column-last = Last (UTC)
refusals-column-count = Count
