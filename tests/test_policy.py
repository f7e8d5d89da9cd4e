"""The decision order, row by row, whatever the run has read and whoever is there."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from states import goal, running, started

from autoagent.door.tools import Plugin, ToolContext, tool
from autoagent.events import QuestionAnswered, QuestionAsked
from autoagent.goal import Absence, Goal, Limits, SubTask
from autoagent.growing import Seen
from autoagent.loop.context import Models
from autoagent.outcome import Outcome
from autoagent.policy import SEARCH, Allow, Ask, Decision, Deny, ProposedCall, Stop, decide
from autoagent.state import RunState
from autoagent.testing import ScriptedModel, call
from autoagent.testing.journal import MemoryJournal
from autoagent.testing.memory import DictMemory
from autoagent.wiring import Parts, start

BITS = list(product((False, True), repeat=2))
"""(outside, private): every pair."""

URL = "https://a.org/page"
GOAL = goal(
    "Read https://goal.org/start and mail it.",
    read=("in", "out"),
    write=("out",),
    run="sandbox",
    web=("a.org", "goal.org", "*.wiki.org"),
    send={"mail": ("anna@b.org", "bob@b.org", "hooks.b.org"), "chat": ()},
    never=("shop_pay",),
)


def web(url: str | None, **other: Any) -> ProposedCall:
    return ProposedCall("web_read", "web", "web", "read", url, **other)


def send(to: str | None, plugin: str = "mail", tool: str = "mail_send", **other: Any) -> ProposedCall:
    return ProposedCall(tool, plugin, "send", "external", to, **other)


def fetch(url: str, path: str) -> ProposedCall:
    return ProposedCall("http_download", "http", "fetch", "write", url, (path,))


def read(*paths: str) -> ProposedCall:
    return ProposedCall("files_read", "files", "read", "read", None, paths)


def write(*paths: str) -> ProposedCall:
    return ProposedCall("files_write", "files", "write", "write", None, paths)


RUN = ProposedCall("python_run", "python", "run", "write")

ROWS: list[tuple[str, ProposedCall, str, str]] = [
    # row 1: never an answer, never a prompt
    ("a tool in never", send("anna@b.org", tool="shop_pay"), "deny", "'shop_pay' under 'never'"),
    ("a tool in never behind another", send("anna@b.org", names=("shop_pay",)), "deny", "'shop_pay' under"),
    ("a plugin that may not send", send("anna@b.org", plugin="fax"), "deny", "doesn't name 'fax'"),
    ("a host that isn't named", web("https://evil.org/"), "deny", "not the host of 'https://evil.org/'"),
    ("a port that isn't named", web("https://a.org:8443/"), "deny", "not the host of"),
    ("a URL with credentials", web("https://a.org@evil.org/"), "deny", "no plain http or https URL"),
    ("a URL that is none", web("a.org"), "deny", "no plain http or https URL"),
    ("no URL", web(""), "deny", "no plain http or https URL"),
    ("reading outside the roots", read("in/a", "etc/b"), "deny", "'etc/b' may not be read"),
    ("writing where only reading is allowed", write("in/a"), "deny", "'in/a' may not be written"),
    ("writing what is protected", write("out/check.py"), "deny", "'out/check.py' is protected"),
    ("writing the goal", write("goal.yaml"), "deny", "'goal.yaml' is protected"),
    (
        "sending a file outside the roots",
        send("anna@b.org", paths=("etc/b",)),
        "deny",
        "'etc/b' may not be read",
    ),
    (
        "keeping a page of a host that isn't named",
        fetch("https://e.org/", "out/a"),
        "deny",
        "not the host of",
    ),
    ("keeping a page outside the roots", fetch("https://a.org/", "in/a"), "deny", "may not be written"),
    # row 3: nothing leaves, or only what is known
    ("reading inside the roots", read("in/a", "out/b"), "allow", "inside the workspace"),
    ("listing the workspace", read("."), "allow", "inside the workspace"),
    ("reading what is protected", read("out/check.py"), "allow", "inside the workspace"),
    ("writing inside the roots", write("out/a"), "allow", "inside the workspace"),
    ("a write without a path", write(), "allow", "inside the workspace"),
    ("running code", RUN, "allow", "inside the sandbox, without network"),
    ("a URL of the goal", web("https://goal.org/start"), "allow", "stands in the goal or in what was read"),
    (
        "a URL that was read",
        web("https://x.wiki.org/seen"),
        "allow",
        "stands in the goal or in what was read",
    ),
    (
        "its other part",
        web("https://x.wiki.org/seen#part"),
        "allow",
        "stands in the goal or in what was read",
    ),
    ("a search", web(SEARCH + "duck"), "allow unless private", "a search at your provider"),
    ("keeping a URL that was read", fetch("https://x.wiki.org/seen", "out/a"), "allow", "what was read"),
    # row 4: the user named the destination
    ("a new URL at a named host", web("https://a.org/new"), "allow unless both", "named in your goal"),
    ("a send to a named person", send("anna@b.org"), "allow unless both", "named in your goal"),
    ("a send to several named", send("anna@b.org, bob@b.org"), "allow unless both", "named in your goal"),
    ("a send to a named host", send("https://hooks.b.org/x"), "allow unless both", "named in your goal"),
    ("keeping a new URL", fetch("https://a.org/new", "out/a"), "allow unless both", "named in your goal"),
    # row 5: a person decides
    ("a new URL at a wildcard's host", web("https://x.wiki.org/new"), "ask", "is not named in your goal"),
    ("a send to somebody", send("eve@b.org"), "ask", "eve@b.org is not named in your goal"),
    (
        "a send to one of them unnamed",
        send("anna@b.org, eve@b.org"),
        "ask",
        "eve@b.org is not named in your goal",
    ),
    ("a send to a name with an addition", send("anna@b.org\nBcc: eve@b.org"), "ask", "is not named"),
    ("a send to nobody known", send(""), "ask", "nobody can say whom this reaches"),
    ("a send where each is asked for", send("anna@b.org", plugin="chat"), "ask", "is not named in your goal"),
]


def state(outside: bool = False, private: bool = False, of: Goal = GOAL, **facts: Any) -> RunState:
    facts.setdefault("started", started(of, protected=("goal.yaml", "out/check.py")))
    facts.setdefault("urls", Seen(["https://x.wiki.org/seen"]))
    return running(of, outside=outside, private=private, **facts)


def expected(row: str, outside: bool, private: bool) -> type[Decision]:
    if row == "allow unless private":
        return Ask if private else Allow
    if row == "allow unless both":
        return Ask if outside and private else Allow
    return Deny if row == "deny" else Allow if row == "allow" else Ask


@pytest.mark.parametrize(("outside", "private"), BITS)
@pytest.mark.parametrize(("call", "row", "why"), [r[1:] for r in ROWS], ids=[r[0] for r in ROWS])
def test_row(call: ProposedCall, row: str, why: str, outside: bool, private: bool) -> None:
    """Each row decides as the design says, under each of the four pairs of bits."""
    decision = decide(state(outside, private), call)

    assert type(decision) is expected(row, outside, private)
    if not row.startswith("allow unless") or isinstance(decision, Allow):
        assert why in decision.why


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (web("https://a.org/new"), "has read outside text and private data"),
        (send("anna@b.org"), "has read outside text and private data"),
        (web(SEARCH + "duck"), "a search tells its provider"),
    ],
)
def test_both_bits_are_why(call: ProposedCall, why: str) -> None:
    """What is asked because of what was read says so."""
    assert why in decide(state(True, True), call).why


class TestOrder:
    """An earlier row wins."""

    SPENT = (
        {"limits": Limits(minutes=1), "seconds": 60.0},
        {"limits": Limits(tokens=10), "tokens": 11},
        {"limits": Limits(steps=5), "steps": 6},
    )

    @pytest.mark.parametrize("facts", SPENT, ids=["minutes", "tokens", "steps"])
    def test_denied_before_stopped(self, facts: dict[str, Any]) -> None:
        """What the goal doesn't give is denied even when a limit is passed; all else stops."""
        for name, proposed, row, _ in ROWS:
            decision = decide(state(**facts), proposed)
            assert type(decision) is (Deny if row == "deny" else Stop), name

    def test_the_last_reply_is_still_carried_out(self) -> None:
        """A limit that is used up exactly stops the next request, not what the last one asked for."""
        spent = state(limits=Limits(steps=5, tokens=10), steps=5, tokens=10)

        assert isinstance(decide(spent, write("out/a")), Allow)

    def test_the_checkpoint_send_asks_for_every_effect(self) -> None:
        """Also where the destination is named; but what is denied stays denied."""
        asking = state(of=GOAL.model_copy(update={"ask": ("send",)}))

        assert decide(asking, send("anna@b.org")) == Ask("you wanted to be asked before anything is sent")
        assert isinstance(decide(asking, send("anna@b.org", plugin="fax")), Deny)
        assert isinstance(decide(asking, write("out/a")), Allow)

    def test_never_outranks_every_power(self) -> None:
        """A tool that the goal forbids isn't read either."""
        forbidding = GOAL.model_copy(update={"never": ("files_read", "python_run", "web_read")})
        for proposed in (read("in/a"), RUN, web("https://goal.org/start")):
            assert isinstance(decide(state(of=forbidding), proposed), Deny)


