# The sign-in page.
sign-in-title = Sign in
sign-in-heading = Sign in to the console
sign-in-email = Email address
sign-in-password = Password
sign-in-submit = Sign in
sign-in-failed = The email address and password do not match an account.
sign-in-limited = { $count ->
    [one] Too many attempts. Try again in { $shown } second.
   *[other] Too many attempts. Try again in { $shown } seconds.
}
sign-in-busy = The server is checking many passwords right now. Try again in a few seconds.
