# The development mailbox.
mailbox-title = Mails of this server
mailbox-help = Nothing leaves: this server writes its mails to a folder.
mailbox-empty = No mail was written yet. Sign up, reset a password or invite somebody, and it appears here.
mailbox-subject = Subject
mailbox-to = To
mailbox-time = Time (UTC)
mailbox-newest = Newest
mailbox-older = Older
mailbox-back = All mails
mailbox-text = Text
mailbox-headers = Headers
mailbox-html = HTML source
