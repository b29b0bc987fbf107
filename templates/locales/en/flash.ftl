# What the page after a form tells first.
flash-saved = Saved.
flash-needs-totp = Your org asks its members for a second factor. Switch it on here; the other pages open afterwards.
