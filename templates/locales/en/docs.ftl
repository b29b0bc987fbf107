# The pages of the documentation; the documents themselves are English.
docs-console = Console
docs-language = What you need to build on TokenIM and to run it. The documents are in English.
docs-all = All documents
docs-contents = On this page
docs-protocol = Wire protocol
docs-protocol-about = Connect, send, receive and recover over a WebSocket; tokens, REST, counting and limits.
docs-tokens = Sign tokens yourself
docs-tokens-about = Your backend signs its users’ tokens: with a secret or a key pair, in Node.js and Python, and what each refusal means.
docs-errors = Error codes
docs-errors-about = Every code with its meaning, its HTTP status and close code, and whether to try again.
docs-manage = Provisioning API
docs-manage-about = Orgs, members, apps, keys, plans and usage by script, under the console’s own rules.
docs-operations = Operations
docs-operations-about = How to install, watch, back up and upgrade the server, and what to do when an alert comes.
docs-openapi = API reference
docs-openapi-about = Every call with its fields and errors, as an OpenAPI 3.1 document for your tools.
