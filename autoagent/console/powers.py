"""What a goal lets a run do, on one line: from its powers, never from what a plan says. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from autoagent.goal import Goal


def powers(goal: Goal) -> str:
    """`reads all files · writes report.md · runs in the sandbox, no network · no web · sends nothing`."""
    return " · ".join(_each(goal))


def _each(goal: Goal) -> Iterator[str]:
    allow = goal.allow
    yield f"reads {_places(allow.read)}"
    yield f"writes {_places(allow.write)}"
    yield "runs in the sandbox, no network" if allow.run == "sandbox" else "runs nothing"
    if allow.web:
        yield "web: any host" if "*" in allow.web else f"web: {', '.join(allow.web)}"
    else:
        yield "no web"
    for plugin, destinations in allow.send.items():
        yield f"sends with {plugin} " + (
            f"to {', '.join(destinations)}" if destinations else "after your yes"
        )
    if not allow.send:
        yield "sends nothing"
    yield from (f"the secret {secret} at {host}" for secret, host in allow.secrets.items())


def _places(paths: tuple[str, ...]) -> str:
    return "all files" if "." in paths else ", ".join(paths) or "nothing"
