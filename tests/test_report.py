"""The report: what it says, that it asks for nothing, and that foreign text is only text."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from goldens import entries_of
from loops import Stage, finish, no, plan, write, yes
from stories import MAIL, UNPROVED
from test_past_undo import take_back
from worlds import World

from autoagent.commands import RaiseLimits
from autoagent.journal.sqlite import SqliteJournal
from autoagent.outcome import outcome
from autoagent.past.ledger import Ledger
from autoagent.ports import Verification
from autoagent.report import Report, gathered, page
from autoagent.report.charts import strip
from autoagent.state import fold
from autoagent.testing.model import ScriptedModel, call
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, load_tree
from autoagent.wiring import Choices

GOAL = "goal: g <b>bold</b>\nplugins: [files]\ndone_when: [{file: a.txt, contains: [x]}, {file: never.txt}]\n"
HOSTILE = "</pre><script>alert(1)</script>\x1b[31m\u202egnp.exe\x00&amp;<img src=http://evil.example/x>"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def made(stage: Stage) -> Report:
    """The report of the stage's last run."""
    state, objects = stage.state, stage.journal.objects
    trees = load_tree(state.start_tree, objects), load_tree(state.main, objects)
    record = outcome(state, *trees, journal_head=stage.journal.link(stage.run), is_carried=False)
    entries, chain = stage.journal.read(stage.run), stage.journal.verify(stage.run)
    return gathered(entries, state, record, chain, objects, holder=None, now=NOW)


