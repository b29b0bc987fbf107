# What the page after a form tells first.
flash-saved = Saved.
flash-key-revoked = The key is revoked: it is refused within 2 seconds, and its connections close within 5 seconds.
flash-deleted = Deleted.
flash-invited = The invitation is on its way by mail.
flash-joined = You are a member now.
flash-needs-totp = Your org asks its members for a second factor. Switch it on here; the other pages open afterwards.
flash-mail-sent = A mail with a link is under way.
flash-password-set = Your password was set. Sign in with it.
flash-password-changed = Your password was changed, and you were signed out everywhere else.
flash-sessions-ended = Signed out there.
flash-totp-off = The second factor is off.
