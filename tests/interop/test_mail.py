"""Mail to a real SMTP server: it arrives once, in both languages and protected, whatever the server answers or forgets to."""

import contextlib
import email.utils
import json
import re
import sqlite3
import subprocess
import time

import pytest
from conftest import binary
from mailserver import PASSWORD, USER, Certificates, MailServer
from server import Server, engine, wait_until

SECONDS = 30
ADA = "ada@example.com"
SENDER = "TokenIM <mail@im.example>"
MESSAGE_ID = re.compile(r"<job_[0-9a-z]{26}@im\.example>")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("certificates"))


class Service:
    """A tokenim that sends to `mail`; its config is the environment."""

    def __init__(self, folder, mail, **changed):
        config = {"transport": "smtp", "host": "127.0.0.1", "port": mail.port, "security": "none", "from": SENDER, **changed}
        env = {f"TOKENIM_MAIL__{key.upper()}": str(value) for key, value in config.items()}
        self.server = Server(binary(), folder, env={**env, **engine()})

    def test(self, *flags, to=ADA):
        """`tokenim admin mail-test`; returns (exit status, what it said)."""
        command = [self.server.binary, "admin", "mail-test", "--to", to, "--data", str(self.server.data), *flags]
        run = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=self.server.env, check=False)
        return run.returncode, run.stdout + run.stderr

    def queue(self, *flags, to=ADA):
        status, said = self.test("--queue", *flags, to=to)
        assert status == 0, said

    def jobs(self):
        """Every job as (attempts, last_error, done, dead)."""
        jobs = "SELECT attempts, last_error, done_ms IS NOT NULL AS done, dead_ms IS NOT NULL AS dead FROM job ORDER BY id"
        url = self.server.env.get("TOKENIM_DATABASE__URL")
        if url:
            words = ["psql", "-XqAt", "-c", f"SELECT coalesce(json_agg(job), '[]') FROM ({jobs}) AS job", url]
            rows = json.loads(subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, check=True).stdout)
            return [tuple(row.values()) for row in rows]
        with contextlib.closing(sqlite3.connect(self.server.data / "tokenim.db", timeout=SECONDS)) as database:
            return [(attempts, error, bool(done), bool(dead)) for attempts, error, done, dead in database.execute(jobs)]

    def job_when(self, condition, what):
        """Waits for the one job to be so; returns it."""
        def look():
            [job] = self.jobs()
            return job if condition(*job) else None
        return wait_until(look, SECONDS, what)

    def done(self):
        return self.job_when(lambda _attempts, _error, done, _dead: done, "the mail is sent")


@pytest.fixture
def serving(tmp_path):
    """Starts a service; ends it with the test."""
    with contextlib.ExitStack() as stack:
        def start(mail, **changed):
            service = Service(tmp_path, mail, **changed)
            stack.callback(service.server.kill)
            service.server.start()
            return service
        yield start


@pytest.mark.parametrize("security", ["none", "starttls", "tls"])
def test_a_mail_arrives_once_with_all_that_belongs_to_it(serving, certificates, security):
    tls = {"tls": {"tls": certificates.context()}, "starttls": {"starttls": certificates.context()}, "none": {}}[security]
    with MailServer(login=True, **tls) as mail:
        service = serving(mail, security=security, username=USER, password=PASSWORD, ca_file=certificates.authority)
        service.queue()
        assert service.done() == (1, None, True, False)
        [got] = mail.kept
        assert (got.sender, got.to, got.user, got.encrypted) == ("mail@im.example", [ADA], USER, security != "none")
        message = got.message
        assert MESSAGE_ID.fullmatch(got.id), got.id
        assert (message["From"], message["To"], message["Auto-Submitted"]) == (SENDER, ADA, "auto-generated")
        assert abs(email.utils.parsedate_to_datetime(message["Date"]).timestamp() - time.time()) < 600
        assert message.get_content_type() == "multipart/alternative"
        assert message["Subject"] == "A test of the mail settings"
        for kind in ("plain", "html"):
            assert "the service can send mail to this address" in got.part(kind)
        assert PASSWORD not in service.server.log.read_text(encoding="utf-8")


def test_a_chinese_mail_is_chinese_in_subject_and_both_parts(serving):
    with MailServer() as mail:
        service = serving(mail)
        service.queue("--language", "zh-CN")
        service.done()
        [got] = mail.kept
        assert got.message["Subject"] == "邮件设置测试" and got.raw.isascii()
        for kind in ("plain", "html"):
            assert "服务可以向该地址发送邮件" in got.part(kind)


@pytest.mark.parametrize("answer", ["451 4.7.1 come back later", "data 452 4.3.1 disk full", "421 4.3.2 going down"])
def test_a_mail_that_is_put_off_is_sent_later(serving, answer):
    with MailServer() as mail:
        mail.script = [answer, answer]
        service = serving(mail)
        service.queue()
        assert service.done() == (3, None, True, False)
        assert (len(mail.kept), mail.tried) == (1, 3)