class TestDefaults:
    """A goal that says nothing."""

    def test_only_the_workspace_is_open(self) -> None:
        """Files in the workspace; no network, nothing runs, nothing is sent."""
        plain = state(of=goal())

        assert isinstance(decide(plain, read("a")), Allow)
        assert isinstance(decide(plain, write("a")), Allow)
        for proposed in (RUN, web("https://a.org/"), web(SEARCH + "duck"), send("anna@b.org")):
            assert isinstance(decide(plain, proposed), Deny)

    def test_no_roots_are_no_files(self) -> None:
        """An empty list gives nothing; what may be written may be read."""
        none = state(of=goal(read=(), write=()))
        assert isinstance(decide(none, read("a")), Deny)
        assert isinstance(decide(none, write("a")), Deny)
        assert isinstance(decide(state(of=goal(read=(), write=("a",))), read("a")), Allow)

    def test_a_tool_that_declares_nothing_asks_at_every_call(self) -> None:
        """It is external with an unknown destination, and needs its plugin under `send`."""

        @tool()
        async def odd(ctx: ToolContext, to: str) -> str:
            """Do something."""
            return ""

        args = {"to": "anna@b.org"}
        proposed = ProposedCall(
            "odd", "mail", odd.power_of(args), odd.effect_of(args), odd.destination_of(args)
        )
        assert decide(state(), proposed) == Ask("nobody can say whom this reaches")
        assert isinstance(decide(state(of=goal()), proposed), Deny)


