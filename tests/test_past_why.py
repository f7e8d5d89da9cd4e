"""`why`: the chain that led to a file, a call, a question, money, a destination."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loops import Stage, Together, finish, plan, write
from test_cli_journal import Capture, Desk
from test_past_undo import take_back
from worlds import World

from autoagent import Plugin, ToolContext, tool
from autoagent.console.reasons import reasons
from autoagent.errors import UsageError
from autoagent.events import (
    CallDecided,
    CallEnded,
    FolderChanged,
    LaneMerged,
    ModelReplied,
    QuestionAnswered,
    QuestionAsked,
    SubTaskEnded,
    SubTaskStarted,
)
from autoagent.past.ledger import Ledger
from autoagent.past.quoted import Quotation, quotations
from autoagent.past.step import Step
from autoagent.past.verbatim import SHORTEST, Written
from autoagent.past.why import why
from autoagent.testing.model import ScriptedModel, call
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, WorkingCopy, entry_in, load_tree, store_tree

PAGE = "Minutes of May.\npayments was OOMKilled at 09:14 on the second node, says the log.\nEnd."
GOAL = """
goal: Find out what failed, read https://a.org/log, and tell eve.
allow: {web: [a.org], send: {post: []}}
plugins: [files]
ask: [plan]
done_when: [{file: report.md}]
"""
WROTE = "# Report\n\npayments was OOMKilled at 09:14 on the second node, says the log.\n"


@pytest.fixture
async def told(tmp_path: Path) -> Stage:
    """A run that reads a page and a file, reports, and writes to eve, which was asked about."""
    world = World(seen={"https://a.org/log": PAGE})
    stage = Stage.at(tmp_path, {"notes.txt": "old notes\n", "kept.txt": "k"}, plugins=[world.plugin()])
    worker = {
        "look": [call("files_read", path="notes.txt"), finish("there were notes")],
        "tell": [
            call("page_read", url="https://a.org/log"),
            call("files_read", path="kept.txt"),
            write("report.md", WROTE),
            call("post_send", to="eve", text="It is done, see the report."),
            finish("told eve"),
        ],
    }
    await stage.start(GOAL, ScriptedModel(planner=[plan("look", tell="look")]))
    stage.approve()
    await stage.resume(ScriptedModel(worker=worker, by_number=True))
    stage.approve()
    await stage.resume(ScriptedModel(worker=worker, by_number=True))
    return stage


def explained(stage: Stage, what: str, every: bool = False) -> tuple[Step, ...]:
    ledger = Ledger(stage.run, stage.journal.read(stage.run))
    return why(ledger, what, stage.journal.objects, every)


def chain(step: Step) -> Iterator[Step]:
    """A step and all that led to it."""
    yield step
    for each in step.because:
        yield from chain(each)


def of(stage: Stage, what: str, kind: str) -> list[Step]:
    return [each for top in explained(stage, what) for each in chain(top) if each.kind == kind]


def seq(stage: Stage, kind: type, test: Callable[[object], bool] = lambda event: True) -> int:
    """The first entry of a kind that passes."""
    entries = stage.journal.read(stage.run)
    return next(x.seq for x in entries if isinstance(x.event, kind) and test(x.event))


# --- a path -------------------------------------------------------------------------------------------------


async def test_a_file_is_led_back_to_the_plan(told: Stage) -> None:
    """Change, call, decision, reply, sub-task, plan, the person's yes: each with its entry."""
    (top,) = explained(told, "report.md")

    assert (top.kind, top.text) == ("change", "report.md was made by files_write")
    assert top.entry == seq(told, CallEnded, lambda x: x.tree is not None)  # type: ignore[attr-defined]
    (made,) = [each for each in chain(top) if each.kind == "call"]
    assert made.text == "files_write report.md: write, done"
    (decision,) = [each for each in chain(top) if each.kind == "decision"]
    assert decision.text.startswith("allowed: ")
    (reply,) = [each for each in chain(top) if each.kind == "reply"]
    assert reply.entry == seq(told, ModelReplied, lambda x: "report.md" in str(x.reply.calls))  # type: ignore[attr-defined]
    (work,) = [each for each in chain(reply) if each.kind == "sub_task"]
    assert (work.text, work.entry) == (
        "sub-task tell: do tell",
        seq(told, SubTaskStarted, lambda x: x.lane == "tell"),
    )  # type: ignore[attr-defined]
    (origin,) = work.because
    assert origin.text == "plan v1 by the planner"
    assert [each.text for each in chain(origin) if each.kind == "answer"] == ["yes by you, by a command"]


