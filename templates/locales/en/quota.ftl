# Quotas on the usage page.
quota-title = Quotas of message units
quota-live-apps = All live apps
quota-unlimited = Counted without limit.
quota-hard = { $percent } % used. At the limit, new messages are refused; reading goes on.
quota-hard-near = { $percent } % used: soon new messages are refused.
quota-hard-full = Used up: new messages are refused, reading goes on.
quota-soft = { $percent } % used. Beyond the limit it is counted on.
quota-soft-near = { $percent } % used. Beyond the limit it is counted on.
quota-soft-full = Past what the plan includes. It is counted on and nothing is refused.
quota-resets = Begins anew on { $time } UTC.
quota-trial = Verify your email address: until then this app may send 100 message units in its first 24 hours.
quota-larger = A larger plan has more.