@given(
    outside=st.booleans(),
    private=st.booleans(),
    url=st.sampled_from(
        ["https://a.org/", "https://x.wiki.org/new", "https://goal.org/start", "http://e.org", ""]
    ),
)
def test_reading_more_never_allows_more(outside: bool, private: bool, url: str) -> None:
    """The bits only ever take away: what is asked for or denied unread is not allowed after reading."""
    order = {Allow: 0, Ask: 1, Stop: 2, Deny: 3}
    for proposed in (web(url), send(url), web(SEARCH + url)):
        fresh, tainted = decide(state(), proposed), decide(state(outside, private), proposed)
        assert order[type(tainted)] >= order[type(fresh)]


# --- nobody there -------------------------------------------------------------------------------------------


@tool(effect="external", destination="to")
async def mail_send(ctx: ToolContext, to: str) -> str:
    """Send a mail."""
    return "sent"


async def carried(workspace: Path, absence: Absence, journal: MemoryJournal) -> Outcome:
    """A run that wants to mail somebody who isn't named, then finishes, with nobody there to answer."""
    wants = goal(
        "Mail it.",
        send={"mail": ()},
        if_nobody_answers=absence,
        plugins=(),
        plan=(SubTask(id="1", title="Mail it"),),
    )
    model = ScriptedModel(call("mail_send", to="eve@b.org"), call("finish", result="done"))
    parts = Parts(
        journal=journal,
        models=Models(model, model, model),
        plugins=[Plugin("mail", [mail_send])],
        memory=DictMemory(),
    )
    return await start(wants, workspace, parts=parts)


@pytest.mark.parametrize(
    ("absence", "ending"), [("park", "parked"), ("skip", "finished"), ("stop", "unproved")]
)
async def test_nobody_there(tmp_path: Path, absence: Absence, ending: str) -> None:
    """The run parks, goes on without the call, or ends; nothing is sent in any case."""
    journal = MemoryJournal()
    outcome = await carried(tmp_path, absence, journal)
    events = [entry.event for entry in journal.read(outcome.run)]

    assert outcome.ending == ending
    assert [e.question.why for e in events if isinstance(e, QuestionAsked)] == [
        "eve@b.org is not named in your goal"
    ]
    answers = [e for e in events if isinstance(e, QuestionAnswered)]
    assert [(a.by, a.verdict) for a in answers] == ([] if absence == "park" else [("nobody", "no")])
    assert "call_started" not in [e.kind for e in events]
