"""The `files` plugin: what a model reads and what its calls do to the workspace."""

from __future__ import annotations

import pytest

from autoagent.door.tools import FilesView, Observation, ToolContext
from autoagent.errors import ToolError
from autoagent.paths import from_raw
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, WorkingCopy
from autoagent_files import plugin, search
from autoagent_files import text as text_module

TOOLS = {tool.name: tool for tool in plugin.tools}


class Workspace:
    """A working copy and the plugin's tools on it, called as a run calls them."""

    def __init__(self, **files: str | bytes) -> None:
        self.copy = WorkingCopy(EMPTY, MemoryObjects())
        for name, content in files.items():
            self.put(name.replace("__", "/").replace("_", "."), content)

    def put(self, path: str, content: str | bytes) -> None:
        self.copy.write(path, content if isinstance(content, bytes) else content.encode())

    async def call(self, name: str, **args: object) -> str:
        tool = TOOLS[name]
        checked = tool.check(args)
        context = ToolContext(
            run_id="r",
            call_id="c",
            lane="main",
            key="k",
            effect=tool.effect_of(checked),
            working_copy=self.copy,
        )
        result = await tool.function(context, **checked)
        assert not isinstance(result, Observation)
        assert len(result) <= tool.output_limit
        return result

    def text(self, path: str) -> str:
        return self.copy.read(path).decode()


def test_the_names_and_arguments_are_the_contract() -> None:
    """Recordings and scripted servers rely on them."""
    assert {tool.name: tool.parameters for tool in plugin.tools} == {
        "files_list": ("path",),
        "files_read": ("path", "offset", "limit"),
        "files_write": ("path", "content"),
        "files_edit": ("path", "old", "new"),
        "files_move": ("path", "to"),
        "files_delete": ("path",),
        "files_search": ("pattern", "path"),
    }
    writes = {tool.name for tool in plugin.tools if tool.effect == "write"}
    assert writes == {"files_write", "files_edit", "files_move", "files_delete"}
    assert all(set(tool.paths) == {"path", "to"} & set(tool.parameters) for tool in plugin.tools)


# --- list ---------------------------------------------------------------------------------------------------


async def test_list_shows_everything_beneath() -> None:
    """Whole paths, so that they can be copied into the next call."""
    workspace = Workspace(README_md="x", logs__a_log="12", logs__old__b_log="3")

    assert await workspace.call("files_list") == (
        "README.md (1 byte)\nlogs/\nlogs/a.log (2 bytes)\nlogs/old/\nlogs/old/b.log (1 byte)"
    )
    assert await workspace.call("files_list", path="logs/old/") == "logs/old/b.log (1 byte)"
    assert await workspace.call("files_list", path="README.md") == (
        "README.md is a file, not a folder; files_read reads it"
    )
    assert await Workspace().call("files_list", path=".") == "(empty)"


async def test_a_missing_folder_is_answered_with_what_there_is() -> None:
    """The model reads what it may have meant."""
    with pytest.raises(ToolError, match=r"'log' does not exist; did you mean 'logs'\?"):
        await Workspace(logs__a="").call("files_list", path="log")


async def test_a_path_outside_is_refused() -> None:
    """By every tool, before anything is looked at."""
    for name, args in (("files_list", {}), ("files_read", {}), ("files_write", {"content": ""})):
        with pytest.raises(ToolError, match="leads out of the workspace"):
            await Workspace(a="1").call(name, path="../a", **args)


# --- read ---------------------------------------------------------------------------------------------------


async def test_read_gives_the_text_as_it_is() -> None:
    """No numbers, nothing added; a last line end is not shown."""
    workspace = Workspace(a="one\n  two\n\nthree\n", crlf=b"\xef\xbb\xbfone\r\ntwo", empty="")

    assert await workspace.call("files_read", path="a") == "one\n  two\n\nthree"
    assert await workspace.call("files_read", path="/workspace/crlf") == "one\ntwo"
    assert await workspace.call("files_read", path="empty") == "(the file is empty)"


async def test_a_long_file_comes_in_pages() -> None:
    """Each says which lines it has and how to go on; together they are the file."""
    lines = [f"line {n}" for n in range(1, 1201)]
    workspace = Workspace(a="\n".join(lines))
    first = await workspace.call("files_read", path="a")
    last = await workspace.call("files_read", path="a", offset=1001)

    assert first.splitlines() == [*lines[:500], "[lines 1 to 500 of 1200; go on with offset=501]"]
    assert last.splitlines() == [*lines[1000:], "[lines 1001 to 1200 of 1200]"]
    assert await workspace.call("files_read", path="a", offset=-2) == (
        "line 1199\nline 1200\n[lines 1199 to 1200 of 1200]"
    )
    assert await workspace.call("files_read", path="a", offset=3, limit=1) == (
        "line 3\n[lines 3 to 3 of 1200; go on with offset=4]"
    )