@pytest.mark.parametrize("answer", ["550 5.1.1 no such user here", "data 554 5.7.1 looks like spam"])
def test_a_mail_that_is_refused_for_good_is_dead_and_keeps_the_answer(serving, answer):
    with MailServer() as mail:
        mail.script = [answer, answer]
        service = serving(mail)
        service.queue()
        _, error, _, _ = service.job_when(lambda _attempts, _error, _done, dead: dead, "the mail is given up")
        words = answer.removeprefix("data ")
        assert words[:3] in error and words[4:] in error
        status, said = service.test()
        assert status == 1 and words[4:] in said, "the operator is told the same"
        service.test()
        assert [job[0] for job in service.jobs()] == [1], "it was tried once"


def test_a_connection_that_drops_within_the_mail_is_no_mail_sent(serving):
    with MailServer() as mail:
        mail.script = ["drop data"]
        service = serving(mail)
        service.queue()
        assert service.done()[0] == 2
        assert (len(mail.kept), mail.tried) == (1, 2)


def test_a_lost_answer_sends_the_same_mail_again_under_the_same_id(serving):
    with MailServer() as mail:
        mail.script = ["drop answer", "drop answer"]
        service = serving(mail)
        service.queue()
        assert service.done()[0] == 3
        assert len(mail.kept) == 3
        assert len({got.id for got in mail.kept}) == 1, "whoever gets them can tell that they are one mail"
        assert len({(got.message["Date"], got.part("plain")) for got in mail.kept}) == 1


def test_a_server_that_is_away_for_a_while_loses_nothing(serving):
    with MailServer() as mail:
        port = mail.port
        service = serving(mail)
    service.queue()
    attempts, error, *_ = service.job_when(lambda attempts, error, *_: attempts >= 2 and error, "it was tried")
    assert attempts >= 2 and "onnect" in error, error
    with MailServer(port=port) as mail:
        service.done()
        assert len(mail.kept) == 1


def test_a_process_killed_within_a_mail_sends_it_after_its_restart(serving):
    with MailServer() as mail:
        mail.script = ["hang"]
        service = serving(mail)
        service.queue()
        mail.wait(lambda mail: mail.tried == 1, "the mail is begun")
        service.server.kill()
        assert service.jobs() == [(1, None, False, False)]
        service.server.start()
        assert service.done()[0] == 2
        assert len(mail.kept) == 1


def test_a_stop_does_not_wait_for_a_mail_server_that_hangs(serving):
    with MailServer() as mail:
        mail.script = ["hang"]
        service = serving(mail)
        service.queue()
        mail.wait(lambda mail: mail.tried == 1, "the mail is begun")
        assert service.server.terminate() == 0
        service.server.start()
        service.done()
        assert len(mail.kept) == 1


def test_a_wrong_password_is_no_fault_of_the_mail(serving):
    with MailServer(login=True) as mail:
        service = serving(mail, username=USER, password="wrong word")
        service.queue()
        attempts, error, done, dead = service.job_when(lambda attempts, *_: attempts >= 2, "it is tried again")
        assert attempts >= 2 and "535" in error and not done and not dead
        assert mail.tried == 0
        log = service.server.log.read_text(encoding="utf-8")
        assert "refuses the configured user name" in log and "wrong word" not in log


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_nothing_is_said_to_a_server_nobody_vouches_for(serving, certificates, tmp_path_factory, security):
    other = Certificates(tmp_path_factory.mktemp("other"))
    with MailServer(login=True, **{security: certificates.context()}) as mail:
        service = serving(mail, security=security, username=USER, password=PASSWORD, ca_file=other.authority)
        service.queue()
        _, error, _, _ = service.job_when(lambda _attempts, error, *_: error, "it failed")
        assert "ertificate" in error, error
        assert (mail.kept, mail.tried) == ([], 0)


def test_a_server_that_offers_no_starttls_gets_nothing(serving):
    with MailServer() as mail:
        service = serving(mail, security="starttls")
        service.queue()
        _, error, _, _ = service.job_when(lambda _attempts, error, *_: error, "it failed")
        assert "STARTTLS" in error and (mail.kept, mail.tried) == ([], 0)


def test_many_mails_all_arrive_each_once(serving):
    with MailServer() as mail:
        service = serving(mail)
        mail.script = ["451 later", "", "drop data", "", "451 later", ""]
        people = [f"user{number}@example.com" for number in range(12)]
        for to in people:
            service.queue(to=to)
        wait_until(lambda: all(done for _, _, done, _ in service.jobs()), SECONDS, "all are sent")
        assert sorted(got.to[0] for got in mail.kept) == sorted(people)


def test_the_operator_is_told_what_the_server_answered(serving):
    with MailServer() as mail:
        service = serving(mail)
        assert service.test() == (0, "250 kept\n")
        status, said = service.test(to="nobody")
        assert status == 1 and "address" in said
    status, said = service.test()
    assert status == 1 and "would try again" in said


def test_settings_that_could_not_work_are_refused_at_the_start(tmp_path):
    with MailServer() as mail:
        for changed, named in [({"host": "mail.example"}, "mail.security"), ({"from": "nobody"}, "mail.from"),
                               ({"security": "tls", "ca_file": "/nowhere.pem"}, "mail.ca_file")]:
            service = Service(tmp_path, mail, **changed)
            status, said = service.test()
            assert status == 1 and named in said, said
