# The sign-up page.
sign-up-title = Sign up
sign-up-heading = Create your account
sign-up-password-help = { $min } to { $max } characters. A sentence is easy to keep and hard to guess.
sign-up-submit = Sign up
sign-up-waits = You begin at once with a test app. Live apps, invitations and billing wait until you have opened the mail we send.
sign-up-have = Sign in instead
sign-up-instead = Create an account
sign-up-org = { $name }'s org
sign-up-app = My first app
