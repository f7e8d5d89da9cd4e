"""The report as HTML: one file, no script. All foreign text is made visible and escaped here.

The template decides what stands where; it never marks a value as safe.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from datetime import datetime

from autoagent.console.figures import clock, money, several, size
from autoagent.redact import visible
from autoagent.report.charts import curves, graph, strip
from autoagent.report.facts import Report


def page(report: Report) -> str:
    """The whole file."""
    import jinja2  # 40 ms, and only this page needs it

    loader = jinja2.PackageLoader("autoagent", "report")
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=loader,
    )
    style, _, _ = loader.get_source(environment, "report.css")
    environment.filters |= {
        "money": money,
        "clock": clock,
        "size": size,
        "several": several,
        "local": _local,
        "lines": str.splitlines,
        "quoted": shlex.quote,
    }
    return environment.get_template("report.html").render(
        report=report,
        state=report.state,
        outcome=report.outcome,
        started=report.state.started,
        verdict=sentence(report),
        graph=graph(report.state),
        strip=strip(report.ledger),
        curves=curves(report.ledger),
        style=_Style(style),
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
    )


def shown(value: object) -> object:
    """A value as the page prints it: text is made visible, then escaped by the engine.

    What a part of the template made of values has been through here already.
    """
    return visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


class _Style:
    """Our own style sheet, the one text that is no data."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __html__(self) -> str:
        return self._text


def sentence(report: Report) -> str:
    """The verdict, as a sentence."""
    outcome = report.outcome
    proved, all_of_them = outcome.proved, len(outcome.criteria)
    match outcome.ending:
        case "proved" if report.is_past:
            return f"It was proved, then files were taken back: {_verdicts(report)} of what is there now."
        case "proved":
            return f"Proved: {_all(all_of_them)}."
        case "parked":
            waits = several(len(outcome.waiting), "question")
            return f"It waits for you: {waits}. {_so_far(proved, all_of_them)}"
        case "running":
            return f"It is at work. {_so_far(proved, all_of_them)}"
        case _ if all_of_them == 0:
            return f"{outcome.ending.capitalize()}: the goal names no criterion, so nothing could be proved."
        case "unproved":
            return f"Not proved: {_verdicts(report)}."
        case _:
            return f"{outcome.ending.capitalize()}. {_so_far(proved, all_of_them)}"


def _verdicts(report: Report) -> str:
    """`1 of 3 proved, 2 refuted`."""
    found = [each.verdict for each in report.outcome.criteria]
    said = [f"{found.count('proved')} of {len(found)} proved"]
    return ", ".join(said + [f"{found.count(v)} {v}" for v in ("refuted", "unchecked") if v in found])


def _all(count: int) -> str:
    return {1: "the criterion", 2: "both criteria"}.get(count, f"all {count} criteria")


def _so_far(proved: int, count: int) -> str:
    return f"{proved} of {several(count, 'criterion', 'criteria')} proved so far." if count else ""


def _local(at: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return "" if at is None else at.astimezone().strftime(form)
