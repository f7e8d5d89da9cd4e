"""`diff`: what changed between two entries, as the journal has it."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loops import Stage, Together, finish, plan, write
from test_cli_journal import Capture, Desk
from test_console_screen import Tty

from autoagent.console.changes import Caps, differences, stat, summed
from autoagent.console.screen import Screen
from autoagent.events import CallDecided, CallEnded, Entry
from autoagent.past.changes import PathChange, changes
from autoagent.past.heads import heads
from autoagent.past.patch import Patch, patch
from autoagent.past.span import span_of
from autoagent.paths import from_raw
from autoagent.testing.model import call, calls
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, Tree, TreeEntry, WorkingCopy
from autoagent.wiring import Hooks

OBJECTS = MemoryObjects()
GOAL = "goal: Tidy up.\nplugins: [files]\ndone_when: [{file: c.txt}]\n"


def tree(files: dict[str, bytes | str]) -> Tree:
    copy = WorkingCopy(EMPTY, OBJECTS)
    for path, data in files.items():
        copy.write(path, data.encode() if isinstance(data, str) else data)
    return copy.tree()


def between(old: dict[str, bytes | str], new: dict[str, bytes | str]) -> dict[str, tuple[PathChange, Patch]]:
    return {each.path: (each, patch(each, OBJECTS)) for each in changes(tree(old), tree(new))}


class TestChanges:
    """Trees, path by path."""

    def test_each_path_says_how_it_changed(self) -> None:
        """Added, changed, removed; the same content at another path is a move."""
        found = between({"a": "1", "b": "2", "c": "33"}, {"a": "1!", "d": "4", "e": "33"})

        assert {path: change.change for path, (change, _) in found.items()} == {
            "a": "changed",
            "b": "removed",
            "d": "added",
            "e": "moved",
        }
        assert found["e"][0].moved_from == "c"

    def test_two_copies_of_one_file_are_one_move_and_one_file(self) -> None:
        """A content that left once arrives once."""
        found = between({"a": "same"}, {"b": "same", "c": "same"})

        assert {path: change.change for path, (change, _) in found.items()} == {"b": "moved", "c": "added"}

    def test_a_folder_is_named_where_nothing_in_it_is(self) -> None:
        """Empty ones, and those whose mode changed; not one that came with its files."""
        copy = WorkingCopy(tree({"x/a": "1"}), OBJECTS)
        copy.make_folder("empty")
        copy.write("full/b", b"2")
        copy.set_mode("x", 0o700)

        found = {each.path: each.change for each in changes(tree({"x/a": "1"}), copy.tree())}

        assert found == {"empty": "added", "full/b": "added", "x": "changed"}

    def test_roots_restrict(self) -> None:
        """Only what is meant by a root."""
        found = changes(EMPTY, tree({"a/x": "1", "b/x": "1", "c": "1"}), ["a", "c"])

        assert [each.path for each in found] == ["a/x", "c"]


class TestPatches:
    """Lines, or size and hash."""

    @given(st.lists(st.sampled_from("ab\n"), max_size=40), st.lists(st.sampled_from("ab\n"), max_size=40))
    def test_patches_are_what_patch_takes(self, old: list[str], new: list[str]) -> None:
        """Applied to the old lines, the hunks give the new ones."""
        was, now = "".join(old), "".join(new)
        found = between({"f": was}, {"f": now})

        assert _applied(was, found["f"][1].lines if found else ()) == now

    def test_line_numbers_count_from_the_beginning(self) -> None:
        """Also far from it, where nothing differs before."""
        was = "".join(f"{n}\n" for n in range(500))
        now = was.replace("250\n", "two\nfifty\n").replace("\n400\n", "\n")
        ((_, made),) = between({"f": was}, {"f": now}).values()

        assert [text for text in made.lines if text.startswith("@@")] == [
            "@@ -248,7 +248,8 @@",
            "@@ -398,7 +399,6 @@",
        ]
        assert _applied(was, made.lines) == now
        assert (made.added, made.removed) == (2, 2)

    @pytest.mark.parametrize("data", [b"a\0b", b"\xff\xfe", b"x" * (600 * 1024)])
    def test_what_is_no_text_is_told_by_size_and_hash(self, data: bytes) -> None:
        """Binary, other encodings, and what is too large to compare."""
        ((change, made),) = between({}, {"f": data}).values()

        (shown,) = stat([(change, made)])

        assert made.lines == ()
        assert change.now is not None
        assert change.now.sha256[:12] in str(shown)

    def test_too_many_lines_are_not_compared(self) -> None:
        """Comparing costs their product."""
        lines = {"f": "".join(f"{n}\n" for n in range(7_000))}
        other = {"f": "".join(f"{n}!\n" for n in range(7_000))}

        assert between(lines, other)["f"][1].body == "large"
        assert between(lines, {"f": lines["f"] + "one more\n"})["f"][1].lines[-1] == "+one more"

    def test_a_missing_line_end_is_told(self) -> None:
        """As `diff` does."""
        assert between({"f": "a"}, {"f": "a\n"})["f"][1].lines == (
            "@@ -1 +1 @@",
            "-a",
            "\\ No newline at end of file",
            "+a",
        )


class TestDrawing:
    """What a person reads."""

    def test_caps_say_what_they_cut(self) -> None:
        """Of a path, and of all."""
        text = "".join(f"{n}\n" for n in range(20))
        pairs = [*between({}, {"a": text, "b": text}).values()]

        lines = [str(each) for each in differences(pairs, Caps(a_path=11, all=15))]

        assert lines.count("… 10 more lines of this file; --all shows them") == 1
        assert lines[-1] == "… 17 more lines of this file; --all shows them"
        assert summed(pairs) == "2 paths changed, 40 lines added"

    def test_names_and_lines_are_spelled_out(self) -> None:
        """Nothing of a file can obey a terminal or begin a line of ours."""
        name = from_raw(b"a\x1b[2K\nb\xff")
        pairs = [*between({}, {name: "\x1b[31mred\r\n"}).values()]

        heading, _, added = (str(each) for each in differences(pairs, Caps()))

        assert heading == "+ a\\x1b[2K\\nb\\xff · added · +1"
        assert added == "+\\x1b[31mred\\x0d"

    def test_colour_is_for_terminals(self) -> None:
        """The same lines, tinted."""
        drawn = []
        for stream in (Tty(), io.StringIO()):
            screen = Screen.on(stream, environment={"TERM": "xterm"})
            screen.say(*differences([*between({}, {"a": "x\n"}).values()], Caps()))
            drawn.append(stream.getvalue())

        assert "\x1b[32m+x\x1b[0m" in drawn[0]
        assert "\x1b" not in drawn[1]

    def test_modes_kinds_and_links_are_told(self) -> None:
        """What isn't content."""
        file = TreeEntry("file", 0o644, 1, OBJECTS.put(b"1"))
        script = TreeEntry("file", 0o755, 1, file.sha256)
        link = TreeEntry("link", 0o777, 3, OBJECTS.put(b"a/b"))
        pairs = [(c, patch(c, OBJECTS)) for c in (PathChange("m", file, script), PathChange("k", file, link))]

        lines = [str(each) for each in differences(pairs, Caps())]

        assert lines[0] == "~ m · mode 644 → 755"
        assert lines[2] == "~ k · was a file, is a link · +1 -1"
        assert lines[-2:] == ["+a/b", "\\ No newline at end of file"]


