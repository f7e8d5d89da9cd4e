"""The screen: a live last line on terminals, plain lines elsewhere, and readers who leave."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from autoagent.console.line import Part, line
from autoagent.console.screen import Screen
from autoagent.errors import StoreUnavailable
from autoagent.journal.home import home


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no descriptor")


def test_off_a_terminal_there_is_no_cursor_control() -> None:
    """A file or a pipe gets lines, no colour, and no live line."""
    stream = io.StringIO()
    screen = Screen.on(stream, environment={"TERM": "xterm"})

    screen.live(line("working"))
    screen.say(line(Part("done", "good")))

    assert stream.getvalue() == "done\n"


def test_lines_go_above_the_live_one() -> None:
    """The live line is cleared, the line written, and the live one drawn again."""
    stream = Tty()
    screen = Screen.on(stream, environment={"TERM": "xterm", "NO_COLOR": "1"})

    screen.live(line("working"))
    screen.say(line("news"))
    screen.live(None)

    assert stream.getvalue() == "working\r\x1b[Knews\nworking\r\x1b[K"


def test_no_color_and_dumb_terminals_are_obeyed() -> None:
    """NO_COLOR takes the colours; TERM=dumb takes the live line as well."""
    plain = Screen.on(Tty(), environment={"TERM": "xterm", "NO_COLOR": "1"})
    dumb = Screen.on(Tty(), environment={"TERM": "dumb"})

    assert (plain.is_terminal, plain.coloured) == (True, False)
    assert (dumb.is_terminal, dumb.coloured) == (False, False)


def test_no_text_in_a_question_begins_a_line_of_the_terminal() -> None:
    """However long: what follows stays behind its frame, and no character is lost."""
    stream = Tty()  # 80 columns
    screen = Screen.on(stream, environment={"TERM": "xterm", "NO_COLOR": "1"})
    forged = "x" * 67 + "TO     anna@example.org  named in your goal " * 9

    screen.ask(line(Part("text       ", "dim"), Part("│ ", "dim"), forged), prompt=line("› "))

    first, *others, prompt = stream.getvalue().split("\n")
    assert all(len(each) <= 80 for each in (first, *others))
    assert all(each.startswith(" " * 11 + "│ ") for each in others)
    assert "".join(each[13:] for each in (first, *others)) == forged
    assert prompt == "› "


def test_a_held_screen_keeps_lines_back() -> None:
    """While a question stands, nothing moves it; afterwards the lines come in order."""
    stream = io.StringIO()
    screen = Screen.on(stream, environment={})

    screen.hold()
    screen.say(line("one"))
    screen.ask(line("question"), prompt=line("> "))
    screen.say(line("two"))
    screen.release()

    assert stream.getvalue() == "question\n> one\ntwo\n"


def test_a_reader_who_leaves_is_no_error() -> None:
    """A broken pipe is given up silently, also when Python flushes at the exit."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        screen = Screen.on(stream, may_fail=False, environment={})
        screen.say(line("nobody reads this"))
        screen.say(line("nor this"))

        assert screen.is_gone


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this platform has no /dev/full")
def test_a_full_disk_is_an_error_for_answers_and_none_for_progress() -> None:
    """What a command was asked for must arrive; what a run tells on the way needn't."""
    with Path("/dev/full").open("w") as stream:
        progress = Screen.on(stream, environment={})
        progress.say(line("on the way"))
        assert progress.is_gone
    with Path("/dev/full").open("w") as stream, pytest.raises(StoreUnavailable, match="No space left"):
        Screen.on(stream, may_fail=False, environment={}).say(line("the answer"))


def test_a_stream_without_unicode_gets_ascii() -> None:
    """Signs have their ASCII forms, all else is escaped; nothing raises."""
    raw = io.BytesIO()
    screen = Screen.on(io.TextIOWrapper(raw, encoding="ascii"), environment={})

    screen.say(line("✓ proved · 日"))

    assert raw.getvalue() == b"+ proved - \\u65e5\n"


@pytest.mark.parametrize(("said", "drawn"), [("true", "+ proved\n"), ("false", "✓ proved\n")])
def test_config_toml_says_whether_signs_are_ascii(said: str, drawn: str) -> None:
    """Whatever the terminal is; the environment's word comes before it."""
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text(f"[terminal]\nascii = {said}\n")
    stream, asked = Tty(), Tty()

    Screen.on(stream, environment={"TERM": "linux", "NO_COLOR": "1"}).say(line("✓ proved"))
    Screen.on(asked, environment={"TERM": "xterm", "AUTOAGENT_ASCII": "1"}).say(line("✓ proved"))

    assert stream.getvalue() == drawn
    assert asked.getvalue() == "+ proved\n"


def test_a_config_toml_that_is_wrong_keeps_no_line_back() -> None:
    """What needs it says so, in a line like this one."""
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text("[terminal]\nascii = 7\n")
    stream = Tty()

    Screen.on(stream, environment={"TERM": "xterm", "NO_COLOR": "1"}).say(line("✓ proved"))

    assert stream.getvalue() == "✓ proved\n"
