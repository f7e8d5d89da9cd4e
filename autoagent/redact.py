"""The one place where foreign text is made harmless before a terminal, a log or a file shows it.

Text from models, tools, files and the web is data. It may hold escape sequences, carriage returns,
right-to-left marks, lone surrogates: shown raw, they move the cursor, repaint a dialog or hide a file name.
"""

from __future__ import annotations

import unicodedata

_KEEP = {"\n", "\t"}
# Cc control, Cf format (bidi, zero width), Cs surrogates, Co private use, Cn unassigned, Zl/Zp separators
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_UNSEEN = {
    "\u034f",  # combining grapheme joiner
    "\u115f",  # Hangul fillers
    "\u1160",
    "\u3164",
    "\uffa0",
    "\u17b4",  # Khmer inherent vowels
    "\u17b5",
    *map(chr, range(0x180B, 0x1810)),  # Mongolian variation selectors
    *map(chr, range(0xFE00, 0xFE10)),  # variation selectors: a text can be hidden in them
    *map(chr, range(0xE0100, 0xE01F0)),
}
"""Letters and marks that no font draws."""
_EMOJI = "\ufe0f"
"""Follows a sign that is to be drawn as an emoji; common, and harmless there."""


def _is_unsafe(char: str, before: str) -> bool:
    if char == _EMOJI and unicodedata.category(before) in ("So", "Sm", "Po"):
        return False
    return char not in _KEEP and (unicodedata.category(char) in _UNSAFE or char in _UNSEEN)


def visible(text: str) -> str:
    """`text` with everything a terminal could obey spelled out, for example ``\\x1b``; lines are kept."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        _spell(c) if _is_unsafe(c, before) else c for before, c in zip(" " + text, text, strict=False)
    )


def one_line(text: str, limit: int = 120) -> str:
    """`text` made visible on one line of at most `limit` characters; a cut is marked with an ellipsis."""
    looked_at = text[: limit * 4]  # a text of megabytes isn't made visible for one line
    flat = " ".join(visible(looked_at).split())
    if len(flat) <= limit and len(looked_at) == len(text):
        return flat
    return flat[: max(limit - 1, 0)] + "…"[:limit]


def cut(text: str, limit: int) -> str:
    """`text` with its middle left out where it is longer than `limit` characters; the note comes on top."""
    if len(text) <= limit:
        return text
    half = limit // 2
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n… {left_out} characters left out …\n{text[len(text) - half :]}"


def _spell(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
