"""`run --dry-run`: what a run would do and use, without starting, writing or sending anything."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

from autoagent.cli.checks import Check, as_lines, model_is_set, sandbox_would_be
from autoagent.cli.output import note, out
from autoagent.cli.starting import Request
from autoagent.cli.target import Work, understand
from autoagent.goal import RunCriterion
from autoagent.goal.english import explain
from autoagent.journal.home import home
from autoagent.plugin_host import loading as plugins
from autoagent.plugin_host.installed import installed
from autoagent.sandboxes.docker import probe
from autoagent.settings import Settings, load
from autoagent.wiring import RECORDING


def dry_run(request: Request) -> int:
    """0 where the run would start, 5 where something that it needs is missing. Raises `UsageError`."""
    work = understand(request.target)
    settings = load(home(), os.environ)
    loaded = plugins.load(work.goal, settings=settings, environment=os.environ)
    notes = [*work.notes]
    if not loaded.openable:  # else only a run knows all its tools
        notes += plugins.misspelt(work.goal, plugins.names_of(loaded.tools))
    checks = list(_checks(request, work, settings))
    out(*explain(work.goal).split("\n"), "", *as_lines(checks))
    note(*(f"note: {said}" for said in notes), "nothing was started")
    return 0 if all(check.is_fine for check in checks) else 5


def _checks(request: Request, work: Work, settings: Settings) -> Iterator[Check]:
    yield Check("folder", True, f"{work.workspace}{' (would be made)' if work.is_new else ''}")
    own = work.workspace / RECORDING
    unset = request.model is None and not settings.chain("worker")
    if request.recorded is not None or (unset and own.is_file()):
        yield Check("model", True, f"none: replies are played from {request.recorded or own}")
    else:
        yield model_is_set(settings, request.model or work.goal.model.worker)
    criteria = (*work.goal.done_when, *(c for s in work.goal.plan for c in s.done_when))
    if work.goal.allow.run == "sandbox" or any(isinstance(c, RunCriterion) for c in criteria):
        yield sandbox_would_be(settings, asyncio.run(probe(settings.sandbox)))
    else:
        yield Check("sandbox", True, "none: this goal runs nothing")
    versions = {p.name: f"{p.name} ({p.package} {p.version})" for p in installed()}
    yield Check("plugins", True, ", ".join(versions[name] for name in work.goal.enabled_plugins) or "none")
