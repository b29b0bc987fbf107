# Codes of the second factor.
code-title = Enter your code
code-label = Code
code-help = Six digits from your authenticator app, or one of your recovery codes.
code-submit = Continue
code-again = Start again
code-operator-body = The operator area has a session of its own, which ends after 15 minutes without use. It asks for your password and a code.
code-operator-needs = The operator area asks for a second factor. Switch it on for your account first.
code-back = Back to the console
code-help-first = Six digits from your authenticator app.
