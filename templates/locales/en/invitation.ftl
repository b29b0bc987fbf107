# What an invitation's link opens.
invitation-title = Join { $org }
invitation-role = Role
invitation-address = For
invitation-ends = Ends
invitation-lead = You will see what this role may see, and the other members see your address.
invitation-accept = Accept invitation
invitation-signed-out = Sign in as { $email }, or sign up with this address; then you come back here.
invitation-foreign = This invitation is for { $email }, and you are signed in as { $own }. Sign out, then open the link again.
invitation-expired = This invitation has expired: it was open for seven days. Ask for another one.
invitation-used = This invitation was accepted before. It works once.
invitation-revoked = This invitation was taken back. Ask the org for another one.
invitation-sign-in = Sign in
invitation-sign-up = Sign up
invitation-sign-out = Sign out
invitation-console = Go to the console
