"""What every reader of a description agrees on: how it refuses one, and how deep one may be."""

from __future__ import annotations

from autoagent.errors import ToolError

DEEPEST = 100
"""Levels of values in values. GitHub's has 26."""


class Unreadable(ToolError):
    """A description can't be used; the text says what is wrong with it."""
