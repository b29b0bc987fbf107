# The overview page.
overview-title = Overview
overview-start = Start here
overview-quickstart = Send a first message with { $app }
overview-units = Message units in 24 hours