async def test_what_it_had_read_before_is_named(told: Stage) -> None:
    """In that lane, last first, with labels; what another lane read is not its."""
    reads = of(told, "report.md", "read")

    assert [(each.text, each.labels) for each in reads] == [
        ("had read files_read kept.txt", ("outside",)),
        ("had read page_read https://a.org/log", ("outside",)),
    ]


async def test_what_stands_word_for_word_in_it_is_quoted(told: Stage) -> None:
    """With the text that it comes from, and that text's entry."""
    (run,) = of(told, "report.md", "verbatim")

    assert run.quote == "payments was OOMKilled at 09:14 on the second node, says the log."
    assert run.text == "stands word for word in page_read https://a.org/log"
    assert run.entry == seq(told, CallEnded, lambda x: PAGE in x.output)  # type: ignore[attr-defined]


@tool(effect="write")
async def logs_collect(ctx: ToolContext, code: str) -> str:
    """Do what a program does: put all lines of all logs into one file, reading them by itself."""
    assert ctx.staging is not None
    logs = [path for path in ctx.files.paths() if path.endswith(".log")]
    ctx.staging.write("all.txt", b"".join(ctx.files.read(path) for path in logs))
    return "done"


CODE = "for path in logs():\n    copy(path)\n"
COLLECTING = Plugin("collect", [logs_collect])
A_LINE = "02:14:07 ERROR payments OOMKilled"


async def collected(tmp_path: Path) -> Stage:
    """A run whose code wrote `all.txt` from the run's own `made.log` and from `old.log`, which was there."""
    stage = Stage.at(tmp_path, {"old.log": f"{A_LINE}\n", "blob.log.gz": "\0"}, plugins=[COLLECTING])
    goal = "goal: g\nplugins: [files]\ndone_when: [{file: all.txt}]\n"
    worker = [
        write("made.log", "11:02:44 ERROR search disk full\n"),
        call("logs_collect", code=CODE),
        finish(),
    ]
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=worker))
    return stage


async def test_what_code_read_by_itself_is_quoted_with_the_file_that_it_stands_in(tmp_path: Path) -> None:
    """And with the entry that made that file, though no call returned its text."""
    stage = await collected(tmp_path)

    made, old = sorted(of(stage, "all.txt", "verbatim"), key=lambda each: each.text)
    assert made.text == "stands word for word in made.log, written by files_write"
    assert made.entry == seq(stage, CallEnded, lambda x: x.tree is not None)  # type: ignore[attr-defined]
    assert made.quote == "11:02:44 ERROR search disk full"
    assert (old.text, old.quote) == ("stands word for word in old.log, as the run found it", A_LINE)
    assert old.entry == 1
    assert (old.labels, made.labels) == (("outside",), ())


async def test_the_call_itself_leads_to_the_same_files(tmp_path: Path) -> None:
    """Asked for by its id, or by its entry, code that opened files tells them too."""
    stage = await collected(tmp_path)
    (id,) = [x.call for x in stage.events(CallDecided) if x.tool == "logs_collect"]
    ended = seq(stage, CallEnded, lambda x: x.call == id)  # type: ignore[attr-defined]

    found = {each.text for each in of(stage, id, "verbatim")}

    assert "stands word for word in old.log, as the run found it" in found
    assert {each.text for each in of(stage, str(ended), "verbatim")} == found


