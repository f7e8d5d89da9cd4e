"""The person's own editor, and what can be wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from autoagent.console.editing import in_editor
from autoagent.errors import UsageError

TEXT = '{"to": "bob"}'


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("VISUAL", raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("command", "said"),
    [("vi '", "is no command"), ("rm", "left no file to read"), ("no-such-editor", "can't be started")],
)
def test_an_editor_that_can_not_be_used_is_named(editor: pytest.MonkeyPatch, command: str, said: str) -> None:
    """Whether it is no command, isn't there, or takes the file away."""
    editor.setenv("EDITOR", command)

    with pytest.raises(UsageError, match=said):
        in_editor(TEXT)


def test_an_interrupt_is_the_editor_s(editor: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """^C reaches everybody at the terminal: it ends what is edited with, never who waits for it."""
    script = tmp_path / "edit"
    script.write_text("#!/bin/sh\nkill -INT $PPID\n")
    script.chmod(0o700)
    editor.setenv("EDITOR", str(script))

    assert in_editor(TEXT) == TEXT
