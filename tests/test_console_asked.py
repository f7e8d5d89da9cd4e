"""What a question asks about, in full: each kind over a record; and two versions side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from loops import Stage, finish, plan, write
from states import AT, folded
from worlds import World

from autoagent.console.arguments import as_json
from autoagent.console.asked import Page, in_full
from autoagent.console.beside import differing
from autoagent.console.enclosed import enclosed
from autoagent.console.line import columns_of
from autoagent.console.question import whole
from autoagent.door.tools import Plugin, ToolContext, WorkspacePath, tool
from autoagent.events import QuestionAsked, QuestionVoided
from autoagent.questions import Question, Subject
from autoagent.state.values import replace
from autoagent.testing.model import ScriptedModel, call

POST = "goal: Tell bob\nallow: {send: {post: []}}\nplugins: [files, post]\ndone_when: [{file: a.txt}]\n"


def asked(stage: Stage) -> list[str]:
    return [str(x) for x in whole(stage.question(), stage.state, stage.journal.objects)]


async def test_what_was_read_is_named_with_its_step(tmp_path: Path) -> None:
    """And the sub-task that asks with its title, and what is left of the limits."""
    stage = Stage.at(tmp_path, plugins=[World().plugin()])
    stage.write("notes.txt", "from somebody")
    worker = [call("files_read", path="notes.txt"), call("post_send", to="bob", text="hi")]

    await stage.start(POST, ScriptedModel(planner=[plan("tell")], worker=worker))

    shown = asked(stage)
    assert shown[:5] == [
        "SEND · post_send · 5 B · it can't be undone",
        "TO     bob",
        "ASKED  because bob is not named in your goal",
        "       this run has read OUTSIDE text (step 1, notes.txt)",
        "FOR    sub-task tell do tell · step 2",
    ]
    assert shown[-1].endswith("left $3.00, 98 steps, 60 min")


async def test_a_named_receiver_is_said_to_be_named(tmp_path: Path) -> None:
    """Where the goal asks about every sending."""
    stage = Stage.at(tmp_path, plugins=[World().plugin()])
    goal = POST.replace("post: []", "post: [bob]") + "ask: [send]\n"

    await stage.start(
        goal, ScriptedModel(planner=[plan("tell")], worker=[call("post_send", to="bob", text="hi")])
    )

    assert asked(stage)[1] == "TO     bob  named in your goal"
    changed = replace(stage.state, changed={"post_send": "it says otherwise"})
    assert [str(x) for x in whole(stage.question(), changed)][1] == "TO     bob"  # nobody has looked whether


async def test_no_receiver_says_of_itself_that_it_is_named(tmp_path: Path) -> None:
    """What stands behind a space is part of it; several receivers are told apart as ever."""
    shown = []
    for to in ("eve@a.org  named in your goal", "eve@a.org, ben@a.org"):
        (folder := tmp_path / to[-3:]).mkdir()
        stage = Stage.at(folder, plugins=[World().plugin()])
        sends = call("post_send", to=to, text="hi")
        await stage.start(POST, ScriptedModel(planner=[plan("tell")], worker=[sends]))
        shown.append("all of this line is whom it reaches" in "".join(asked(stage)))

    assert shown == [True, False]


async def test_what_was_spent_stands_before_more_is(tmp_path: Path) -> None:
    """Against the limits, with what is done and what each answer brings about."""
    stage = Stage.at(tmp_path)
    goal = "goal: g\ndone_when: [{file: a.txt}]\nplugins: [files]\nask: [every:1]\n"

    await stage.start(goal, ScriptedModel(planner=[plan("1", "2")], worker=[write("b.txt", "x")]))

    shown = asked(stage)
    assert "steps  1 of 100" in shown
    assert "plan   0 of 2 sub-tasks done" in shown
    assert "no         the run ends here; what it has made stays" in shown


async def test_a_criterion_is_judged_over_what_has_changed(tmp_path: Path) -> None:
    """The words to judge, and the paths that differ from the start."""
    stage = Stage.at(tmp_path)
    goal = "goal: g\ndone_when: [{human: It reads well.}]\nplugins: [files]\n"

    await stage.start(
        goal, ScriptedModel(planner=[plan("1")], worker=[write("report.md", "words"), finish()])
    )

    shown = asked(stage)
    assert shown[2:6] == [
        "│ It reads well.",
        "yes        it counts as proved, on your word",
        "no         it counts as refuted, and the agent is told why",
        "added  report.md",
    ]


async def test_an_end_is_asked_about_with_its_proof(tmp_path: Path) -> None:
    """Each criterion with its evidence, and what was changed."""
    stage = Stage.at(tmp_path)
    goal = "goal: g\ndone_when: [{file: a.txt}]\nplugins: [files]\nask: [finish]\n"

    await stage.start(goal, ScriptedModel(planner=[plan("1")], worker=[write("a.txt", "x"), finish()]))

    shown = asked(stage)
    assert shown[2].startswith("✓ proved  a.txt exists")
    assert shown[3] == "yes        the run ends, with this proof"
    assert "added  a.txt" in shown
    assert shown[5].startswith("cost   $0.00 of $3.00 · 2 steps · ")
    assert shown[6] == "sent   nothing"


def noting() -> Plugin:
    """A tool that fetches into a file: it asks for an address that the goal doesn't name."""

    @tool(effect="write", destination="url")
    async def note_take(ctx: ToolContext, path: WorkspacePath, content: str, url: str) -> str:
        """Take a note."""
        return "taken"

    return Plugin("note", [note_take])


