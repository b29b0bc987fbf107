# The page that asks for proof that it is still the same person.
prove-title = Confirm that it is you
prove-lead = You are signed in as { $email }. Keys, members, billing and your account's safety need your password if you gave it more than 10 minutes ago.
prove-password = Password
prove-submit = Confirm
prove-lead-code = You are signed in as { $email }. Keys, members, billing and your account's safety need a code if you gave the last one more than 10 minutes ago.
