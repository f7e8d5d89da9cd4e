"""Mail: handed over whole or not at all, the same bytes at every try, and never twice unasked."""

from __future__ import annotations

import asyncio
import os
import signal
import ssl
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from cli_runs import Cli, finished, plans, served
from cli_runs import calls as served_call
from hypothesis import given
from hypothesis import strategies as st
from loops import Stage, finish, plan, worker_prompts, write
from mails import GOAL, Post, config, mailing, sent_folder, serving

from autoagent.commands import Cancel
from autoagent.errors import UsageError
from autoagent.events import CallEnded, CallStarted, HookFailed, LadderClimbed, QuestionAsked
from autoagent.messages import Reply
from autoagent.outcome import Outcome
from autoagent.past.undo import effects_after
from autoagent.testing.model import ScriptedModel, call
from autoagent_mail.allowance import take
from autoagent_mail.message import Letter, media_type, one_line_only

DONE = [write("done.txt", "x"), finish()]


def mail(to: object = "anna@example.org", body: str = "Hello.\n.\n", **more: object) -> Reply:
    return call("mail_send", **{"to": to, "subject": "News", "body": body, **more})


def model_of(*letters: Reply) -> ScriptedModel:
    return ScriptedModel(planner=[plan("a")], worker=[*letters, *DONE], by_number=True)


async def told(stage: Stage, letter: Reply, goal: str = GOAL) -> str:
    """What the worker reads of one mail."""
    model = model_of(letter)
    await stage.start(goal, model)
    return worker_prompts(model)[1].last.text


async def test_mail_arrives_once_with_its_attachment(tmp_path: Path) -> None:
    """Sender, recipient, subject, text and the file's very bytes."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, 'name = "Jörg, Agent"', {"out/table.csv": "a;b\n"})
        said = await told(stage, mail(attachments=["out/table.csv"]))

    (sent,) = post.messages
    assert post.taken[0][0] == ["anna@example.org"]
    assert [sent[name] for name in ("From", "To", "Subject")] == [
        '"Jörg, Agent" <agent@example.org>',
        "anna@example.org",
        "News",
    ]
    assert sent.get_body().get_content() == "Hello.\r\n.\r\n"
    (file,) = sent.iter_attachments()
    assert (file.get_filename(), file["Content-Type"].lower()) == ("table.csv", 'text/csv; charset="utf-8"')
    assert file.get_payload(decode=True) == b"a;b\n"
    assert "127.0.0.1 took the mail to anna@example.org with out/table.csv (250 OK: queued as 7)" in said
    assert sent["Message-ID"] in said


async def test_words_of_any_language_arrive(tmp_path: Path) -> None:
    """Subject, text and file names are not only ASCII."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, files={"größe.txt": "ü"})
        await told(stage, mail(subject="Größe ✓", body="naïve — 日本\n", attachments=["größe.txt"]))

    (sent,) = post.messages
    assert (sent["Subject"], sent.get_body().get_content()) == ("Größe ✓", "naïve — 日本\r\n")
    assert [file.get_filename() for file in sent.iter_attachments()] == ["größe.txt"]
    assert post.taken[0][1].isascii()


