"""Lines as Textual's content: plain text with a colour a part. Foreign text never becomes markup."""

from __future__ import annotations

from textual.content import Content

from autoagent.console.line import Line

_STYLES = {
    "plain": "",
    "dim": "$quiet",
    "good": "$text-success",
    "bad": "$text-error",
    "attention": "bold $text-warning",
    "accent": "$text-accent",
    "outside": "bold $text-secondary",
    "gone": "strike $quiet",
}


def drawn(*lines: Line) -> Content:
    """Lines, one beneath the other."""
    return Content("\n").join(
        Content.assemble(*((part.shown, _STYLES[part.tone]) for part in each.parts)) for each in lines
    )
