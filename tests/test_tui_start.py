"""Coming to the cockpit for the first time: what it says, the example, templates, a goal of one's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from loops import finish, write
from seats import A_MODEL, NO_ENGINE, PROVED, UNSET, parked, ran, seated
from textual.widgets import Input, TextArea

from autoagent.console.line import Line
from autoagent.examples import TRIED, example
from autoagent.journal.home import home
from autoagent.sandboxes.docker import EngineStatus
from autoagent.settings import ModelSettings, SandboxSettings, Settings
from autoagent.tui.background import Background
from autoagent.tui.drawing.lines import Lines
from autoagent.tui.run.screen import RunScreen
from autoagent.tui.runs.screen import RunsScreen
from autoagent.tui.runs.welcome import welcome
from autoagent.tui.starting.editing import Folders
from autoagent.tui.starting.screen import StartScreen
from autoagent.tui.starting.templates import TemplatesScreen, template_rows

key = {"runs.try": "t", "runs.new": "n", "app.help": "?", "app.leave": "q"}.__getitem__


def said(lines: list[Line]) -> str:
    return "\n".join(map(str, lines))


# --- what a newcomer reads ----------------------------------------------------------------------------------


def test_a_newcomer_is_told_what_to_press_and_what_is_missing() -> None:
    """Drawn from what is set; Docker is said only once it was looked at."""
    text = said(welcome(UNSET, None, key))

    assert "Nothing has run yet." in text
    assert "t  tries the recorded example: no key, no cost." in text
    assert "n  starts a goal of your own" in text
    assert "No model is set: set OPENAI_API_KEY and OPENAI_MODEL, or OPENAI_BASE_URL" in text
    assert "Docker" not in text
    assert "No Docker here: scripts run in the small Python subset" in said(welcome(UNSET, NO_ENGINE, key))


@pytest.mark.parametrize(
    ("settings", "engine", "words"),
    [
        (A_MODEL, None, "Goals are worked on by small at http://127.0.0.1:9/v1."),
        (
            Settings(environment=ModelSettings(model="large")),
            None,
            "OPENAI_API_KEY is not set, and 'large' at https://api.openai.com/v1 needs a key",
        ),
        (UNSET, EngineStatus(version="27", has_image=False), "autoagent doctor --build now"),
        (Settings(sandbox=SandboxSettings(kind="docker")), NO_ENGINE, "config.toml wants it for scripts"),
        (Settings(sandbox=SandboxSettings(kind="monty"), path="c.toml"), None, "As c.toml says, scripts run"),
    ],
)
def test_what_is_set_and_what_is_missing_is_named(
    settings: Settings, engine: EngineStatus | None, words: str
) -> None:
    """Each with its remedy."""
    assert words in said(welcome(settings, engine, key))


def test_a_machine_with_docker_isn_t_told_of_it() -> None:
    """Nothing is missing."""
    assert "Docker" not in said(welcome(A_MODEL, EngineStatus(version="27", has_image=True), key))


async def test_an_empty_home_says_what_to_do_and_hears_of_docker_later() -> None:
    """And offers no key that has nothing to act on."""
    async with seated((80, 24)) as seat:
        await seat.until(lambda: "No Docker here" in seat.text("#preview"))
        footer = seat.screen()[-1]

        assert "Nothing has run yet." in seat.text("#preview")
        assert "t try" in footer
        assert "resume" not in footer


# --- the example, from an empty home to the proof -----------------------------------------------------------


async def test_a_newcomer_sees_the_example_proved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`t` copies it, a process of its own carries it, and it opens by itself. No model is set."""
    monkeypatch.chdir(tmp_path)
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text('[sandbox]\nkind = "monty"\n')

    background = Background(home())
    async with seated(carrier=background) as seat:
        await seat.press("t")
        assert "is starting, in a process of its own; it opens by itself" in seat.text("#news")
        async with asyncio.timeout(90):
            while not isinstance(seat.app.screen, RunScreen):
                await seat.pilot.pause(0.1)
            run = seat.app.screen.run_id
            while run not in seat.app.seen or seat.app.seen[run].name != "proved":
                await seat.pilot.pause(0.1)
            while background.at_work:
                assert background.failures() == []
                await seat.pilot.pause(0.1)

    assert (tmp_path / TRIED / "report.md").is_file()
    assert (home() / "logs" / f"{run}.log").is_file()