@pytest.mark.parametrize(
    ("options", "count", "said"),
    [
        ({"enable_SMTPUTF8": True}, 1, "took the mail to jörg@example.org"),
        ({}, 0, "takes only addresses of ASCII"),
    ],
)
async def test_address_that_is_not_ascii_needs_a_server_that_takes_it(
    tmp_path: Path, options: dict[str, Any], count: int, said: str
) -> None:
    """With SMTPUTF8 it goes out as it is; without it nothing is sent, and the reason is told."""
    async with serving(Post(), **options) as post:
        stage = mailing(tmp_path, post.port)
        text = await told(stage, mail("jörg@example.org"), GOAL.replace("anna@", "jörg@"))

    assert len(post.taken) == count
    assert said in text
    assert "may have happened" not in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"to": "anna@example.org\nBcc: eve@evil.example"}, "is no address"),
        ({"to": "Anna <anna@example.org>"}, "is no address"),
        ({"to": "anna@example.org, eve@evil.example"}, "is no address"),
        ({"to": []}, "at least 1 item"),
        ({"subject": "News\r\nBcc: eve@evil.example"}, "holds a line break"),
        ({"subject": "News\u2028x"}, "holds a line break"),
        ({"subject": "=?utf-8?q?News=0D=0AReply-To:_eve@evil.example?="}, "begins an encoded text"),
        ({"to": "=?utf-8?q?anna?=@example.org"}, "is no address"),
        ({"body": "half \ud800"}, "half a character"),
    ],
)
async def test_what_would_forge_a_header_is_refused_before_anybody_is_asked(
    tmp_path: Path, arguments: dict[str, object], why: str
) -> None:
    """The model reads what is wrong; no question, no line to the server."""
    stage = mailing(tmp_path, 9)

    said = await told(stage, mail(**arguments))  # type: ignore[arg-type]

    assert why in said
    assert stage.events(CallEnded)[0].call not in {e.call for e in stage.events(CallStarted)}
    assert stage.events(QuestionAsked) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a\nBcc: eve@evil.example", "a\\nBcc: eve@evil.example"),
        ("=?utf-8?q?a=0D=0AX-Forged:_yes?=.txt", "=_utf-8?q?a=0D=0AX-Forged:_yes?=.txt"),
    ],
)
async def test_name_of_a_file_forges_no_header(tmp_path: Path, path: str, name: str) -> None:
    """A line break, plain or in an encoded word, is spelled out; the mail goes out whole."""
    async with serving(Post()) as post:
        await told(mailing(tmp_path, post.port, files={path: "x"}), mail(attachments=[path]))

    (file,) = post.messages[0].iter_attachments()
    assert file.get_filename() == name
    assert [file["X-Forged"], file["Bcc"], post.messages[0]["Bcc"]] == [None, None, None]


async def test_each_recipient_must_be_named_in_the_goal(tmp_path: Path) -> None:
    """One of two is unknown: the question names both, and nothing goes out before the answer."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port)
        outcome = await stage.start(GOAL, model_of(mail(["anna@example.org", "eve@evil.example"])))

    assert (outcome.ending, post.taken) == ("parked", [])
    assert stage.question().subject.destination == "anna@example.org, eve@evil.example"


@pytest.mark.parametrize("path", ["notes/p.txt", "a.txt"])
async def test_private_file_leaves_only_with_a_yes_after_outside_text_was_read(
    tmp_path: Path, path: str
) -> None:
    """Also one that was never read: an order in the outside text can name it."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, files={"notes/p.txt": "private", "a.txt": "do as I say"})
        letters = [call("files_read", path="a.txt"), mail(attachments=[path])]
        outcome = await stage.start(f"{GOAL}private: [notes]\n", model_of(*letters))

    if path == "a.txt":
        assert (outcome.ending, len(post.taken)) == ("proved", 1)
        return
    assert (outcome.ending, post.taken) == ("parked", [])
    assert stage.question().why == "this run has read outside text, and 'notes/p.txt' would leave: private"


async def test_attachments_that_are_too_large_are_not_sent(tmp_path: Path) -> None:
    """Before a line to the server is opened; the model reads how much it is."""
    stage = mailing(tmp_path, 9)
    with (stage.folder / "big.bin").open("wb") as file:
        file.truncate(60_000_000)

    said = await told(stage, mail(attachments=["big.bin"]))

    assert said == "nothing was sent: the attachments have 60 MB, and a mail takes 50 MB; send less"


# --- what is known when it fails ----------------------------------------------------------------------------


async def test_one_refused_recipient_stops_the_mail_for_all(tmp_path: Path) -> None:
    """Nobody gets a mail whose other half failed: it can be sent again without a second copy for anybody."""
    refused = {"bea@example.org": "550 5.1.1 no such user"}
    async with serving(Post(refused=refused)) as post:
        stage = mailing(tmp_path, post.port)
        goal = GOAL.replace("[anna@example.org]", "[anna@example.org, bea@example.org]")
        said = await told(stage, mail(["anna@example.org", "bea@example.org"]), goal)

    assert post.taken == []
    assert said == (
        "nothing was sent, to nobody: 127.0.0.1 refuses bea@example.org (550 5.1.1 no such user), "
        "but would take the other"
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            "554 5.7.1 looks like spam",
            "nothing was sent: 127.0.0.1 refuses the message (554 5.7.1 looks like spam)",
        ),
        (
            "451 busy",
            "nothing was sent: 127.0.0.1 refuses the message (451 busy, for now: later it may work)",
        ),
    ],
)
async def test_refused_message_is_certainly_not_sent(tmp_path: Path, answer: str, said: str) -> None:
    """For good or for now, as the server says; no warning that it may have happened."""
    async with serving(Post(answer=answer)) as post:
        stage = mailing(tmp_path, post.port)

        assert await told(stage, mail()) == said
        assert (stage.state.sent, stage.state.unsure) == ((), ())
        assert effects_after(stage.journal.read(stage.run), 1) == ()