class Page(HTMLParser):
    """A page's tags, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


async def unproved(tmp_path: Path) -> Stage:
    """A run that wrote one of two files, with a hostile name, text and result."""
    stage = Stage.at(tmp_path, {"old.txt": "was\n"})
    worker = [write("a.txt", f"x {HOSTILE}\n"), write("b<i>.txt", "y"), *[finish(HOSTILE)] * 9]
    proposed = call("propose_plan", sub_tasks=[{"id": "a", "title": f"do {HOSTILE}"}])
    await stage.start(GOAL, ScriptedModel(planner=[proposed] * 4, worker=worker))
    return stage


async def test_refuted_stands_first_and_the_verdict_is_a_sentence(tmp_path: Path) -> None:
    """Not proved: 1 of 2 proved, 1 refuted; each row with its evidence and a command that checks it again."""
    stage = await unproved(tmp_path)

    found = made(stage)
    text = Page(page(found)).text

    assert "Not proved: 1 of 2 proved, 1 refuted." in text
    assert [each.result.verdict for each in found.checks] == ["refuted", "proved"]
    assert [each.again for each in found.checks] == ["ls -l never.txt", "grep -nF -- x a.txt"]
    assert "Nothing left." in text


def told(home: Path, run: str) -> Report:
    """The report of a run of `stories`."""
    journal = SqliteJournal(home)
    try:
        entries, objects = journal.read(run), journal.objects
        state = fold(run, entries)
        trees = load_tree(state.start_tree, objects), load_tree(state.main, objects)
        record = outcome(state, *trees, journal_head=journal.link(run), is_carried=False)
        return gathered(entries, state, record, journal.verify(run), objects, holder=None, now=NOW)
    finally:
        journal.close()


def test_the_first_screen_tells_what_one_comes_for(told_home: Path) -> None:
    """In this order: the goal, the verdict, proof, what left the house, files, cost, the strip."""
    text = Page(page(told(told_home, UNPROVED))).text

    wanted = ["Find which services", "Not proved", "Done when", "What left the house", "Files changed"]
    places = [text.index(each) for each in (*wanted, "Cost", "The run over time", "The plan, version")]
    assert places == sorted(places)


def test_a_mark_of_the_strip_leads_to_its_step(told_home: Path) -> None:
    """A denial, a snapshot and a question are links, whatever sign they have."""
    html = page(told(told_home, UNPROVED))

    leads = dict(re.findall(r'<a href="#(e\d+)"><text [^>]*><title>[^<]*</title>(.)</text></a>', html))
    assert sorted(leads.values()) == sorted("s⊘s!")
    assert set(leads) <= {*Page(html).ids}


def test_what_nobody_has_checked_yet_can_be_checked(told_home: Path) -> None:
    """A run that waits has no verdicts, but commands that give them."""
    found = told(told_home, MAIL)

    assert [each.result.verdict for each in found.checks] == ["unchecked"] * 3
    assert [bool(each.again) for each in found.checks] == [True, False, True]


async def test_a_proof_that_was_taken_back_is_a_thing_of_the_past(tmp_path: Path) -> None:
    """The first sentence says so, and there is no command that could only fail."""
    stage = Stage.at(tmp_path, {"a.txt": "x"})
    goal = "goal: g\nplugins: [files]\nallow: {write: [.]}\ndone_when: [{file: b.txt, contains: [two]}]\n"
    worker = [write("b.txt", "two"), finish()]
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=worker))

    assert "grep -nF" in page(made(stage))
    await take_back(stage)

    found = Page(page(made(stage))).text
    assert (
        "It was proved, then files were taken back: 0 of 1 proved, 1 unchecked of what is there now." in found
    )
    assert "grep -nF" not in found


async def test_foreign_text_is_only_text(tmp_path: Path) -> None:
    """No tag, no escape sequence, no turned-round text comes from goal, plan, path, file or result."""
    html = page(made(await unproved(tmp_path)))

    found = Page(html)
    assert not {"script", "img", "b", "i", "iframe", "link", "object"} & {*found.tags}
    assert not re.search("[\x00\x1b\u202e]", html)
    assert "g <b>bold</b>" in found.text
    assert "alert(1)" in found.text


async def test_the_page_asks_for_nothing(tmp_path: Path) -> None:
    """Links lead within the page, the policy forbids all but the one style sheet, whose hash is right."""
    html = page(made(await unproved(tmp_path)))

    found = Page(html)
    leading = [value for name, value in found.attributes if name in ("href", "src", "action", "xlink:href")]
    assert leading
    assert all(value.startswith("#") for value in leading)
    assert {value[1:] for value in leading} <= {*found.ids}
    (policy,) = [value for _, value in found.attributes if value.startswith("default-src")]
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "url(" not in style[1]
    assert not any(name.startswith("on") or name == "style" for name, _ in found.attributes)


async def test_changed_files_are_shown_line_by_line(tmp_path: Path) -> None:
    """With the command that tells where they come from."""
    stage = await unproved(tmp_path)

    found = Page(page(made(stage)))

    assert "+ a.txt" in found.text
    assert f"autoagent why {stage.run} a.txt" in found.text
    assert f"autoagent why {stage.run} 'b<i>.txt'" in found.text  # as a shell takes it for one path


async def test_what_was_sent_says_who_allowed_it(tmp_path: Path) -> None:
    """Destination, bytes, and the answer that let it out; a denied one left nothing."""
    world = World()
    stage = Stage.at(tmp_path, {"a.txt": "x"}, plugins=[world.plugin()])
    goal = "goal: g\nplugins: [files, post]\nallow: {send: {post: []}}\ndone_when: [{file: a.txt}]\n"
    send = call("post_send", to="anna@example.org", text="hello")
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=[send, finish()]), approver=yes())

    (sent,) = made(stage).sent

    assert (sent.call, sent.destination, sent.became) == ("post_send", "anna@example.org", "sent")
    assert sent.allowed.by == "you"
    assert sent.allowed.question in stage.state.questions
    assert "you, " in Page(page(made(stage))).text
    assert sent.text_bytes == len('{"to": "anna@example.org", "text": "hello"}')


async def test_a_plan_s_titles_have_the_room_that_the_page_has(tmp_path: Path) -> None:
    """A box is as wide as its title; a raised limit is told with what it was."""
    title = "Send the letters to the three of them"
    stage = Stage.at(tmp_path, {"a.txt": "x"})
    proposed = call("propose_plan", sub_tasks=[{"id": "a", "title": title}])
    goal = "goal: g\nplugins: [files]\nallow: {write: [.]}\ndone_when: [{file: b.txt}]\nlimits: {steps: 1}\n"
    model = ScriptedModel(planner=[proposed], worker=[write("c.txt", ""), write("b.txt", "x"), finish()])
    await stage.start(goal, model)
    await stage.resume(model, choices=Choices(raised=RaiseLimits(steps=9)))

    found = Page(page(made(stage)))

    assert re.search(f"[✓▸-] a {title}", found.text)
    assert "9 steps (was 1 step)" in found.text


async def test_a_denied_call_left_nothing(tmp_path: Path) -> None:
    """It is a step, a question and its answer."""
    world = World()
    stage = Stage.at(tmp_path, {"a.txt": "x"}, plugins=[world.plugin()])
    goal = "goal: g\nplugins: [files, post]\nallow: {send: {post: []}}\ndone_when: [{file: a.txt}]\n"
    send = call("post_send", to="anna@example.org", text="hello")
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=[send, finish()]), approver=no("no!"))

    found = made(stage)

    assert found.sent == ()
    assert [step.mark for step in found.steps if step.what.startswith("post_send")] == ["denied"]
    (asked,) = found.questions
    assert asked.answer == "no: no!"
    assert asked.lines[0].startswith("SEND · post_send · 21 B · it can't be undone")


async def test_a_parked_run_opens_with_its_question(tmp_path: Path) -> None:
    """Before the criteria, with the command that answers it."""
    stage = Stage.at(tmp_path)
    model = ScriptedModel(planner=[plan("a")], worker=[write("a.txt", "x"), finish()])
    await stage.start("goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\nask: [finish]\n", model)

    text = Page(page(made(stage))).text

    (asked,) = stage.state.waiting
    assert "It waits for you: 1 question. 1 of 1 criterion proved so far." in text
    assert text.index(f"autoagent approve {asked.question.id}") < text.index("Done when")


async def test_what_was_read_is_listed_by_source(tmp_path: Path) -> None:
    """A file that isn't marked as yours, once, with how often."""
    stage = Stage.at(tmp_path, {"log.txt": "outside"})
    reads = [call("files_read", path="log.txt"), call("files_read", path="log.txt", limit=1)]
    model = ScriptedModel(planner=[plan("a")], worker=[*reads, write("a.txt", "x"), finish()])
    await stage.start("goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n", model)

    (read,) = made(stage).reads

    assert (read.what, read.times) == ("files_read log.txt", 2)