async def test_a_second_try_gets_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the first is touched, and the recording is named whatever model is set."""
    monkeypatch.chdir(tmp_path)

    async with seated(settings=A_MODEL) as seat:
        await seat.press("t", "t")

    folders = [tmp_path / TRIED, tmp_path / f"{TRIED}-2"]
    assert seat.carrier.started == folders
    assert seat.carrier.played == [folder / "recording.jsonl" for folder in folders]


# --- templates ----------------------------------------------------------------------------------------------


def test_a_template_says_what_it_does_and_takes() -> None:
    """Every line of it stands for it."""
    rows = template_rows([example("research"), example(TRIED)])
    text = said([row.line for row in rows])

    assert "  Finds out from web pages that contradict each other" in text
    assert "log-triage · 8 files to work on · plays without a model too" in text
    assert "it reads 127.0.0.1:8917, which README.md there says how to serve" in text
    assert [row.key for row in rows] == ["research"] * 3 + [TRIED] * 2


async def test_a_template_fills_the_editor_and_brings_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Changed it is one's own goal, and needs a model; nothing is written before it starts."""
    monkeypatch.chdir(tmp_path)

    async with seated(settings=A_MODEL) as seat:
        await seat.press("n", "ctrl+t")
        await seat.until(lambda: isinstance(seat.app.screen, TemplatesScreen))
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, StartScreen))
        screen = seat.app.screen
        assert screen.query_one("#folder", Input).value == "code-repair"
        assert "4 files of code-repair are copied" in seat.text("#place")
        assert not (tmp_path / "code-repair").exists()
        editor = screen.query_one("#goal", TextArea)
        editor.text = editor.text.replace("steps: 20", "steps: 9")
        await seat.press("ctrl+s")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    made = tmp_path / "code-repair"
    assert seat.carrier.started == [made]
    assert "steps: 9" in (made / "goal.yaml").read_text()
    assert sorted(p.name for p in made.iterdir()) == [
        "README.md",
        "basket.py",
        "check_basket.py",
        "goal.yaml",
    ]


async def test_the_cursor_goes_from_template_to_template() -> None:
    """However many rows each has."""
    async with seated(settings=A_MODEL) as seat:
        await seat.press("n", "ctrl+t")
        await seat.until(lambda: isinstance(seat.app.screen, TemplatesScreen))
        pane = seat.app.screen.query_one(Lines)
        passed = [pane.key]
        for key in ("j", "j", "k", "k", "k"):
            await seat.press(key)
            passed.append(pane.key)
            assert pane.is_chosen(pane.cursor + 1)

    assert passed == [
        "code-repair",
        "database",
        "document-questions",
        "database",
        "code-repair",
        "code-repair",
    ]


