# Pages behind links sent by mail.
link-verify-title = Confirm your address
link-verify-body = One more step shows that this address is yours.
link-verify-submit = Confirm address
link-forgot-title = Reset your password
link-forgot-body = We send a link to the address of your account. It works for 30 minutes.
link-forgot-submit = Send the link
link-reset-title = Choose a new password
link-reset-body = You will be signed out everywhere. A second factor stays on.
link-reset-password = New password
link-reset-submit = Set the password
