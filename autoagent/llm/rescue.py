"""Tool calls that a model wrote as text. Pure, and never raises."""

from __future__ import annotations

from collections.abc import Sequence

from autoagent.messages import RequestedCall
from autoagent.ports import ToolSchema


def rescue(text: str, offered: Sequence[ToolSchema], *, python: bool = True) -> tuple[RequestedCall, ...]:
    return ()
