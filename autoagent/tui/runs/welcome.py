"""What a person is told where nothing has run yet, and what a run would lack on this machine. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from autoagent.console.line import Line, Part, line
from autoagent.errors import UsageError
from autoagent.examples import TRIED
from autoagent.settings import Settings

if TYPE_CHECKING:
    from autoagent.sandboxes.docker import EngineStatus


def welcome(settings: Settings, engine: EngineStatus | None, key: Callable[[str], str]) -> list[Line]:
    """The list of runs, as long as it is empty. `engine`: `None` until it was looked at.

    `key`: of an action, as sentences name it.
    """
    return [
        line("Nothing has run yet."),
        line(""),
        _key(key("runs.try"), "tries the recorded example: no key, no cost."),
        line(
            f"   It works in a copy, ./{TRIED}, and opens by itself: a plan, its steps, the proof at the end."
        ),
        _key(key("runs.new"), "starts a goal of your own: in a folder with a goal.yaml, or from a template."),
        _key(key("app.help"), f"says what else there is; {key('app.leave')} leaves, and every run goes on."),
        line(""),
        *_model(settings, key("runs.try")),
        *without_docker(settings, engine),
    ]


def _key(key: str, does: str) -> Line:
    return line(Part(key, "accent"), f"  {does}")


def _model(settings: Settings, tries: str) -> Iterator[Line]:
    """Which model a run would ask, drawn from what is set; nobody is asked."""
    if why := modelless(settings):
        yield line(Part(why, "attention"))
        yield line(f"Until then {tries} plays recorded replies.")
        return
    asked = settings.chain("worker")[0]
    yield line(Part(f"Goals are worked on by {asked.model} at {asked.provider or asked.base_url}.", "dim"))


def modelless(settings: Settings, name: str | None = None) -> str:
    """Why nobody would work on a goal that wants the model `name`, in a sentence; empty where one would."""
    try:
        why = settings.modelless(name)
    except UsageError as error:
        why = str(error)
    return f"{why[:1].upper()}{why[1:]}." if why else ""


def without_docker(settings: Settings, engine: EngineStatus | None) -> Iterator[Line]:
    """What scripts run in, where that isn't Docker; nothing before the engine was looked at."""
    if settings.sandbox.kind == "monty":
        yield line(Part(f"As {settings.path} says, scripts run in the small Python subset.", "dim"))
    elif engine is None:
        return
    elif engine.problem and settings.sandbox.kind == "docker":
        yield line(
            Part(f"No Docker here, and config.toml wants it for scripts: {engine.problem}", "attention")
        )
    elif engine.problem:
        yield line(
            Part("No Docker here:", "attention"),
            " scripts run in the small Python subset, without packages. autoagent doctor tells more.",
        )
    elif not engine.has_image:
        yield line(
            Part("Docker is here, without the image that scripts run in:", "attention"),
            " the first run builds it in a minute or two, or autoagent doctor --build now.",
        )