async def test_line_that_breaks_before_the_answer_leaves_it_open(tmp_path: Path) -> None:
    """The server had all of it and said nothing: the model must not simply repeat it."""
    async with serving(Post(on_taken=lambda line: line.abort())) as post:
        stage = mailing(tmp_path, post.port)
        said = await told(stage, mail())

    assert "has the whole mail and didn't say whether it took it" in said
    assert "It may have happened all the same: don't repeat it without checking." in said
    assert (stage.state.sent, stage.state.unsure) == ((), ("mail_send anna@example.org",))
    (stays,) = effects_after(stage.journal.read(stage.run), 1)
    assert not stays.is_sure


@pytest.mark.parametrize("answer", ["yes, dear", "354 go on", "199 hm"])
async def test_answer_that_is_neither_yes_nor_no_leaves_it_open(tmp_path: Path, answer: str) -> None:
    """The server had all of it: what it meant nobody knows, so nobody says that nothing was sent."""
    async with serving(Post(answer=answer)) as post:
        said = await told(mailing(tmp_path, post.port), mail())

    assert "has the whole mail and didn't say whether it took it" in said
    assert "nothing was sent" not in said
    assert "It may have happened all the same" in said


async def test_line_that_breaks_before_the_message_sends_nothing(tmp_path: Path) -> None:
    """No whole message was handed over, so there is nothing to warn of."""

    class Closing(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.close()

    async with serving(Post(), Closing) as post:
        said = await told(mailing(tmp_path, post.port), mail())

    assert said.startswith(f"nothing was sent: no mail can be given to 127.0.0.1:{post.port} (")
    assert "may have happened" not in said


async def test_stopped_run_cuts_the_line(tmp_path: Path) -> None:
    """^C while the server keeps silent: the run lets go, and nothing is handed over behind its back."""
    lost = asyncio.Event()

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.write(b"220 here\r\n")  # type: ignore[attr-defined]

        def data_received(self, data: bytes) -> None:
            run.cancel()

        def connection_lost(self, error: Exception | None) -> None:
            lost.set()

    async with serving(Post(), Silent) as post:
        stage = mailing(tmp_path, post.port)
        run = asyncio.ensure_future(stage.start(GOAL, model_of(mail())))
        await asyncio.gather(run, return_exceptions=True)
        await lost.wait()

    assert [e.ok for e in stage.events(CallEnded)] == []


async def test_mail_that_is_sent_again_and_again_is_no_progress(tmp_path: Path) -> None:
    """Each has its own Message-ID, and a result that names it. Who begins anew is told what has left."""
    model = model_of(*[mail()] * 6)
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port)
        await stage.start(GOAL, model)

    assert len({message["Message-ID"] for message in post.messages}) == 6
    assert [climbed.rung for climbed in stage.events(LadderClimbed)] == ["nudge", "reset"]
    begun_anew = str(worker_prompts(model)[6])
    assert "don't send it again:\\n- mail_send anna@example.org, 6 times" in begun_anew


async def test_mail_that_was_under_way_when_the_run_was_cancelled_may_have_happened(tmp_path: Path) -> None:
    """Nobody will hear of it any more, and what the run says of itself tells."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, files={"a.txt": "enclosed"})
        await killed(stage)
        stage.send(Cancel())
        outcome = await stage.resume(model_of())

    assert (outcome.ending, len(post.taken)) == ("cancelled", 1)
    assert (stage.state.sent, stage.state.unsure) == ((), ("mail_send anna@example.org",))


# --- after a crash ------------------------------------------------------------------------------------------


async def killed(stage: Stage) -> Outcome:
    """A run that dies between the server's word and its own record, and goes on."""
    model = model_of(mail(attachments=["a.txt"]))
    await stage.start(GOAL, model)
    begun = next(e.seq for e in stage.journal.read(stage.run) if isinstance(e.event, CallStarted))
    stage.kill(begun)
    return await stage.resume(model)