async def test_a_template_overwrites_no_goal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that came to be meanwhile is named; what was written stays on screen."""
    monkeypatch.chdir(tmp_path)

    async with seated(settings=A_MODEL) as seat:
        await seat.press("n", "ctrl+t")
        await seat.until(lambda: isinstance(seat.app.screen, TemplatesScreen))
        await seat.press("enter")
        await seat.until(lambda: isinstance(seat.app.screen, StartScreen))
        (tmp_path / "code-repair").mkdir()
        (tmp_path / "code-repair" / "basket.py").write_text("mine")
        (tmp_path / "code-repair" / "goal.yaml").write_text("goal: mine\n")
        await seat.press("ctrl+s")

        assert "goal.yaml is there already" in seat.text("#said")
    assert (tmp_path / "code-repair" / "goal.yaml").read_text() == "goal: mine\n"
    assert (tmp_path / "code-repair" / "basket.py").read_text() == "mine"
    assert seat.carrier.started == []


# --- a goal of one's own ------------------------------------------------------------------------------------


async def test_a_goal_is_written_through_no_link(tmp_path: Path) -> None:
    """A folder of somebody else's leads to no file outside it."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "goal.yaml").symlink_to(tmp_path / "elsewhere")

    async with seated(settings=A_MODEL) as seat:
        await seat.press("n")
        seat.app.screen.query_one("#folder", Input).value = str(tmp_path / "work")
        await seat.press("ctrl+s")

        assert "is a link, and nothing was written" in seat.text("#said")
    assert not (tmp_path / "elsewhere").exists()
    assert seat.carrier.started == []


async def test_a_goal_is_explained_as_it_is_typed(tmp_path: Path) -> None:
    """A mistake beside its line; started it is written down first."""
    async with seated(settings=A_MODEL) as seat:
        await seat.press("n")
        screen = seat.app.screen
        assert isinstance(screen, StartScreen)
        screen.query_one("#goal", TextArea).text = "goal: x\nask: [start]\n"
        await seat.pilot.pause()
        assert "line 2: " in seat.text("#meaning")
        marked = next(row for row in seat.screen() if "ask: [start]" in row)
        assert "ask: [start]   ◂ " in marked.replace("  ◂", "   ◂", 1)
        assert "line 2: " in seat.text("#said")
        assert "Before this mistake it meant:" in seat.text("#meaning")
        assert "report.md" in seat.text("#meaning")

        screen.query_one("#goal", TextArea).text = "goal: Write a.txt\ndone_when: [{file: a.txt}]\n"
        screen.query_one("#folder", Input).value = str(tmp_path / "new")
        await seat.pilot.pause()
        assert "a.txt" in seat.text("#meaning")
        assert "◂" not in "".join(seat.screen())
        assert "mistake" not in seat.text("#meaning")
        assert seat.text("#said") == ""
        await seat.press("ctrl+s")
        await seat.until(lambda: isinstance(seat.app.screen, RunsScreen))

    assert seat.carrier.started == [tmp_path / "new"]
    assert (tmp_path / "new" / "goal.yaml").read_text().startswith("goal: Write a.txt")


async def test_a_goal_that_lacks_a_plugin_is_not_started(tmp_path: Path) -> None:
    """It is said here, where it can be mended, and not in a log."""
    async with seated(settings=A_MODEL) as seat:
        await seat.press("n")
        seat.app.screen.query_one("#folder", Input).value = str(tmp_path / "new")
        seat.app.screen.query_one("#goal", TextArea).text = "goal: Write a.txt\nplugins: [files, no_such]\n"
        await seat.press("ctrl+s")

        assert "the plugin 'no_such', which isn't installed" in seat.text("#said")
        assert "the goal needs the plugin 'no_such'" in seat.text("#meaning")
    assert seat.carrier.started == []


async def test_a_goal_that_was_never_shown_isn_t_overwritten(tmp_path: Path) -> None:
    """Who writes first and names the folder then is told."""
    (tmp_path / "goal.yaml").write_text("goal: mine\n")

    async with seated(settings=A_MODEL) as seat:
        await seat.press("n")
        seat.app.screen.query_one("#goal", TextArea).text = "goal: another\n"
        seat.app.screen.query_one("#folder", Input).value = str(tmp_path)
        await seat.press("ctrl+s")

        assert "is there already, says something else" in seat.text("#said")
    assert (tmp_path / "goal.yaml").read_text() == "goal: mine\n"
    assert seat.carrier.started == []


