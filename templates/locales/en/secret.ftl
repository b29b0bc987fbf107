# The page that shows a secret once.
secret-title = Your new key
secret-once = This is the only time that the secret is shown. Keep it where your backend reads its secrets; never in a browser, an app or a repository.
secret-public = The key is kept. Sign tokens with your private key and this kid.
secret-label = The secret
secret-kid = kid
secret-old-until = The old key goes on working until { $time } UTC.
secret-use = How your backend uses it:
secret-back = I have kept it
