# The page of signing keys.
signing-all = Keys that sign user tokens
signing-empty = This app has no signing key yet. Your backend signs a token for each of its users with one.
signing-algorithm = Algorithm
signing-public-key = Public key in PEM (EdDSA and ES256 only)
signing-new = New signing key
signing-new-help = HS256: we make a secret and show it once. EdDSA and ES256: the private key stays with you, and you paste the public key.
signing-revoke-help = Tokens of a revoked key are refused from 2 seconds on, and their connections close within 5 seconds.
signing-sample = Programs that sign a token, in Node.js and Python
