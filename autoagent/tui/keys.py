"""Keys of one's own: `[keys]` in config.toml, by the names that the cockpit's actions have."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from textual.binding import Binding
from textual.keys import Keys

from autoagent.errors import UsageError
from autoagent.redact import one_line

_EVERYWHERE = ("app", "lines")
"""Actions that every screen has besides its own."""


def known() -> dict[str, Binding]:
    """Every action by its name, such as `runs.resume`, with its usual keys."""
    from autoagent.tui.app import Cockpit
    from autoagent.tui.drawing.lines import Lines
    from autoagent.tui.pages.choosing import ChoiceScreen
    from autoagent.tui.pages.grants import GrantsScreen
    from autoagent.tui.pages.helping import HelpScreen
    from autoagent.tui.pages.memory import MemoryScreen
    from autoagent.tui.pages.plugins import PluginsScreen
    from autoagent.tui.pages.reading import ReadScreen
    from autoagent.tui.past.screen import PastScreen
    from autoagent.tui.questions.asked import AskedScreen
    from autoagent.tui.questions.exact import Exact
    from autoagent.tui.questions.rewording import RewordScreen
    from autoagent.tui.questions.screen import QuestionScreen
    from autoagent.tui.run.screen import RunScreen
    from autoagent.tui.runs.screen import RunsScreen
    from autoagent.tui.starting.screen import StartScreen
    from autoagent.tui.starting.templates import TemplatesScreen

    screens = (RunsScreen, RunScreen, QuestionScreen, PastScreen, StartScreen, TemplatesScreen, MemoryScreen)
    found: dict[str, Binding] = {}
    found_in = (AskedScreen, Exact, RewordScreen, GrantsScreen, PluginsScreen, ReadScreen, HelpScreen)
    for place in (Cockpit, Lines, *screens, ChoiceScreen, *found_in):
        for binding in place.BINDINGS:
            assert isinstance(binding, Binding), f"{place.__name__} has a binding that can't be named"
            assert binding.id is not None, f"{place.__name__} {binding.key!r} has no id"
            found.setdefault(binding.id, binding)
    return found


def keymap(own: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Name of an action -> its keys, as Textual wants them.

    Raises `UsageError` for an action that isn't there, for a key that no keyboard has, and for one that two
    actions of a screen would share.
    """
    actions = known()
    made: dict[str, str] = {}
    for place, keys in own.items():
        for name, key in keys.items():
            if (id := f"{place}.{name}") not in actions:
                raise UsageError(f"[keys] has no action {one_line(id, 60)!r}; {_meant(id, actions)}")
            made[id] = ",".join(_checked(id, key))
    _check_shared(actions, made)
    return made


def _meant(id: str, actions: Mapping[str, Binding]) -> str:
    """The closest names, at most three, and where all of them stand."""
    import difflib  # 4 ms, and only an error needs it

    place = id.partition(".")[0]
    close = difflib.get_close_matches(id.lower()[:80], actions, n=3, cutoff=0.75) or [
        action for action in actions if action.startswith(f"{place}.")
    ]
    places = ", ".join(dict.fromkeys(action.partition(".")[0] for action in actions))
    near = " or ".join(repr(action) for action in close[:3])
    said = f"did you mean {near}?" if near else f"the first part is one of {places}."
    return f"{said} Without it the cockpit opens, and ? there gives the name of each action of a screen"


def _checked(id: str, keys: str) -> Iterator[str]:
    for key in (each.strip() for each in keys.split(",")):
        if not _is_key(key):
            expected = "expected a character, or a name such as f5, ctrl+r, space, slash; several with commas"
            raise UsageError(f"[keys] {id} is {one_line(key, 40)!r}, which is no key; {expected}")
        yield key


def _is_key(key: str) -> bool:
    *_, name = key.split("+") if len(key) > 1 else [key]
    if len(name) <= 1 or name in {each.value for each in Keys}:
        return bool(name) and name.isprintable()
    try:
        unicodedata.lookup(name.replace("_", " "))
    except KeyError:
        return False
    return True


def _check_shared(actions: Mapping[str, Binding], made: Mapping[str, str]) -> None:
    for id, keys in made.items():
        place = id.partition(".")[0]
        for other, binding in actions.items():
            beside = other.partition(".")[0]
            is_beside = place == beside or place in _EVERYWHERE or beside in _EVERYWHERE
            shared = {*_spelled(keys)} & {*_spelled(made.get(other, binding.key))}
            if other != id and is_beside and shared and not _are_apart(id, other, actions):
                key = sorted(shared)[0]
                raise UsageError(f"[keys] {id} = {key!r} is the key of {other} too; give that another one")


def _are_apart(one: str, other: str, actions: Mapping[str, Binding]) -> bool:
    """Whether the two share a key as they come, so that doing so is meant."""
    return bool({*_spelled(actions[one].key)} & {*_spelled(actions[other].key)})


def _spelled(keys: str) -> Iterator[str]:
    """Keys by one name each: `?` is `question_mark`."""
    for key in (each.strip() for each in keys.split(",")):
        is_sign = len(key) == 1 and not key.isalnum()
        yield unicodedata.name(key).lower().replace(" ", "_") if is_sign else key
