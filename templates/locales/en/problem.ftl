# What is wrong with a form.
problem-summary = Nothing was changed yet
problem-limited = { $count ->
    [one] Too many attempts. Try again in { $shown } second.
   *[other] Too many attempts. Try again in { $shown } seconds.
}
problem-busy = The server has a lot to do right now. Try again in a few seconds.
problem-unverified = Verify your email address first.
problem-limit = The limit of your plan is reached; the page Plan shows what it has and what a larger one adds.
problem-last-owner = An org keeps at least one owner. Make somebody else an owner first.
problem-invitation = This invitation was accepted or taken back meanwhile.
problem-invited = This address is a member or invited already.
problem-own-totp = Set up a second factor for yourself before you ask the members for one.
problem-typed = This is not what you were asked to type.
problem-reason = Say why, in at most 200 characters.
problem-conflict = This is taken, or it was changed meanwhile.
problem-forbidden = Your role may not do this.
problem-email = This is not an email address.
problem-password = The password is not right.
problem-new-password = A password has 12 to 256 characters, and is not one that attackers try first, like a common one or your address.
problem-code = The code is not right, or was used before: each works once, and the next one comes within 30 seconds.
problem-name = A name has 1 to 64 characters.
problem-value = This value is not allowed.
problem-typed-name = This is not the app's name, so nothing was deleted.
problem-origin = An origin reads https://shop.example or http://localhost:3000: no path, no wildcard.
problem-scopes = Choose at least one scope, or everything and nothing else.
problem-days = Days are a number from 1 to 3650.
problem-private-key = This is a private key, which must never leave you. It was not kept; make a new pair, and paste its public half, which begins with -----BEGIN PUBLIC KEY-----.
problem-public-key = This is not a public key in PEM of the chosen algorithm. HS256 has none.
problem-title = A title is one line of 1 to 60 characters.
problem-text = A text has 1 to 500 characters; line breaks count.
problem-starts = It may begin at most 366 days from now.
problem-ends = It ends after it begins, in the future, and at most 366 days later.
