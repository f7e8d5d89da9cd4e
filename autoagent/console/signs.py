"""Signs that aren't ASCII, what stands for each where a terminal has none of them, and when that is so.

The one place for both the console and the cockpit. A sign and its stand-in are equally wide, so that nothing
moves that is drawn in columns. Letters of people's languages are no signs, and stay.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

_ALIKE = {
    "+": "✓╭╮╰╯┌┐└┘┏┓┗┛╔╗╚╝├┤┬┴┼┝┥╞╡▛▜▙▟▗▖▝▘",
    "-": "·─━═╍–—−‐▔",
    "|": "│┃║╏▏▎▕▊▉",
    "x": "✗×",
    ">": "▸›→▶",
    "<": "←◂‹◀",
    "^": "↑▲",
    "v": "↓▼",
    "/": "⊘",
    "~": "↺…",
    "o": "●◆",
    ".": "▱○◌⋮",
    "#": "▰█▇▀■",
    "[": "▌",
    "]": "▐",
    ":": "░▒▓",
    "=": "▆▅▄",
    "_": "▁▂▃",
    "'": "‘’",
    '"': "“”",
}
SIGNS: Mapping[str, str] = {
    **{sign: plain for plain, signs in _ALIKE.items() for sign in signs},
    **{chr(dots): "*" for dots in range(0x2801, 0x2900)},  # spinners
    "⏎": "<",
    "🔎": "/ ",  # of the command palette; two columns wide
}
"""Sign -> what stands for it."""
_TABLE = str.maketrans(dict(SIGNS))
_WITHOUT_SIGNS = ("linux", "vt100", "vt102", "vt220", "cons25")
"""Terminals, by `TERM`, whose fonts have letters and lines at most."""


def without_signs(text: str, encoding: str = "utf-8") -> str:
    """The text with ASCII in place of signs; what the encoding hasn't is a question mark."""
    if text.isascii():
        return text
    text = text.translate(_TABLE)
    if _is_unicode(encoding):
        return text
    return "".join(char if _has(encoding, char) else "?" * _width(char) for char in text)


def needs_ascii(
    encoding: str | None,
    environment: Mapping[str, str],
    chosen: bool | None = None,
    *,
    is_terminal: bool = True,
) -> bool:
    """Whether signs are to be ASCII on a stream of this encoding.

    `AUTOAGENT_ASCII` (1 or 0) says so first, then `chosen`, which config.toml may set; else the encoding, the
    locale and the terminal tell; of what is no terminal, the encoding alone.
    """
    if asked := environment.get("AUTOAGENT_ASCII", "").strip():
        return asked != "0"
    if chosen is not None:
        return chosen
    if not _is_unicode(encoding or "utf-8") or not is_terminal:
        return not _is_unicode(encoding or "utf-8")
    locale = environment.get("LC_ALL", "")  # Python takes C for UTF-8, as not every terminal does
    has_letters_only = environment.get("TERM", "") in _WITHOUT_SIGNS
    return has_letters_only or bool(locale and not _is_unicode(locale.rpartition(".")[2]))


def _is_unicode(encoding: str) -> bool:
    return encoding.lower().replace("-", "").startswith("utf")


def _has(encoding: str, char: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
