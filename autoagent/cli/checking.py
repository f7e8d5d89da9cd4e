"""`plugins check`: a plugin's report as a table, with a sentence for each thing that isn't fine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from autoagent.cli.output import note
from autoagent.console.line import Line, Part, columns, line
from autoagent.errors import UsageError
from autoagent.journal.home import home
from autoagent.plugin_host.installed import installed, missing
from autoagent.settings import load
from autoagent.testing.conformance.examining import examine
from autoagent.testing.conformance.findings import CHECKS, CheckName, Finding, Report
from autoagent.testing.rehearsal import Rehearsal, rehearsal_of


def checked(name: str, really_send: bool) -> Report:
    """Raises `UsageError` for a plugin that isn't there or lacks a package.

    What is really sent goes out by the person's own settings.
    """
    if problem := next(missing([name], "you ask for"), None):
        raise UsageError(problem)
    target = next(plugin.target for plugin in installed() if plugin.name == name)
    rehearsal = rehearsal_of(target) or Rehearsal()
    if really_send:
        own = load(home(), os.environ).plugins.get(name, {})
        rehearsal = replace(rehearsal, settings=own, secrets=dict(os.environ))
    note(f"trying {name}; this takes some seconds")
    return examine(target, rehearsal, really_send=really_send)


def record(report: Report) -> dict[str, object]:
    """For programs."""
    return {
        "plugin": report.plugin,
        "is_fine": report.is_fine,
        "tools": list(report.tools),
        "findings": [finding.model_dump(mode="json") for finding in report.findings],
    }


def as_lines(report: Report) -> Iterator[Line]:
    """A row a tool, a column a check; then sentences."""
    head = (Part(""), *(Part(check, "dim") for check in CHECKS))
    if report.tools:
        yield from columns([head, *((Part(tool), *_signs(report, tool)) for tool in report.tools)])
    for finding in (*report.wrong, *report.not_tried):
        yield line(_sentence(finding, report))
    yield line(_sum(report))


def _signs(report: Report, tool: str) -> Iterator[Part]:
    return (_sign(report, tool, check) for check in CHECKS)


def _sign(report: Report, tool: str, check: CheckName) -> Part:
    match report.verdict(tool, check):
        case "fine":
            return Part("✓")
        case "wrong":
            return Part("✗", "bad")
        case "not tried":
            return Part("–", "attention")
        case None:
            return Part("")


def _sentence(finding: Finding, report: Report) -> str:
    sign = "✗" if finding.verdict == "wrong" else "–"
    return f"{sign} {finding.tool or report.plugin}, {finding.check}: {finding.said}"


def _sum(report: Report) -> str:
    if not report.tools and report.is_fine:
        return f"{report.plugin}: nothing wrong, and no tool to try"
    if not report.is_fine:
        return f"{report.plugin}: {len(report.wrong)} wrong, {len(report.not_tried)} not tried"
    return f"{report.plugin}: nothing wrong" + (
        f", {len(report.not_tried)} not tried" if report.not_tried else ""
    )