async def test_killed_run_asks_before_it_sends_again(tmp_path: Path) -> None:
    """Nobody but the person can look: the question shows the mail, and one mail is all that went out."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, files={"a.txt": "enclosed"})
        parked = await killed(stage)
        asked = stage.question()
        stage.answer("done")
        outcome = await stage.resume(model_of())

    assert (parked.ending, outcome.ending, len(post.taken)) == ("parked", "proved", 1)
    assert (asked.subject.kind, asked.subject.destination) == ("recovery", "anna@example.org")
    assert asked.explained.sizes == {"a.txt": 8}


async def test_run_again_hands_over_the_very_same_bytes(tmp_path: Path) -> None:
    """Message-ID, date, boundary: a mailbox that knows the Message-ID can drop the second."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, files={"a.txt": "enclosed"})
        await killed(stage)
        stage.answer("run again")
        outcome = await stage.resume(model_of())

    assert outcome.ending == "proved"
    first, second = post.taken
    assert first == second


async def test_refused_second_try_still_leaves_the_first_open(tmp_path: Path) -> None:
    """Nothing was sent now; what the first try did, before the crash, stays unknown, and is told."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, files={"a.txt": "enclosed"})
        await killed(stage)
        stage.answer("run again")
        post.answer = "554 no"
        model = model_of()
        await stage.resume(model)

    told = next(e.output for e in stage.events(CallEnded) if not e.ok)
    assert "nothing was sent: 127.0.0.1 refuses the message (554 no)" in told
    assert "the first, before a restart, may have happened" in told


def looking(port: int, folder: str = "Sent") -> str:
    """Settings that have sent mail looked up."""
    return (
        f'user = "agent"\npassword_env = "MAIL_PASSWORD"\nimap_host = "127.0.0.1"\nimap_port = {port}\n'
        f'imap_folder = "{folder}"'
    )


@pytest.mark.parametrize("is_there", [True, False])
async def test_mail_that_stands_in_the_sent_folder_is_not_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
) -> None:
    """Found, it is done; not found is no proof, so the person is asked."""
    monkeypatch.setenv("MAIL_PASSWORD", "s3cret-word")
    accept = {"authenticator": lambda *_: AuthResult(success=True), "auth_require_tls": False}
    held = ["<other@example.org>"]
    async with serving(Post(), **accept) as post, sent_folder(held) as port:
        post.on_taken = lambda line: held.append(post.messages[0]["Message-ID"]) if is_there else None
        stage = mailing(tmp_path, post.port, looking(port), {"a.txt": "enclosed"})
        outcome = await killed(stage)

    assert (outcome.ending, len(post.taken)) == ("proved" if is_there else "parked", 1)


@pytest.mark.parametrize(("password", "folder"), [("wrong", "Sent"), ("s3cret-word", "Gesendet")])
async def test_sent_folder_that_can_not_be_read_leaves_it_to_the_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str, folder: str
) -> None:
    """A wrong password, no such folder: nothing is known, so nothing is sent again unasked."""
    monkeypatch.setenv("MAIL_PASSWORD", password)
    accept = {"authenticator": lambda *_: AuthResult(success=True), "auth_require_tls": False}
    async with serving(Post(), **accept) as post, sent_folder([]) as port:
        stage = mailing(tmp_path, post.port, looking(port, folder), {"a.txt": "enclosed"})
        outcome = await killed(stage)

    assert (outcome.ending, len(post.taken)) == ("parked", 1)


async def test_settings_can_send_again_without_a_question(tmp_path: Path) -> None:
    """For those whose mailboxes drop duplicates: the same bytes, at once."""
    async with serving(Post()) as post:
        stage = mailing(tmp_path, post.port, 'after_crash = "send again"', {"a.txt": "enclosed"})
        outcome = await killed(stage)

    assert outcome.ending == "proved"
    assert stage.events(QuestionAsked) == []
    assert len({data for _, data in post.taken}) == 1
    assert len(post.taken) == 2


async def test_process_that_is_killed_when_the_server_has_the_mail_sends_it_once(tmp_path: Path) -> None:
    """kill -9 at the worst instant, then `resume`, then an answer from the command line."""
    cli = Cli(tmp_path / "home", tmp_path)
    work = cli.workspace(
        "goal: tell Anna\nallow: {send: {mail: [anna@example.org]}}\ndone_when: [{file: d.txt}]\n"
    )
    turns = [
        plans("tell"),
        served_call("mail_send", to="anna@example.org", subject="News", body="Hello."),
        served_call("files_write", path="d.txt", content="x"),
        served_call("finish", result="told"),
    ]
    runs: list[asyncio.subprocess.Process] = []
    post = Post(on_taken=lambda line: os.kill(runs[0].pid, signal.SIGKILL))
    async with serving(post), served(cli, *turns):
        config(cli.home, post.port)
        runs.append(await cli.start("run", work))
        died = await finished(runs[0])
        (run,) = (await cli("runs", "--json")).json
        await cli("resume", run["id"], status=3)
        (asked,) = (await cli("approvals", "--json")).json
        await cli("answer", asked["id"], "done")
        await cli("resume", run["id"])

    assert died.status == -signal.SIGKILL
    assert len(post.taken) == 1
    assert (asked["kind"], asked["destination"]) == ("recovery", "anna@example.org")
    assert "so it may have happened" in asked["why"]


# --- settings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("", "[plugins.mail] host is missing"),
        (
            'host = "mail.example.org"\nfrom = "a@b.org"\ntls = "none"',
            "'mail.example.org' is another machine",
        ),
        ('host = "h"\nfrom = "a@b.org"\nuser = "a"', "user and password_env go together"),
        ('host = "h"\nfrom = "a@b.org"\npasword_env = "X"', "did you mean 'password_env'?"),
        ('host = "h"\nfrom = "Anna"', "[plugins.mail] from 'Anna' is no address"),
        ('host = "h"\nfrom = "a@b.org"\nport = "25"', "[plugins.mail] port is '25'"),
        ('host = "h"\nfrom = "a@b.org"\nimap_host = "h"', "imap_host needs user and password_env"),
    ],
)
async def test_wrong_settings_are_told_before_a_run_begins(tmp_path: Path, table: str, why: str) -> None:
    """File, table and key, and what to write."""
    stage = mailing(tmp_path, 9)
    (stage.home / "config.toml").write_text(f"[plugins.mail]\n{table}\n")

    with pytest.raises(UsageError) as raised:
        await stage.start(GOAL, model_of())

    assert str(raised.value).startswith(f"{stage.home / 'config.toml'}:")
    assert why in str(raised.value)


async def test_password_is_struck_out_of_what_the_model_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that echoes it gains nothing."""
    monkeypatch.setenv("MAIL_PASSWORD", "s3cret-word")
    refused = {"anna@example.org": "550 go away, s3cret-word"}
    accept = {"authenticator": lambda *_: AuthResult(success=True), "auth_require_tls": False}
    async with serving(Post(refused=refused), **accept) as post:
        stage = mailing(tmp_path, post.port, 'user = "agent"\npassword_env = "MAIL_PASSWORD"')
        said = await told(stage, mail())

    assert "550 go away, [MAIL_PASSWORD]" in said
    assert not [e for e in stage.journal.read(stage.run) if "s3cret" in e.model_dump_json()]


