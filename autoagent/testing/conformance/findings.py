"""What a check finds: one verdict a tool and check, with what to do where it isn't fine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from autoagent.messages import Frozen

CheckName = Literal["schema", "answers", "hostile", "effect", "limits", "cancel", "probe"]
CHECKS: tuple[CheckName, ...] = get_args(CheckName)
Verdict = Literal["fine", "wrong", "not tried"]

_WORST: tuple[Verdict, ...] = ("wrong", "not tried", "fine")

MEANING: dict[CheckName, str] = {
    "schema": "the description and each parameter tell the model what they mean",
    "answers": "the examples end well",
    "hostile": "whatever a model writes gets an answer in words",
    "effect": "it does to files, programs and hosts what it declares, and nothing else",
    "limits": "large inputs and answers stay within its time and output",
    "cancel": "it ends when the run does",
    "probe": "after a crash it neither repeats nor loses what it did",
}


class Finding(Frozen):
    """What a check of a tool came to."""

    tool: str
    """Empty: the plugin as a whole."""
    check: CheckName
    verdict: Verdict
    said: str = ""
    """What is wrong and what to do, or why it wasn't tried."""


@dataclass
class Findings:
    """Collects them: what is wrong counts more than what wasn't tried, and that more than what is fine."""

    found: dict[tuple[str, CheckName], list[Finding]] = field(default_factory=dict)

    def fine(self, tool: str, check: CheckName) -> None:
        self._add(Finding(tool=tool, check=check, verdict="fine"))

    def wrong(self, tool: str, check: CheckName, said: str) -> None:
        self._add(Finding(tool=tool, check=check, verdict="wrong", said=said))

    def not_tried(self, tool: str, check: CheckName, said: str) -> None:
        self._add(Finding(tool=tool, check=check, verdict="not tried", said=said))

    def _add(self, finding: Finding) -> None:
        here = self.found.setdefault((finding.tool, finding.check), [])
        if finding not in here:
            here.append(finding)

    def worst(self, tool: str, check: CheckName) -> Verdict | None:
        """`None`: nothing was found yet."""
        verdicts = [finding.verdict for finding in self.found.get((tool, check), ())]
        return min(verdicts, key=_WORST.index, default=None)

    def told(self) -> tuple[Finding, ...]:
        """For each tool and check the worst: every sentence about what is wrong, else one finding."""
        told: list[Finding] = []
        for (tool, check), found in self.found.items():
            worst = self.worst(tool, check)
            same = [f for f in found if f.verdict == worst]
            told += same if worst == "wrong" else same[:1]
        return tuple(told)


@dataclass(frozen=True)
class Report:
    """A plugin, checked."""

    plugin: str
    tools: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def is_fine(self) -> bool:
        return not self.wrong

    @property
    def wrong(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.verdict == "wrong")

    @property
    def not_tried(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.verdict == "not tried")

    def verdict(self, tool: str, check: CheckName) -> Verdict | None:
        """`None`: the check doesn't apply."""
        return next((f.verdict for f in self.findings if (f.tool, f.check) == (tool, check)), None)