async def test_a_goal_that_nobody_would_work_on_is_written_and_not_started(tmp_path: Path) -> None:
    """Which model to set is said before and after."""
    async with seated() as seat:
        await seat.press("n")
        assert "No model is set" in seat.text("#meaning")
        seat.app.screen.query_one("#folder", Input).value = str(tmp_path / "new")
        await seat.press("ctrl+s")

        assert "goal.yaml is written, and nothing started. No model is set" in seat.text("#said")
    assert (tmp_path / "new" / "goal.yaml").is_file()
    assert seat.carrier.started == []


async def test_what_was_written_is_dropped_the_second_time_only() -> None:
    """Esc by mistake loses nothing."""
    async with seated() as seat:
        await seat.press("n", "tab", "x", "escape")
        assert isinstance(seat.app.screen, StartScreen)
        assert "esc once more drops what you wrote" in seat.text("#said")
        await seat.press("escape")
        assert isinstance(seat.app.screen, RunsScreen)


async def test_a_folder_s_name_is_completed(tmp_path: Path) -> None:
    """Folders only, whatever is there; nothing where there is none."""
    (tmp_path / "invoices").mkdir()
    (tmp_path / "in.txt").write_text("")

    folders = Folders()
    assert await folders.get_suggestion(f"{tmp_path}/in") == f"{tmp_path}/invoices"
    assert await folders.get_suggestion(f"{tmp_path}/nothing/x") is None


# --- processes ----------------------------------------------------------------------------------------------


async def test_what_could_not_be_carried_is_told(tmp_path: Path) -> None:
    """A run that was started from here, and that no model is there for."""
    waits = await parked(tmp_path)

    async with seated(run=waits.run) as seat:
        seat.carrier.failed.append("no model is set")
        await seat.until(lambda: "no model is set" in seat.text("#news"))


async def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    """Its last words, and the log that has the others."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "goal.yaml").write_text("goal: x\n")
    background = Background(home())

    log = background.start(work)
    found: list[str] = []
    async with asyncio.timeout(60):
        while not found:
            await asyncio.sleep(0.05)
            found += background.failures()

    assert "no model is set" in found[0]
    assert found[0].endswith(f" · {log}")


async def test_a_process_that_ends_before_its_run_began_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it ended: the journal knows nothing of it."""
    monkeypatch.setenv("MONTY_BIN", "/nowhere/monty")
    home().mkdir(parents=True, exist_ok=True)
    (home() / "config.toml").write_text('[sandbox]\nkind = "monty"\n')
    example(TRIED).copy(tmp_path / "work")
    background = Background(home())

    background.start(tmp_path / "work", tmp_path / "work" / "recording.jsonl")
    found: list[str] = []
    async with asyncio.timeout(60):
        while not found:
            await asyncio.sleep(0.05)
            found += background.failures()

    assert "monty" in found[0]


# --- the list -----------------------------------------------------------------------------------------------


async def test_the_list_is_sorted_anew(tmp_path: Path) -> None:
    """By need first, then newest; the title says so."""
    waits = await parked(tmp_path)
    done = await ran(tmp_path, PROVED, write("a.txt", "x"), finish())

    async with seated() as seat:
        assert waits.run in seat.text("#runs").splitlines()[0]
        await seat.press("o")
        assert done.run in seat.text("#runs").splitlines()[0]
        assert "newest first" in str(seat.app.screen.query_one("#list").border_title)


async def test_control_c_says_how_to_leave(tmp_path: Path) -> None:
    """On the line for news, and no run ends of it."""
    await parked(tmp_path)

    async with seated() as seat:
        await seat.press("ctrl+c")
        assert "q leaves; every run goes on" in seat.text("#news")


async def test_a_run_that_nobody_carries_isn_t_paused(tmp_path: Path) -> None:
    """It stands still already."""
    await parked(tmp_path)

    async with seated() as seat:
        await seat.press("space")
        assert "no process carries it" in seat.text("#news")
