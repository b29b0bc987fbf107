"""A mail server that answers as scripted: it keeps what it accepts, and refuses, hangs or drops when a test says so."""

import asyncio
import email
import email.policy
import ssl
import subprocess
import threading
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult

SECONDS = 30
USER, PASSWORD = "im", "s3cret word"


class Certificates:
    """An authority of our own and a certificate of it for this machine; a lone self-signed one is refused by rustls."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.authority, self.chain, self.key = (self.folder / name for name in ("ca.pem", "server.pem", "server.key"))
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test authority", "-days", "2",
                      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
        self._openssl("req", *new, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=mail")
        (self.folder / "server.ext").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\nbasicConstraints=CA:FALSE\n", encoding="ascii")
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
                      "-extfile", "server.ext", "-out", "server.pem")

    def _openssl(self, *words):
        run = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert run.returncode == 0, run.stderr

    def context(self):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context


class Mail:
    """A mail as it came in."""

    def __init__(self, server, session, envelope):
        self.encrypted, self.user = server.transport.get_extra_info("ssl_object") is not None, session.auth_data
        self.sender, self.to = envelope.mail_from, envelope.rcpt_tos
        self.raw = envelope.original_content
        self.message = email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def id(self):
        return self.message["Message-ID"]

    def part(self, kind):
        return self.message.get_body((kind,)).get_content()


class MailServer:
    """Listens on 127.0.0.1. `script` holds what happens to the next mails, one word each; without one a mail is accepted.

    Words: an answer to RCPT ("451 later"), or to the whole mail ("data 552 too big"), "drop data" in the middle of it,
    "drop answer" after it was kept, "hang" before anything is said about it, until `release` is called.
    """

    def __init__(self, tls=None, starttls=None, login=False, port=0):
        self.tls, self.starttls, self.login = tls, starttls, login
        self.script, self.kept, self.tried = [], [], 0
        self.changed = threading.Condition()
        self.loop = asyncio.new_event_loop()
        self.released = asyncio.Event()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.listener = self._run(self._listen(port))
        self.port = self.listener.sockets[0].getsockname()[1]

    def _run(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(SECONDS)

    async def _listen(self, port):
        def session():
            return Session(self, hostname="mail.test", tls_context=self.starttls, require_starttls=self.starttls is not None,
                           auth_required=self.login, auth_require_tls=False, authenticator=self._authenticate, loop=self.loop)
        return await self.loop.create_server(session, "127.0.0.1", port, ssl=self.tls)

    def close(self):
        async def end():
            self.listener.close()
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()
        self._run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(SECONDS)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def release(self):
        self.loop.call_soon_threadsafe(self.released.set)

    def _authenticate(self, _server, _session, _envelope, _mechanism, login):
        ok = login.login == USER.encode() and login.password == PASSWORD.encode()
        return AuthResult(success=ok, auth_data=login.login.decode() if ok else None, handled=False)

    def wait(self, condition, what):
        """Waits until `condition(self)` holds."""
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), SECONDS), f"{what}: kept {len(self.kept)}, tried {self.tried}"

    def note(self, mail=None):
        with self.changed:
            if mail is None:
                self.tried += 1
            else:
                self.kept.append(mail)
            self.changed.notify_all()

    # What aiosmtpd calls.
    async def handle_MAIL(self, server, _session, envelope, address, options):
        server.word = self.script.pop(0) if self.script else ""
        self.note()
        if server.word == "hang":
            await self.released.wait()
        envelope.mail_from, envelope.mail_options = address, [*envelope.mail_options, *options]
        return "250 OK"

    async def handle_RCPT(self, server, _session, envelope, address, options):
        if server.word[:1].isdigit():
            return server.word
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if server.word.startswith("data "):
            return server.word.removeprefix("data ")
        self.note(Mail(server, session, envelope))
        if server.word == "drop answer":
            server.transport.abort()
        return "250 kept"


class Session(SMTP):
    """One connection, which can end in the middle of a mail."""

    word = ""

    async def smtp_DATA(self, arg):
        if self.word != "drop data":
            return await super().smtp_DATA(arg)
        await self.push("354 go on")
        await self._reader.readline()
        self.transport.abort()
        return None