async def test_a_write_that_asks_shows_what_it_would_change(tmp_path: Path) -> None:
    """The lines that differ from the file as it is, in place of the new text; all that differ."""
    stage = Stage.at(tmp_path, plugins=[noting()])
    stage.write("a.md", "one\ntwo\nthree\n")
    goal = "goal: g\ndone_when: [{file: b.txt}]\nallow: {web: ['*.example.org']}\nplugins: [files, note]\n"
    taken = call("note_take", path="a.md", content="one\n2\nthree\n", url="http://a.example.org/x")

    await stage.start(goal, ScriptedModel(planner=[plan("1")], worker=[taken]))

    shown = asked(stage)
    assert shown[0].startswith("CHANGE FILES · note_take · ")
    assert shown[1] == "TO     http://a.example.org/x"
    assert shown[-9:-1] == [
        "path       │ a.md",
        "url        │ http://a.example.org/x",
        "a.md  +1 −1, against the file as it is",
        "│ @@ -1,3 +1,3 @@",
        "│  one",
        "│ -two",
        "│ +2",
        "│  three",
    ]


async def test_a_write_shows_all_arguments_that_could_be_the_new_text(tmp_path: Path) -> None:
    """Beside a whole new text none is left out that would replace a part."""

    @tool(effect="write", destination="url")
    async def note_take(
        ctx: ToolContext, path: WorkspacePath, content: str, old: str, new: str, url: str
    ) -> str:
        """Take a note."""
        return "taken"

    stage = Stage.at(tmp_path, plugins=[Plugin("note", [note_take])])
    stage.write("a.md", "one\n")
    goal = "goal: g\ndone_when: [{file: b.txt}]\nallow: {web: ['*.example.org']}\nplugins: [files, note]\n"
    url = "http://a.example.org/x"
    taken = call("note_take", path="a.md", url=url, content="two\n", old="one", new="three")

    await stage.start(goal, ScriptedModel(planner=[plan("1")], worker=[taken]))

    assert {"content    │ two", "old        │ one", "new        │ three"} <= {*asked(stage)}


def anew(old: Subject, new: Subject, why: str) -> list[str]:
    """The second of two questions, which was put in the place of the first."""
    first, second = (Question(id=id, subject=of, why="w") for id, of in (("q1", old), ("q2", new)))
    events = [
        QuestionAsked(question=first, asked_at=AT),
        QuestionVoided(question="q1", why=why),
        QuestionAsked(question=second, asked_at=AT),
    ]
    return [str(x) for x in in_full(second, folded(*events), Page())]


def test_what_was_asked_anew_shows_what_changed() -> None:
    """Arguments in both versions, hashes in words; then what is asked now."""
    old = Subject(run="r", kind="call", call="c", tool="x", args={"to": "bob", "text": "hi"}, tree="t1")
    new = old.model_copy(update={"args": {"to": "bob", "text": "ho\nho"}, "tree": "t2"})

    assert anew(old, new, "other") == [
        "Asked anew: q1 stands no longer, no answer to it counts.",
        "changed: text",
        "│ @@ -1 +1,2 @@",
        "│ -hi",
        "│ +ho",
        "│ +ho",
        "changed: the workspace's files",
        "to         │ bob",
        "text       │ ho",
        "           │ ho",
    ]


def test_what_expired_is_asked_anew_as_it_was() -> None:
    """It says that nothing in it is other."""
    of = Subject(run="r", kind="call", call="c", tool="x", args={"to": "bob", "headers": {}, "text": ""})

    assert anew(of, of, "question q1 expired")[1:] == [
        "question q1 expired; nothing in it has changed",
        "to         │ bob",
        "text       │ (empty)",
    ]