def test_a_quotation_of_lines_is_of_whole_lines() -> None:
    """What the next line has in common is left out."""
    objects = MemoryObjects()
    copy = WorkingCopy(EMPTY, objects)
    copy.write("a.log", b"2026-11-20 02:14 one failed\n2026-11-20 09:41 two is well\n")
    tree = store_tree(copy.tree(), objects)
    text = "2026-11-20 02:14 one failed\n2026-11-20 11:02 three"

    found = quotations(text, tree, objects, but="", named_in="")

    assert found == [Quotation("a.log", "2026-11-20 02:14 one failed")]


def test_a_file_whose_bytes_were_removed_is_quoted_by_nobody() -> None:
    """And keeps nobody from the others."""
    objects = MemoryObjects()
    copy = WorkingCopy(EMPTY, objects)
    copy.write("a.log", b"the secret is swordfish 123\n")
    copy.write("b.log", b"the weather is fine today\n")
    tree = store_tree(copy.tree(), objects)
    objects.blank([copy.tree().entries["a.log"].sha256])
    text = "the secret is swordfish 123\nthe weather is fine today"

    found = quotations(text, tree, objects, but="", named_in="")

    assert found == [Quotation("b.log", "the weather is fine today")]


async def test_code_is_drawn_as_it_stands(tmp_path: Path) -> None:
    """Line by line, not as JSON spells it."""
    stage = await collected(tmp_path)

    drawn = [str(each) for each in reasons(explained(stage, "all.txt"))]

    assert "         code       │ for path in logs():" in drawn
    assert "                    │     copy(path)" in drawn


async def test_what_the_arguments_say_themselves_is_looked_for_in_no_file(told: Stage) -> None:
    """Only what was read can have led to it."""
    assert [each.text for each in of(told, "report.md", "verbatim")] == [
        "stands word for word in page_read https://a.org/log"
    ]


async def test_a_file_that_nobody_changed_was_there(told: Stage) -> None:
    """Since the run began."""
    (top,) = explained(told, "kept.txt")

    assert (top.kind, top.entry) == ("start", 1)


async def test_a_persons_edit_ends_the_chain_and_all_shows_the_rest(tmp_path: Path) -> None:
    """The last change is theirs; with `--all` each change, last first."""
    stage = Stage.at(tmp_path)
    worker = [write("a.txt", "one"), write("a.txt", "two"), call("files_list", path="."), finish()]

    def edit(entry: object) -> None:
        decided = entry.event  # type: ignore[attr-defined]
        if isinstance(decided, CallDecided) and decided.tool == "files_list":
            stage.write("a.txt", "mine")

    goal = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=worker), on_entry=edit)

    (last,) = explained(stage, "a.txt")
    assert (last.kind, last.entry) == ("person", seq(stage, FolderChanged))
    assert [each.text for each in explained(stage, "a.txt", every=True)] == [
        "a.txt was changed in the folder, by you",
        "a.txt was changed by files_write",
        "a.txt was made by files_write",
    ]


async def test_an_undo_leads_to_what_it_went_back_to(tmp_path: Path) -> None:
    """And to whatever had made that."""
    stage = Stage.at(tmp_path)
    worker = [write("a.txt", "one"), write("a.txt", "two"), finish()]
    goal = "goal: g\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
    await stage.start(goal, ScriptedModel(planner=[plan("a")], worker=worker))
    first = seq(stage, CallEnded, lambda x: x.tree is not None)  # type: ignore[attr-defined]

    await take_back(stage, to=first)

    (top,) = explained(stage, "a.txt")
    assert (top.kind, top.text) == ("undo", f"a.txt was changed: you took it back to entry {first}")
    (before,) = top.because
    assert (before.entry, before.text) == (first, "a.txt was made by files_write")


