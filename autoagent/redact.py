"""The one place where foreign text is made harmless before a terminal, a log or a file shows it.

Text from models, tools, files and the web is data. It may hold escape sequences, carriage returns,
right-to-left marks, lone surrogates: shown raw, they move the cursor, repaint a dialog or hide a file name.
"""

from __future__ import annotations

import unicodedata

_KEEP = {"\n", "\t"}
# Cc control, Cf format (bidi marks, zero width), Cs surrogates, Co private use, Zl/Zp line separators
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def _is_unsafe(char: str) -> bool:
    return char not in _KEEP and unicodedata.category(char) in _UNSAFE


def visible(text: str) -> str:
    """`text` with everything a terminal could obey spelled out, for example ``\\x1b``; lines are kept."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spell(c) if _is_unsafe(c) else c for c in text)


def one_line(text: str, limit: int = 120) -> str:
    """`text` made visible on one line of at most `limit` characters; a cut is marked with an ellipsis."""
    flat = " ".join(visible(text[: limit * 4]).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def cut(text: str, limit: int) -> str:
    """`text` with its middle left out where it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _spell(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file name that is no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