@pytest.mark.parametrize("name", ["run-v1", "run-v2", "kinds-v1", "kinds-v2", "undone-v1"])
def test_an_entry_of_every_kind_can_be_reported(name: str) -> None:
    """Journals of every version, even where the stored files are gone."""
    entries = entries_of(name)
    state = fold("r", entries)
    record = outcome(state, EMPTY, EMPTY, journal_head="", is_carried=False)
    chain = Verification(run="r", entries=len(entries), head="")

    html = page(gathered(entries, state, record, chain, MemoryObjects(), holder=None, now=NOW))

    assert record.run in Page(html).text


async def test_a_long_pause_takes_little_room(tmp_path: Path) -> None:
    """A night of waiting is marked and hides nothing: the work beside it keeps its width."""
    stage = await unproved(tmp_path)
    entries = stage.journal.read(stage.run)
    asleep = len(entries) // 2
    timed = [
        each.model_copy(update={"at": NOW + timedelta(seconds=n, hours=10 if n > asleep else 0)})
        for n, each in enumerate(entries)
    ]

    drawn = strip(Ledger(stage.run, timed))

    (pause,) = drawn.breaks
    assert drawn.width * 0.4 < pause < drawn.width * 0.6
    assert max(bar.x + bar.width for bar in drawn.bars) > drawn.width * 0.8