GOAL2 = "goal: g\nplugins: [files]\nparallel: 2\ndone_when: [{file: a.txt}]\n"


class Meeting(Together):
    """Lane b ends after lane a was merged, so that they conflict."""

    stage: Stage

    async def before(self, request: object) -> None:
        if (request.lane, request.number) == ("b", 2):  # type: ignore[attr-defined]
            await self.stage.until(lambda stage: stage.events(LaneMerged))


async def test_a_merged_file_is_led_into_its_lane(tmp_path: Path) -> None:
    """The merge brought it into main; the call stands in the lane, also of what was kept beside."""
    stage = Stage.at(tmp_path)
    worker = {
        "a": [write("a.txt", "from a"), finish()],
        "b": [write("a.txt", "from b"), finish(), write("b.txt", "more"), finish()],
    }
    model = Meeting(planner=[plan("a", "b")], worker=worker)
    model.stage = stage
    await stage.start(GOAL2, model)

    (top,) = explained(stage, "a.txt")
    assert (top.kind, top.text) == ("merge", "a.txt was made: lane a came into main")
    assert [each.text for each in chain(top)][1:3] == [
        "a.txt was made by files_write",
        "files_write a.txt: write, done",
    ]
    (beside,) = explained(stage, "a.txt.b")
    texts = [each.text for each in chain(beside)]
    assert texts[:4] == [
        "a.txt.b was made: lane b came into main",
        "a.txt.b was made: lane b's version of a.txt, kept beside main's",
        "a.txt was made by files_write",
        "files_write a.txt: write, done",
    ]


# --- calls, questions, entries, money, destinations ---------------------------------------------------------


async def test_a_destination_leads_to_the_yes(told: Stage) -> None:
    """What was sent to whom, why it was asked, who allowed it."""
    (top,) = explained(told, "eve")

    assert (top.kind, top.text) == ("call", "post_send eve: external, done")
    assert top.args == {"to": "eve", "text": "It is done, see the report."}
    (decision,) = [each for each in top.because if each.kind == "decision"]
    assert decision.text.startswith("asked about: ")
    assert [each.kind for each in chain(decision)] == ["decision", "question", "answer"]
    assert of(told, "eve", "answer")[0].entry == seq(
        told,
        QuestionAnswered,
        lambda x: x.question != told.events(QuestionAnswered)[0].question,  # type: ignore[attr-defined]
    )


async def test_an_address_leads_to_the_call_that_fetched_it(told: Stage) -> None:
    """As it stands in the goal."""
    assert explained(told, "https://a.org/log")[0].text == "page_read https://a.org/log: read, done"


async def test_a_call_and_its_entries_have_one_chain(told: Stage) -> None:
    """By id, and by the number of any of its entries."""
    ended = told.events(CallEnded)[2]
    (by_id,) = explained(told, ended.call)
    numbers = [x.seq for x in told.journal.read(told.run) if getattr(x.event, "call", "") == ended.call]

    assert len(numbers) == 3
    assert all(explained(told, str(number)) == (by_id,) for number in numbers)


async def test_a_question_leads_to_its_call(told: Stage) -> None:
    """Also one about the plan, which has none."""
    about_plan, about_call = (x.question for x in told.events(QuestionAsked))

    assert [each.kind for each in chain(explained(told, about_plan.id)[0])] == ["question", "answer"]
    assert of(told, about_call.id, "call")[0].text == "post_send eve: external, done"


async def test_every_entry_says_something(told: Stage) -> None:
    """None is unknown, each stands at its own place or leads to it."""
    for entry in told.journal.read(told.run):
        (top,) = explained(told, str(entry.seq))

        assert top.text
        assert [*reasons([top])]
    ended = seq(told, SubTaskEnded, lambda x: x.sub_task == "tell")  # type: ignore[attr-defined]
    assert of(told, str(ended), "call")[0].text == "finish: read, done"