async def test_a_page_has_whole_lines_and_fits() -> None:
    """Long lines make a shorter page; a line that is data is cut."""
    workspace = Workspace(wide="\n".join(["x" * 1000] * 100), data="y" * 3_000_000 + "\nend")
    wide = await workspace.call("files_read", path="wide")
    data = await workspace.call("files_read", path="data")

    assert wide.splitlines()[-1] == "[lines 1 to 13 of 100; go on with offset=14]"
    assert data.splitlines() == ["y" * text_module.LINE_CHARS + "… [the line is longer: cut here]", "end"]


async def test_past_the_end_there_is_an_error() -> None:
    """It says how many lines there are."""
    with pytest.raises(ToolError, match="a has only 2 lines; there is no line 9"):
        await Workspace(a="1\n2").call("files_read", path="a", offset=9)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n", "a PNG image"),
        (b"\xff\xfeh\0i\0", "UTF-16 text"),
        (b"a\0b", "binary data"),
        (b"x" * 2_000_000 + b"\0", "binary data"),
    ],
)
async def test_a_binary_file_is_named_as_such(data: bytes, kind: str) -> None:
    """By reading and by editing."""
    workspace = Workspace(f=data)
    for name, args in (("files_read", {}), ("files_edit", {"old": "a", "new": "b"})):
        with pytest.raises(ToolError, match=f"f is no text but {kind}"):
            await workspace.call(name, path="f", **args)


async def test_bytes_that_are_no_utf8_are_shown_as_such() -> None:
    """An old text is still a text."""
    assert await Workspace(a="caf\xe9".encode("latin-1")).call("files_read", path="a") == "caf\ufffd"


async def test_an_odd_name_can_be_given_as_it_is_listed() -> None:
    """A byte that is no text is listed as `\\xff`, and found under that spelling."""
    workspace = Workspace()
    workspace.put(from_raw(b"odd\xff\n.txt"), "here")
    listed = (await workspace.call("files_list")).removesuffix(" (4 bytes)")

    assert listed == "odd\\xff\\n.txt"
    assert await workspace.call("files_read", path=listed) == "here"


# --- write, edit, move, delete ------------------------------------------------------------------------------


async def test_write_makes_folders_and_says_what_it_did() -> None:
    """A new file is written, an old one replaced."""
    workspace = Workspace()
    written = await workspace.call("files_write", path="a/b.md", content="ü\n")
    replaced = await workspace.call("files_write", path="a/b.md", content="1")

    assert written == "Wrote a/b.md: 1 line, 3 bytes"
    assert replaced == "Replaced a/b.md: 1 line, 1 byte"
    assert workspace.text("a/b.md") == "1"


async def test_half_a_character_is_refused() -> None:
    """JSON can hold it, a file can't."""
    with pytest.raises(ToolError, match=r"`content` holds half of a character, \\ud83d, at position 2"):
        await Workspace().call("files_write", path="a", content="ab\ud83d")


async def test_edit_replaces_the_one_place() -> None:
    """And names the lines."""
    workspace = Workspace(a="one\ntwo\nthree\nfour\n")

    assert await workspace.call("files_edit", path="a", old="two\nthree", new="2\n3") == (
        "Edited a: lines 2 to 3 replaced"
    )
    assert (
        await workspace.call("files_edit", path="a", old="one\n", new="")
        == "Edited a: line 1: the text is removed"
    )
    assert workspace.text("a") == "2\n3\nfour\n"


async def test_edit_of_a_text_that_stands_twice_names_the_lines() -> None:
    """Nothing is changed."""
    workspace = Workspace(a="x = 1\ny = 2\nx = 1\n")

    with pytest.raises(ToolError, match=r"stands 2 times in a, in the lines 1, 3; give more"):
        await workspace.call("files_edit", path="a", old="x = 1", new="x = 2")
    assert workspace.text("a") == "x = 1\ny = 2\nx = 1\n"


@pytest.mark.parametrize(
    ("old", "answer"),
    [
        (
            "if x:\n  y()",
            "; lines 2 to 3 differ from it only in spaces. They are, exactly:\n    if x:\n        y()",
        ),
        ("retrun x + 1", "; the nearest is line 4, exactly:\n    return x + 1"),
        ("something else entirely", "; nothing there is like it: read the file again"),
    ],
)
async def test_edit_of_a_text_that_is_not_there_shows_the_nearest(old: str, answer: str) -> None:
    """So that the next try can copy it."""
    workspace = Workspace(a="def f(x):\n    if x:\n        y()\n    return x + 1\n")

    with pytest.raises(ToolError) as raised:
        await workspace.call("files_edit", path="a", old=old, new="z")
    assert str(raised.value) == "`old` does not stand in a" + answer


async def test_edit_keeps_line_ends_and_odd_bytes() -> None:
    """What isn't replaced stays byte for byte."""
    workspace = Workspace(a=b"one\r\ntwo\r\n\xff\r\n")
    await workspace.call("files_edit", path="a", old="one\ntwo", new="1\n2")

    assert workspace.copy.read("a") == b"1\r\n2\r\n\xff\r\n"