def test_json_to_be_edited_holds_nothing_that_a_terminal_obeys() -> None:
    """It reads back as it was; letters of people's languages stay where nothing else is there."""
    value = {"to": "Zoë", "text": "a\x1b[31m\u202e\x9b\x7f\nb"}

    assert all(char.isprintable() or char == "\n" for char in as_json(value))
    assert json.loads(as_json(value)) == value
    assert "Zoë" in as_json({"to": "Zoë"})


DIFF = ["@@ -1,3 +1,3 @@", " same", "-old", "-gone", "+new", "\\ No newline at end of file"]


def test_lines_that_differ_stand_beneath_each_other_on_a_narrow_screen() -> None:
    """As a unified diff, framed."""
    assert [str(x) for x in differing(DIFF, 80)] == [f"│ {text}" for text in DIFF]


def test_lines_that_differ_stand_side_by_side_on_a_wide_one() -> None:
    """What went beside what came in its place, signs kept: colour carries no meaning alone."""
    shown = [" ".join(str(x).split()) for x in differing(DIFF, 120)]

    assert shown == [
        "│ @@ -1,3 +1,3 @@",
        "│ same │ same",
        "│ -old │ +new",
        "│ -gone │",
        "│ \\ No newline at end of file",
    ]


@pytest.mark.parametrize("columns", [110, 200])
def test_no_character_is_lost_side_by_side(columns: int) -> None:
    """Long lines go on beneath, wide letters have their room, no line is wider than the screen."""
    old, new = "-" + "漢字 " * 60, "+" + "x" * 500

    rows = [*differing([old, new], columns)]

    sides = [str(x).removeprefix("│ ").split(" │ ") for x in rows]
    assert "".join(left.strip() for left, _ in sides).replace(" ", "") == old.replace(" ", "")
    assert "".join(right.strip() for _, right in sides) == new
    assert all(columns_of(x) <= columns for x in rows)


async def test_a_sub_task_that_is_stuck_says_what_it_tried(tmp_path: Path) -> None:
    """We ask, not the agent; the last replies with what came of them, framed, and what an answer does."""
    stage = Stage.at(tmp_path, {"seen.txt": "here\x1b[31m"})
    goal = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\nplan: [{id: a, title: t}]\n"

    await stage.start(goal, ScriptedModel(worker=[call("files_read", path="seen.txt")] * 9))

    shown = asked(stage)
    assert shown[0] == "A SUB-TASK IS STUCK and asks for your help"
    assert "What was done about it: it was told that it makes no progress, then it began anew." in shown
    at = shown.index("its last 3 replies")
    assert shown[at + 1 : at + 4] == [
        'calls files_read {"path": "seen.txt"}',
        "it came to",
        "│ here\\x1b[31m",
    ]
    assert shown[-3].startswith("What you write goes to the agent as it is.")


async def sending(tmp_path: Path, content: bytes) -> Stage:
    """A run that waits for a yes to a file's leaving."""
    stage = Stage.at(tmp_path, plugins=[World().plugin()])
    (stage.folder / "a.bin").write_bytes(content)
    await stage.start(
        POST, ScriptedModel(planner=[plan("1")], worker=[call("post_file", to="bob", file="a.bin")])
    )
    return stage


async def test_a_file_that_would_leave_is_shown_by_its_first_lines(tmp_path: Path) -> None:
    """As it was asked about, framed; with the count of what is left, and the command that shows all."""
    stage = await sending(tmp_path, b"".join(b"line %d\x1b[2J\n" % n for n in range(20)))
    (stage.folder / "a.bin").write_bytes(b"changed")
    question = stage.question()

    shown = asked(stage)
    at = next(n for n, each in enumerate(shown) if each.startswith("file   a.bin"))
    assert shown[at + 1] == "│ line 0\\x1b[2J"
    assert shown[at + 9] == f"│ … 12 more lines; autoagent approvals {question.id} shows all"
    alone = [str(x) for x in whole(question, stage.state, stage.journal.objects, is_alone=True)]
    assert "│ line 19\\x1b[2J" in alone


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "│ a PNG image: no text"),
        (b"\xff\0", "│ binary data: no"),
        (b"", "│ (empty)"),
    ],
)
async def test_a_file_that_is_no_text_is_told_by_its_kind(tmp_path: Path, content: bytes, said: str) -> None:
    """Beneath its size and hash."""
    assert any(each.startswith(said) for each in asked(await sending(tmp_path, content)))


def test_a_file_that_is_gone_from_the_record_is_said_to_be(tmp_path: Path) -> None:
    """The question stands there all the same."""
    (said,) = enclosed("0" * 64, Stage.at(tmp_path).journal.objects, 8, "")

    assert str(said).startswith("│ what is in it can't be shown: ")