async def test_money_is_summed_by_sub_task(told: Stage) -> None:
    """All charges, each sub-task's and role's, and the dearest requests."""
    (top,) = explained(told, "usd")

    replies = told.events(ModelReplied)
    assert top.text.endswith(f"{sum(x.tokens for x in replies)} tokens, {len(replies)} times")
    names = [each.text.split(": $")[0] for each in top.because]
    assert {*names} == {"sub-task tell: do tell", "sub-task look: do look", "planner"}
    assert all(len(each.because) <= 5 for each in top.because)


@pytest.mark.parametrize(
    ("what", "hint"),
    [("reprot.md", "report.md"), ("evee", "eve"), ("docs/notes.txt", "notes.txt"), ("999", "entries 1 to")],
)
async def test_what_is_unknown_lists_what_comes_near(told: Stage, what: str, hint: str) -> None:
    """A typing error is the usual reason."""
    with pytest.raises(UsageError, match=hint):
        explained(told, what)


def test_the_command_draws_it_or_gives_a_record(tmp_path: Path, capsys: Capture) -> None:
    """A line a step with its entry, what led to it indented; the record has the same steps."""
    desk = Desk(tmp_path, capsys)
    goal = "goal: Tidy up.\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
    run = desk.start(goal, write("a.txt", "x\x1b[31m"), finish()).run

    lines = desk("why", run, "a.txt").splitlines()
    (step,) = desk.json("why", run, "a.txt")["steps"]

    number = f"{step['entry']:>5}  "
    assert lines[0].startswith(f"{number}a.txt was made by files_write  20")
    assert lines[1] == f"{number}  files_write a.txt: write, done"
    assert [*step] == ["kind", "entry", "at", "text", "quote", "args", "labels", "because"]
    assert "\x1b" not in "".join(lines)


def test_the_command_says_that_there_were_earlier_times(tmp_path: Path, capsys: Capture) -> None:
    """And how to see them; with `--all` nothing is left out."""
    desk = Desk(tmp_path, capsys)
    goal = "goal: Tidy up.\nplugins: [files]\ndone_when: [{file: a.txt}]\n"
    run = desk.start(goal, write("a.txt", "x"), write("a.txt", "y"), finish()).run

    assert desk("why", run, "a.txt").splitlines()[-1] == "1 earlier time: --all shows each"
    assert "earlier" not in desk("why", run, "a.txt", "--all")
    assert desk.json("why", run, "a.txt")["earlier"] == 1


# --- word for word ------------------------------------------------------------------------------------------


@given(st.text("AB \n", max_size=60), st.permutations("efghijklmnopqrstuvwxyz"), st.text("CD ", max_size=60))
def test_a_long_common_run_is_found_wherever_it_stands(before: str, letters: list[str], after: str) -> None:
    """In both texts, at any place."""
    run = "".join(letters)
    found = Written(f"{after}{run}{before}").runs_in(f"{before}{run}{after}")

    assert any(run in each for each in found)


@given(st.text("ab1 ", max_size=200), st.text("ab1 ", max_size=200))
def test_every_run_stands_in_both(written: str, source: str) -> None:
    """None is made up, none is short."""
    for run in Written(written).runs_in(source):
        assert run in written
        assert run in source
        assert len(run) >= SHORTEST


def test_the_work_is_bounded() -> None:
    """Texts that repeat themselves for ever are no trap."""
    assert len(Written("ab" * 100_000).runs_in("ab" * 400_000)) == 1


async def test_one_path_of_a_tree_is_read_alone(told: Stage) -> None:
    """As the whole tree has it; a folder by its manifest."""
    objects = told.journal.objects
    tree = load_tree(told.state.main, objects)

    assert all(entry_in(tree.id, path, objects) == entry for path, entry in tree.entries.items())
    assert entry_in(tree.id, "report.md/x", objects) is None
    assert entry_in(tree.id, "none", objects) is None
