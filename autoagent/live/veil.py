"""Text that comes in pieces, shown without the secrets that its record will be without. Pure.

Shown is only what no later piece can make part of a secret: at every time a beginning of what is recorded.
"""

from __future__ import annotations

from autoagent.secrecy import Strike


class Veil:
    """Takes the pieces of one text, cut anywhere."""

    def __init__(self, strike: Strike) -> None:
        self._strike = strike
        self._held = ""

    def take(self, piece: str) -> str:
        """What can be shown now; maybe nothing."""
        text = self._held + piece
        if not self._strike:
            return text
        end = self._strike.settled(text)
        shown, rest = self._strike.text(text[:end]), text[end:]
        if rest and shown + self._strike.text(rest) != self._strike.text(text):
            shown, rest = "", text  # something that ends in a secret may begin another: which one, time shows
        self._held = rest
        return shown