async def test_password_that_is_not_set_is_named(tmp_path: Path) -> None:
    """Nothing is sent, and the person can read which variable to set."""
    stage = mailing(tmp_path, 9, 'user = "agent"\npassword_env = "NO_SUCH_PASSWORD"')

    assert "the variable NO_SUCH_PASSWORD isn't set" in await told(stage, mail())


def test_nothing_of_mail_is_loaded_before_it_is_enabled() -> None:
    """Installed is not enabled."""
    import subprocess

    code = "import autoagent.cli.app, sys; print('smtplib' in sys.modules, 'autoagent_mail' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]


# --- encryption ---------------------------------------------------------------------------------------------

CERTIFICATE = Path(__file__).parent / "certificates" / "loopback.pem"


def _trusted() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


def encrypted(tmp_path: Path, post: Post, tls: str, more: str = "") -> Stage:
    stage = mailing(tmp_path, post.port)
    config(stage.home, post.port, more, tls=tls)
    return stage


async def test_mail_goes_over_starttls_with_a_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes neither password nor mail before the line is encrypted."""
    monkeypatch.setenv("MAIL_PASSWORD", "s3cret-word")
    seen: list[bytes] = []

    def check(server: object, session: object, envelope: object, mechanism: str, data: Any) -> AuthResult:
        seen.append(data.password)
        return AuthResult(success=data.password == b"s3cret-word")

    options = {
        "tls_context": _trusted(),
        "require_starttls": True,
        "auth_required": True,
        "authenticator": check,
    }
    more = f'ca_file = "{CERTIFICATE}"\nuser = "agent"\npassword_env = "MAIL_PASSWORD"'
    async with serving(Post(), **options) as post:
        said = await told(encrypted(tmp_path, post, "starttls", more), mail())

    assert (len(post.taken), seen) == (1, [b"s3cret-word"])
    assert "took the mail" in said


async def test_refused_password_is_no_secret_and_no_riddle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent; the answer names the variable, and quotes nothing that the server says."""
    monkeypatch.setenv("MAIL_PASSWORD", "wrong")
    refuse = {"authenticator": lambda *_: AuthResult(success=False, handled=False), "auth_require_tls": False}
    async with serving(Post(), **refuse) as post:
        stage = mailing(tmp_path, post.port, 'user = "agent"\npassword_env = "MAIL_PASSWORD"')
        said = await told(stage, mail())

    assert said == (
        "nothing was sent: 127.0.0.1 refuses user or password (535); "
        "the person must correct [plugins.mail], or MAIL_PASSWORD"
    )


