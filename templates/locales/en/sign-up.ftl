# The sign-up page.
sign-up-title = Sign up
sign-up-heading = Create your account
sign-up-password-help = { $min } to { $max } characters. A sentence is easy to keep and hard to guess.
sign-up-submit = Sign up
sign-up-waits = You begin at once with a test app: 100 messages in its first 24 hours. Opening the mail we send unlocks the rest: more apps, invitations and billing.
sign-up-have = Sign in instead
sign-up-instead = Create an account
sign-up-org = { $name }'s org
sign-up-app = My first app