@pytest.mark.parametrize(("old", "new", "why"), [("", "x", "`old` is empty"), ("one", "one", "are the same")])
async def test_an_edit_that_says_nothing_is_refused(old: str, new: str, why: str) -> None:
    """An empty or unchanged piece is a mistake of the model."""
    with pytest.raises(ToolError, match=why):
        await Workspace(a="one").call("files_edit", path="a", old=old, new=new)


async def test_move_renames_and_overwrites_nothing() -> None:
    """Of a folder, the answer tells the whole path."""
    workspace = Workspace(a_txt="1", d__b_txt="2")

    assert await workspace.call("files_move", path="a.txt", to="n/a.txt") == "Moved a.txt to n/a.txt"
    with pytest.raises(
        ToolError, match=r"d is a folder; to move it in there, write the whole path: d/a\.txt"
    ):
        await workspace.call("files_move", path="n/a.txt", to="d")
    with pytest.raises(ToolError, match=r"'d/b\.txt' exists already"):
        await workspace.call("files_move", path="n/a.txt", to="d/b.txt")
    assert workspace.text("n/a.txt") == "1"


async def test_delete_tells_how_much_went() -> None:
    """A folder goes with everything in it; the workspace itself doesn't."""
    workspace = Workspace(a="1", d__b="2", d__e__c="3")

    assert await workspace.call("files_delete", path="d") == "Deleted d with 3 paths in it"
    assert await workspace.call("files_delete", path="a") == "Deleted a"
    with pytest.raises(ToolError, match="the path is the workspace itself"):
        await workspace.call("files_delete", path=".")
    assert list(workspace.copy.paths()) == []


# --- search -------------------------------------------------------------------------------------------------


async def test_search_gives_path_line_number_and_line() -> None:
    """A plain text or a regular expression; in a folder or one file."""
    workspace = Workspace(a_log="ok\npayments OOMKilled\r\n", d__b_log="OOMKilled exit=137\nfine\n")

    assert await workspace.call("files_search", pattern="OOMKilled") == (
        "a.log:2: payments OOMKilled\nd/b.log:1: OOMKilled exit=137"
    )
    assert (
        await workspace.call("files_search", pattern=r"exit=\d+$", path="d")
        == "d/b.log:1: OOMKilled exit=137"
    )
    assert await workspace.call("files_search", pattern="ok|fine", path="a.log") == "a.log:1: ok"


async def test_search_without_a_match_helps_on() -> None:
    """Other letter cases, and names of files, are told."""
    workspace = Workspace(report_md="Nothing", b_md="Some THING")

    assert await workspace.call("files_search", pattern="SOME THing") == (
        "b.md:1: Some THING\n[nothing matches exactly; these match without regard to upper and lower case]"
    )
    assert await workspace.call("files_search", pattern="report") == (
        "no line matches in 2 files\nbut these files are named like it: report.md"
    )


async def test_a_bad_pattern_is_searched_as_text() -> None:
    """And the answer says so."""
    answer = await Workspace(a="call(x").call("files_search", pattern="call(")

    assert answer.splitlines()[0] == "a:1: call(x"
    assert "is no regular expression (missing ), unterminated subpattern" in answer


async def test_a_pattern_that_never_ends_is_stopped() -> None:
    """Matching has a process of its own, which is killed."""
    files = FilesView(Workspace(a="a" * 64).copy)

    with pytest.raises(ToolError, match=r"stopped after 0\.3 s: the pattern .* takes too long to match"):
        await search.found(files, "(a+)+$b", ".", timeout_s=0.3)


async def test_search_is_bounded_and_says_what_it_left_out() -> None:
    """Many matches, long lines, binary files, hidden folders."""
    workspace = Workspace(many="hit\n" * 150, long="x" * 5000 + "hit" + "y" * 5000, b=b"hit\0")
    workspace.put(".git/config", "hit")
    lines = (await workspace.call("files_search", pattern="hit")).splitlines()

    assert lines[0] == f"long:1: …{'x' * 50}hit{'y' * 147}…"
    assert lines[-3:] == [
        "[51 more matching lines not shown]",
        "[hidden folders not searched: .git]",
        "[1 binary file not searched]",
    ]
    assert len(lines) == 103
    assert await workspace.call("files_search", pattern="hit", path=".git") == ".git/config:1: hit"


@pytest.mark.parametrize(("pattern", "why"), [("", "`pattern` is empty"), ("x" * 1001, "longer than 1000")])
async def test_a_pattern_that_says_nothing_or_too_much_is_refused(pattern: str, why: str) -> None:
    """The model reads what to do instead."""
    with pytest.raises(ToolError, match=why):
        await Workspace(a="1").call("files_search", pattern=pattern)
