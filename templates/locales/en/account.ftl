# The account page and the second factor.
account-title = Account
account-address = Email address
account-verified = verified
account-unverified = not verified
account-password = Password
account-password-old = Current password
account-password-new = New password
account-password-submit = Change the password
account-totp = Second factor
account-totp-is-on = on
account-totp-is-off = off
account-totp-body = A code from an authenticator app, asked for at each sign-in. A stolen password alone is then worth nothing.
account-totp-on = Switch on
account-totp-off = Switch off
account-totp-off-body = Sign-in then asks for the password only. A current code or a recovery code is needed once more.
account-totp-change = Codes and switching off
account-totp-read = Read this with your authenticator app
account-totp-picture = QR code for your authenticator app
account-totp-type = Or type this secret into the app:
account-recovery = Recovery codes
account-recovery-left = { $count ->
    [one] { $shown } recovery code left.
   *[other] { $shown } recovery codes left.
}
account-recovery-make = Make new codes
account-recovery-once = Each code signs you in once when your device is lost. They are shown now and never again; earlier ones work no longer.
account-recovery-file = Download as text
account-recovery-kept = I have kept them
account-sessions = Where you are signed in
account-sessions-end = End
account-sessions-end-others = End all others
account-session-current = this one
account-column-browser = Browser
account-column-address = Address
account-column-seen = Last used (UTC)
account-looks = Theme and language
account-back = Back to your account
