"""docs/plugins-reference.md says what the code says, of every name that a plugin may import."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest
from pages import ROOT, read

import autoagent.door.tools
import autoagent.testing

OTHERS = {"SEARCH"}
"""Names of `autoagent.door.tools` that need no entry of their own: `SearchedAt` says what they are for."""


@pytest.fixture
def reference(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The generator."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "reference", module)
    spec.loader.exec_module(module)
    return module


def test_the_reference_is_up_to_date(reference: ModuleType) -> None:
    """`python docs/reference.py` would change nothing; else run it."""
    assert reference.page() == read("docs/plugins-reference.md")


def test_every_name_of_the_door_has_an_entry() -> None:
    """What `autoagent.door.tools` and `autoagent.testing` offer."""
    page = read("docs/plugins-reference.md")
    names = {*autoagent.door.tools.__all__, *autoagent.testing.__all__} - OTHERS
    scripting = {"Prompt", "ScriptExhausted", "script"}  # the page on Python tells of these

    assert [name for name in sorted(names - scripting) if f"### {name}\n" not in page] == []
