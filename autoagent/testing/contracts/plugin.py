"""What autoagent expects of every plugin, as tests: derive from `PluginContract` and name the plugin.

    class TestContract(PluginContract):
        plugin = "autoagent_weather:plugin"

It is what `autoagent plugins check` tries, a test a check. A package's module `rehearsal` is found by itself.
"""

from __future__ import annotations

from typing import ClassVar

import pytest

from autoagent.testing.conformance.examining import examine
from autoagent.testing.conformance.findings import CHECKS, MEANING, CheckName, Report
from autoagent.testing.rehearsal import Rehearsal, rehearsal_of


class PluginContract:
    """One plugin, tried in processes of its own; examined once for all tests of the class."""

    plugin: ClassVar[str]
    """``module:attribute``, as the entry point says it."""
    rehearsal: ClassVar[Rehearsal | None] = None
    """`None`: the package's own, where it has one."""

    @pytest.fixture(scope="class")
    @classmethod
    def report(cls) -> Report:
        """What the checks found."""
        return examine(cls.plugin, cls.rehearsal or rehearsal_of(cls.plugin))

    @pytest.mark.parametrize("check", CHECKS)
    def test_conforms(self, report: Report, check: CheckName) -> None:
        """The check finds nothing wrong with any tool."""
        wrong = [f"{f.tool or report.plugin}: {f.said}" for f in report.wrong if f.check == check]

        assert not wrong, f"{check} ({MEANING[check]}):\n" + "\n".join(wrong)