def _applied(was: str, lines: tuple[str, ...]) -> str:
    """The text that the hunks make of `was`."""
    old = was.split("\n")
    old = [x + "\n" for x in old[:-1]] + ([old[-1]] if old[-1] else [])
    made: list[str] = []
    at = 0
    for n, text in enumerate(lines):
        if text.startswith("@@"):
            start, _, count = text.split()[1].removeprefix("-").partition(",")
            begin = int(start) - (count != "0")
            made += old[at:begin]
            at = begin
        elif text.startswith("\\"):
            continue
        else:
            ends = n + 1 < len(lines) and lines[n + 1].startswith("\\")
            at += text[0] in " -"
            made += [text[1:] + ("" if ends else "\n")] if text[0] in " +" else []
    return "".join(made + old[at:])


# --- the command --------------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path: Path, capsys: Capture) -> Iterator[Desk]:
    return Desk(tmp_path, capsys)


def tidied(desk: Desk) -> str:
    """A run that writes a.txt, then b/b.txt, then c.txt."""
    replies = [write("a.txt", "one\n"), write("b/b.txt", "two\n"), write("a.txt", "one\nmore\n")]
    return desk.start(GOAL, *replies, write("c.txt", "three\n"), finish()).run


def test_diff_shows_all_that_the_run_changed(desk: Desk) -> None:
    """From the start until now, a heading a path, and a sum."""
    run = tidied(desk)

    assert desk("diff", run).splitlines() == [
        "+ a.txt · added · +2",
        "@@ -0,0 +1,2 @@",
        "+one",
        "+more",
        "",
        "+ b/b.txt · added · +1",
        "@@ -0,0 +1 @@",
        "+two",
        "",
        "+ c.txt · added · +1",
        "@@ -0,0 +1 @@",
        "+three",
        "",
        f"3 paths changed, 4 lines added between entries 1 and {_last(desk, run)}",
    ]