async def test_mail_goes_over_tls_from_the_first_byte(tmp_path: Path) -> None:
    """`tls = "tls"`, as on port 465."""
    loop = asyncio.get_running_loop()
    post = Post()
    made = lambda: SMTP(post, hostname="mail.example.org", loop=loop)  # noqa: E731
    server = await loop.create_server(made, "127.0.0.1", 0, ssl=_trusted())
    post.port = server.sockets[0].getsockname()[1]
    said = await told(encrypted(tmp_path, post, "tls", f'ca_file = "{CERTIFICATE}"'), mail())
    server.close()
    await server.wait_closed()

    assert len(post.taken) == 1
    assert "took the mail" in said


@pytest.mark.parametrize(
    ("offers_tls", "why"),
    [(True, "CERTIFICATE_VERIFY_FAILED"), (False, "STARTTLS extension not supported")],
    ids=["unknown certificate", "no STARTTLS"],
)
async def test_line_that_can_not_be_trusted_carries_nothing(
    tmp_path: Path, offers_tls: bool, why: str
) -> None:
    """Neither the mail nor the password goes over it, and it never falls back to plain text."""
    async with serving(Post(), tls_context=_trusted() if offers_tls else None) as post:
        said = await told(encrypted(tmp_path, post, "starttls"), mail())

    assert post.taken == []
    assert said.startswith("nothing was sent: ")
    assert why in said


# --- the message itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("a.pdf", b"%PDF", "application/pdf"),
        ("report.md2", "größe".encode(), "text/plain"),
        ("data.bin", b"\0\1", "application/octet-stream"),
        ("mail.eml", b"From: a", "application/octet-stream"),
        ("logs.csv.gz", b"\x1f\x8b", "application/octet-stream"),
    ],
)
def test_attachments_have_the_type_of_their_name(path: str, content: bytes, kind: str) -> None:
    """By Python's own table, so that it is the same on each machine."""
    assert media_type(path, content) == kind


def test_files_of_the_same_name_can_be_told_apart() -> None:
    """Two report.md of two folders are called after their folders."""
    letter = letter_with(("a/report.md", b"a"), ("b/report.md", b"b"), ("c.md", b"c"))
    files = [part.get_filename() for part in parsed(letter.data).iter_attachments()]

    assert files == ["a_report.md", "b_report.md", "c.md"]


def test_no_file_can_end_its_part() -> None:
    """The separator depends on all that is sent, so nothing in it can hold it."""
    inner = letter_with(("a.txt", b"a"))
    outer = letter_with(("a.txt", inner.data))

    (part,) = parsed(outer.data).iter_attachments()
    assert part.get_payload(decode=True) == inner.data
    assert parsed(inner.data).get_boundary() != parsed(outer.data).get_boundary()


