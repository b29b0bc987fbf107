# The page of allowed origins.
origins-all = Pages that may connect
origins-empty = Pages of every origin may connect with this app's user tokens. Add the first origin to shut out all others.
origins-origin = Origin
origins-add = Allow an origin
origins-remove = Remove
origins-help = Scheme, host and port as the browser sends them, without a path; at most { $most }. Apps outside of browsers send no origin and are not affected.
origins-console = The quickstart on this console connects too: add { $origin } if you want to go on using it.