def test_stat_is_a_line_a_path(desk: Desk) -> None:
    """And the sum."""
    run = tidied(desk)

    assert desk("diff", run, "--stat", "a.txt", "c.txt").splitlines() == [
        "+  a.txt  +2",
        "+  c.txt  +1",
        f"2 paths changed, 3 lines added between entries 1 and {_last(desk, run)}",
    ]


def test_entries_choose_the_moments(desk: Desk) -> None:
    """One entry, two, or one end alone; backwards is what taking back would change."""
    run = tidied(desk)
    first, second, third, _ = _writes(desk, run)

    assert _paths(desk, run, str(second)) == {"b/b.txt": "added"}
    assert _paths(desk, run, f"{first}..{second}") == {"b/b.txt": "added"}
    assert _paths(desk, run, f"..{second}") == {"a.txt": "added", "b/b.txt": "added"}
    assert _paths(desk, run, f"{second}..") == {"a.txt": "changed", "c.txt": "added"}
    assert _paths(desk, run, f"{third}..{first}") == {"a.txt": "changed", "b/b.txt": "removed"}
    assert _paths(desk, run, "1") == {}
    assert desk("diff", run, str(second - 1)) == (
        f"Nothing changed between entries {second - 2} and {second - 1}.\n"
    )


def test_the_record_has_everything_uncut(desk: Desk) -> None:
    """For programs: both versions, and the patch as text."""
    run = tidied(desk)
    third = _writes(desk, run)[2]

    found = desk.json("diff", run, str(third))

    (file,) = found.pop("files")
    assert found == {"run": run, "since": third - 1, "until": third, "lane": "main"}
    assert {**file["was"], "sha256": ""} == {"kind": "file", "mode": "644", "size": 4, "sha256": ""}
    assert (file["now"]["size"], len(file["now"]["sha256"])) == (9, 64)
    assert file["patch"] == "@@ -1 +1,2 @@\n one\n+more\n"


def test_what_is_not_there_is_an_error_that_helps(desk: Desk) -> None:
    """Unknown entries and paths, with what there is."""
    run = tidied(desk)

    assert f"entries 1 to {_last(desk, run)}" in desk("diff", run, "3..999", status=2)
    assert "did you mean 'b/b.txt'" in desk("diff", run, "b/d.txt", status=2)
    assert "leads out of the workspace" in desk("diff", run, "../x", status=2)


def test_a_run_that_goes_on_can_be_looked_at(desk: Desk) -> None:
    """Another connection reads the journal while the run writes it."""
    seen: list[str] = []

    def look(entry: Entry) -> None:
        match entry.event:
            case CallDecided(tool="finish"):
                (run,) = (row["id"] for row in desk.json("runs"))
                seen.append(desk("diff", run, "--stat").splitlines()[0])
            case _:
                pass

    desk.start(GOAL, write("c.txt", "one\n"), finish(), hooks=Hooks(on_entry=look))

    assert seen == ["+  c.txt  +1"]


async def test_a_fork_is_shown_by_its_own_entries(tmp_path: Path) -> None:
    """`main` has it with the merge; before that an entry says what it did in its lane."""
    stage = Stage.at(tmp_path)
    goal = "goal: g\nplugins: [files]\nparallel: 2\ndone_when: [{file: a.txt}]\n"
    worker = {"a": [write("a.txt", "A"), finish()], "b": [calls(call("files_list", path=".")), finish()]}
    await stage.start(goal, Together(planner=[plan("a", "b")], worker=worker))
    entries = stage.journal.read(stage.run)
    moves = heads(stage.run, entries)
    (wrote,) = [x.seq for x in entries if isinstance(x.event, CallEnded) and x.event.tree is not None]

    own = span_of(str(wrote), moves, entries[-1].seq)
    main = span_of(f"{wrote - 1}..{wrote}", moves, entries[-1].seq)

    assert (own.lane, main.lane) == ("a", "main")
    assert own.old != own.new
    assert main.old == main.new


def _writes(desk: Desk, run: str) -> list[int]:
    """The entries that changed a file."""
    entries = desk("export", run).splitlines()
    rows = [json.loads(row) for row in entries]
    return [r["seq"] for r in rows if r["event"]["kind"] == "call_ended" and r["event"]["tree"] is not None]


def _last(desk: Desk, run: str) -> int:
    return len(desk("export", run).splitlines())


def _paths(desk: Desk, run: str, span: str) -> dict[str, str]:
    return {file["path"]: file["change"] for file in desk.json("diff", run, span)["files"]}