@given(st.text(), st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0\r")))
def test_any_subject_and_text_make_a_mail_that_reads_the_same(subject: str, body: str) -> None:
    """Or they are refused: nothing is lost, and no header begins where none was meant."""
    try:
        one_line_only(subject)
    except ValueError:
        return
    letter = replace(letter_with(), subject=subject, body=body)
    sent = parsed(letter.data)

    assert [name for name, _ in sent.items()] == [
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Content-Type",
        "Content-Transfer-Encoding",
        "MIME-Version",
    ]
    assert " ".join(sent["Subject"].split()) == " ".join(subject.split())
    assert sent.get_content().replace("\r\n", "\n").rstrip("\n") == body.rstrip("\n")


def letter_with(*attachments: tuple[str, bytes]) -> Letter:
    at = datetime(2026, 11, 22, 14, 2, tzinfo=UTC)
    return Letter("me@example.org", "", ("anna@example.org",), "News", "Hello.", attachments, "k3y", at)


def parsed(data: bytes) -> Any:
    return BytesParser(EmailMessage, policy=policy.default).parsebytes(data)


class TestAllowance:
    """`at_most_a_day`: so many recipients within 24 hours, over all runs."""

    async def test_more_than_that_are_refused(self, tmp_path: Path) -> None:
        """By the count of recipients, in this run and in the next; the model reads when there is room."""
        two = GOAL.replace("[anna@example.org]", "[anna@example.org, bob@example.org]")
        async with serving(Post()) as post:
            stage = mailing(tmp_path, post.port, "at_most_a_day = 3")
            model = model_of(mail(["anna@example.org", "bob@example.org"]), mail(body="1"), mail(body="2"))
            await stage.start(two, model)
            (stage.folder / "done.txt").unlink()
            again = model_of(mail(body="3"))
            await stage.start(two, again)

        assert len(post.taken) == 2
        said = worker_prompts(model)[3].last.text
        assert said.startswith(
            "Not allowed by the plugin 'mail': at most 3 recipients in 24 hours, and 3 were"
        )
        assert "There is room again from " in said
        assert worker_prompts(again)[1].last.text == said

    async def test_what_certainly_was_not_sent_does_not_count(self, tmp_path: Path) -> None:
        """Here: refused by the server."""
        refused = {"nobody@example.org": "550 no such user"}
        goal = GOAL.replace("[anna@example.org]", "[anna@example.org, nobody@example.org]")
        async with serving(Post(refused=refused)) as post:
            stage = mailing(tmp_path, post.port, "at_most_a_day = 1")
            await stage.start(goal, model_of(mail("nobody@example.org"), mail()))

        assert [to for to, _ in post.taken] == [["anna@example.org"]]

    async def test_a_second_try_counts_once(self, tmp_path: Path) -> None:
        """Wherever the process dies around the send, the mail that the resume makes has its share already."""
        async with serving(Post()) as post:
            stage = mailing(tmp_path, post.port, 'at_most_a_day = 1\nafter_crash = "send again"')
            await stage.start(GOAL, model_of(mail()))
            started = next(x.seq for x in stage.entries if isinstance(x.event, CallStarted))
            for keep in (started - 1, started):
                (stage.folder / "done.txt").unlink(missing_ok=True)
                stage.kill(keep)
                stage.restore()
                model = model_of(mail())
                await stage.resume(model)

        assert len(post.taken) == 3
        assert len({m["Message-ID"] for m in post.messages}) == 1

    async def test_none_at_all(self, tmp_path: Path) -> None:
        """0 means none."""
        async with serving(Post()) as post:
            said = await told(mailing(tmp_path, post.port, "at_most_a_day = 0"), mail())

        assert said.endswith("this mail has 1. It never fits: send it to fewer")
        assert post.taken == []

    def test_room_comes_back_after_a_day(self, tmp_path: Path) -> None:
        """Of the oldest mail first."""
        at = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
        path = tmp_path / "sent.db"

        assert take(path, "a", 1, 2, at) is None
        assert take(path, "b", 1, 2, at + timedelta(hours=1)) is None
        assert "from 2026-11-23 08:00 UTC" in str(take(path, "c", 1, 2, at + timedelta(hours=2)))
        assert take(path, "c", 1, 2, at + timedelta(hours=24)) is None

    async def test_where_the_count_cannot_be_kept_nothing_is_sent(self, tmp_path: Path) -> None:
        """And the failure stands in the record."""
        async with serving(Post()) as post:
            stage = mailing(tmp_path, post.port, "at_most_a_day = 5")
            (stage.home / "plugins" / "mail" / "sent.db").mkdir(parents=True)
            said = await told(stage, mail())

        assert "reach out and failed: OperationalError: unable to open database file" in said
        assert post.taken == []
        assert {x.hook for x in stage.events(HookFailed)} == {"pre_call", "post_call"}
