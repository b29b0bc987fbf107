# Pages that tell one thing.
told-mail-title = Check your mail
told-mail-body = If this address has an account, a mail with a link is under way. The link works for 30 minutes and once.
told-sign-up-body = We have sent a mail to this address. It says how to go on.
told-ended-title = This link does not work any more
told-verify-ended-body = It was used, is older than 24 hours or was not copied completely. Sign in to see whether your address is verified, and to have a new link sent.
told-reset-ended-body = It was used, is older than 30 minutes or was not copied completely. Ask for a new one.
told-verified-title = Your address is verified
told-verified-body = More apps, invitations and billing are open now.
told-sign-in = Go to sign-in
told-another = Ask for a new link
told-console = Go to the console
