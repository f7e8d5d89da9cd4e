"""Colours that can be read, signs that every terminal has, and notices that no text can break out of."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from loops import finish, write
from seats import NO_ENGINE, PROVED, commands, parked, ran, seated
from textual.color import Color
from textual.drivers.headless_driver import HeadlessDriver
from textual.theme import Theme
from textual.widgets import Static

from autoagent.console.signs import SIGNS, needs_ascii, without_signs
from autoagent.journal.home import home
from autoagent.settings import Settings, TerminalSettings
from autoagent.tui.app import Cockpit
from autoagent.tui.drawing.drawn import _STYLES
from autoagent.tui.drawing.theming import DEFAULTS, THEMES
from autoagent.tui.notices import notice
from autoagent.tui.pages.helping import HelpScreen, keys_lines
from autoagent.tui.runs.screen import RunsScreen

ROOT = Path(__file__).parents[1]

# --- signs --------------------------------------------------------------------------------------------------


def test_every_sign_that_is_drawn_has_a_stand_in() -> None:
    """Of each front end; one column for one column."""
    files = [*(ROOT / "autoagent/tui").rglob("*.py"), *(ROOT / "autoagent/console").rglob("*.py")]
    drawn = {char for file in files for char in file.read_text(encoding="utf-8") if ord(char) > 126}

    assert {char for char in drawn if char not in SIGNS} == set()
    assert {sign for sign, plain in SIGNS.items() if not plain.isascii()} == set()
    assert {sign for sign, plain in SIGNS.items() if len(plain) != 1} == {"🔎"}


def test_letters_are_no_signs() -> None:
    """They stay where the encoding has them, and are as many question marks as they are wide elsewhere."""
    assert without_signs("✓ Größe · 漢字") == "+ Größe - 漢字"
    assert without_signs("✓ Größe · 漢字", "latin-1") == "+ Größe - ????"
    assert without_signs("▌PAST▐ ▰▰▱ …", "ascii") == "[PAST] ##. ~"


@pytest.mark.parametrize(
    ("encoding", "environment", "chosen", "is_ascii"),
    [
        ("utf-8", {}, None, False),
        ("utf-8", {"TERM": "xterm-256color", "LANG": "C"}, None, False),
        ("UTF8", {"LC_ALL": "de_DE.UTF-8"}, None, False),
        (None, {}, None, False),
        ("iso8859-1", {}, None, True),
        ("ANSI_X3.4-1968", {}, None, True),
        ("utf-8", {"LC_ALL": "C"}, None, True),
        ("utf-8", {"TERM": "linux"}, None, True),
        ("utf-8", {"AUTOAGENT_ASCII": "1"}, None, True),
        ("ascii", {"AUTOAGENT_ASCII": "0"}, True, False),
        ("utf-8", {}, True, True),
        ("ascii", {"TERM": "linux"}, False, False),
    ],
)
def test_when_signs_are_ascii(
    encoding: str | None, environment: dict[str, str], chosen: bool | None, is_ascii: bool
) -> None:
    """The variable says so first, then config.toml, else the terminal tells."""
    assert needs_ascii(encoding, environment, chosen) is is_ascii


def test_of_what_is_no_terminal_the_encoding_tells() -> None:
    """A file is read elsewhere."""
    assert not needs_ascii("utf-8", {"TERM": "linux", "LC_ALL": "C"}, is_terminal=False)
    assert needs_ascii("ascii", {}, is_terminal=False)


async def test_a_whole_screen_is_ascii(tmp_path: Path) -> None:
    """Frames, marks, gauges, scroll bars; every state keeps its sign and its word."""
    await parked(tmp_path)
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated(ascii_of="ascii") as seat:
        listed = "\n".join(seat.screen())
        assert listed.isascii()
        assert "+- Runs (2) -" in listed
        assert re.search(rf"\+  {done.run} .*proved 1 of 1", listed)
        await seat.pilot.resize_terminal(80, 24)
        for keys in (["enter"], ["escape", "a"], ["escape", "n"]):
            await seat.press(*keys)
            assert "\n".join(seat.screen()).isascii()


# --- colours ------------------------------------------------------------------------------------------------


def _luminance(color: Color) -> float:
    """As WCAG 2.2 defines it."""
    parts = [c / 255 for c in color.rgb]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(text: Color, behind: Color) -> float:
    light, dark = sorted((_luminance(behind + text), _luminance(behind)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_every_tone_can_be_read_on_every_ground(theme: Theme) -> None:
    """4.5 to 1 at least: on the screen, in dialogs, in the footer, and under the cursor."""
    system = theme.to_color_system()
    found = {**DEFAULTS, **system.generate(), **theme.variables}
    tones = {style.rpartition("$")[2] for style in _STYLES.values() if style} | {"foreground"}
    grounds = ("background", "surface", "panel", "cursor-row")
    poor = {
        (tone, ground): round(ratio, 2)
        for tone, ground in product(sorted(tones), grounds)
        if (ratio := _contrast(Color.parse(found[tone]), Color.parse(found[ground]))) < 4.5
    }

    assert poor == {}


# --- notices ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "begins"),
    [
        ({"TERM": "xterm-kitty"}, "\x1b]99;i=autoagent;"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "\x1b]99;i=autoagent;"),
        ({"TERM": "foot"}, "\x1b]777;notify;autoagent;"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7800"}, "\x1b]777;notify;autoagent;"),
        ({"TERM": "xterm-ghostty"}, "\x1b]9;"),
        ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux"}, "\x1bPtmux;\x1b\x1b]9;"),
    ],
)
def test_each_terminal_gets_the_sequence_that_it_takes(environment: dict[str, str], begins: str) -> None:
    """kitty, foot, GNOME's, those that know iTerm2's, and whatever tmux runs in."""
    made = notice("1 waits for you: Tell bob", environment)

    assert made.startswith(begins)
    assert "1 waits for you: Tell bob" in made


@pytest.mark.parametrize("term", ["linux", "dumb", "vt220", "screen-256color"])
def test_terminals_that_would_show_it_get_none(term: str) -> None:
    """No letters on the screen."""
    assert notice("x", {"TERM": term}) == ""


@pytest.mark.parametrize("environment", [{"TERM": "xterm-kitty"}, {"TERM": "foot"}, {"TERM": "xterm"}])
def test_no_text_ends_a_notice(environment: dict[str, str]) -> None:
    """Whatever a goal holds, the terminal is told one short thing."""
    hostile = "a\x07b\x1b]0;owned\x1b\\c\x9cd;e\u202e\n" + "long " * 100
    made = notice(hostile, environment)
    harmless = notice("", environment)
    text = made[len(harmless.rstrip("\x07\x1b\\")) :].rstrip("\x07\x1b\\")

    assert made.count("\x1b") == harmless.count("\x1b")
    assert made.count("\x07") == harmless.count("\x07")
    assert made.count(";") == harmless.count(";")
    assert text.isprintable()
    assert text.isascii()
    assert len(text) <= 80


async def test_the_desktop_is_told_of_what_comes_to_wait(tmp_path: Path) -> None:
    """Not of what waited before, and not where the settings say no."""
    await parked(tmp_path)

    async with seated() as seat:
        assert seat.app.sent == []
        await parked(tmp_path)
        await seat.until(lambda: bool(seat.app.sent))
        assert seat.app.sent == ["\x1b]9;2 wait for you: Tell bob\x07"]

    async with seated(settings=Settings(terminal=TerminalSettings(notices=False))) as seat:
        await parked(tmp_path)
        await seat.until(lambda: seat.app.bells == 1)
        assert seat.app.sent == []


async def test_who_looks_at_the_window_gets_no_notice(tmp_path: Path) -> None:
    """Where the terminal says that it is in front."""
    async with seated() as seat:
        seat.app.on_app_focus()
        await parked(tmp_path)
        await seat.until(lambda: seat.app.bells == 1)

        assert seat.app.sent == []


class Written(HeadlessDriver):
    """A driver that keeps what is written to it."""

    written = ""
    of_browser = False

    @property
    def is_web(self) -> bool:
        return self.of_browser

    def write(self, data: str) -> None:
        self.written += data


@pytest.mark.parametrize("of_browser", [False, True])
async def test_a_browser_gets_no_sequence(of_browser: bool) -> None:
    """Neither titles nor notices; a terminal gets both."""
    app = Cockpit(home(), look=lambda _: NO_ENGINE)
    async with app.run_test() as pilot:
        while app.engine is None:
            await pilot.pause(0.02)
        app._driver = driver = Written(app)
        driver.of_browser = of_browser
        app.titled("1 waits for you")
        app.to_terminal(notice("x", {"TERM": "xterm"}))

    sent = "\x1b]0;1 waits for you - autoagent\x07\x1b]9;x\x07"
    assert (sent in driver.written) is not of_browser
    assert ("\x1b]" in driver.written) is not of_browser


# --- commands and help --------------------------------------------------------------------------------------


async def test_every_action_is_in_the_list_of_commands(tmp_path: Path) -> None:
    """With its key; choosing one does it."""
    waits = await parked(tmp_path)

    async with seated(keys={"runs": {"resume": "R"}}) as seat:
        from autoagent.tui.pages.palette import Actions

        provider = Actions(seat.app.screen)
        said = [str(hit.text) async for hit in provider.discover()]
        words = [" ".join(each.split()[:2]) for each in said]
        assert "resume R" in words
        assert {"new n", "try t", "pause space", "sort o"} <= {*words}
        assert (words.count("help ?"), words.count("help f1")) == (1, 0)
        assert any(each.startswith("theme") for each in said)
        await seat.press("ctrl+p")
        await seat.press(*"end it for good")
        await seat.until(lambda: bool(seat.app.screen.query("CommandList")))
        await seat.pilot.pause(0.3)
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))
        await seat.until(lambda: f"c once more ends run {waits.run}" in seat.text("#news"))

    assert commands(waits.run) == []


async def test_help_is_of_the_pane_in_focus(tmp_path: Path) -> None:
    """Two sentences, then the keys; in a field by a key that is no letter."""
    await parked(tmp_path)
    shown = []

    async with seated() as seat:
        for keys in (["question_mark"], ["tab", "question_mark"], ["n", "f1"], ["tab", "f1"]):
            await seat.press(*keys)
            await seat.until(lambda: isinstance(seat.app.screen, HelpScreen))
            shown.append(str(seat.app.screen.query(Static).first().content))
            await seat.press("escape")

    assert shown[0].startswith("All runs of this home, those that wait for you first.")
    assert shown[1].startswith("What the run under the cursor waits for")
    assert shown[2].startswith("The folder to work in")
    assert shown[3].startswith("The goal file; a mistake is said beside the line that has it, in full")


def test_names_of_keys_stand_apart_where_it_is_narrow() -> None:
    """No row is two lines for a name that few need."""
    keys = [("r", "resume", "Go on with the run under the cursor", "runs.resume")]

    wide = [str(each) for each in keys_lines(keys, 120)]
    narrow = [str(each) for each in keys_lines(keys, 80)]
    assert wide[1] == "  r  resume  Go on with the run under the cursor  runs.resume"
    assert narrow[1] == "  r  resume  Go on with the run under the cursor"
    assert narrow[-1] == "  r  runs.resume"


async def test_without_colours_the_terminal_s_own_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is coloured, so that a light terminal stays light; the cursor is reversed, ages are dim."""
    monkeypatch.setenv("NO_COLOR", "1")
    waits = await parked(tmp_path)

    async with seated() as seat:
        strips = seat.app.screen._compositor.render_strips()
        styles = [(each.text, each.style) for strip in strips for each in strip if each.style is not None]

        assert {(style.color, style.bgcolor) for _, style in styles} == {(None, None)}
        assert [style.reverse for text, style in styles if text == waits.run] == [True]
        assert any(style.dim for _, style in styles)
