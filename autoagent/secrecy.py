"""Secrets by value: the one host that one may go to, and how it is struck out of everything else. Pure.

Struck out is the value itself, as JSON, URLs and HTML write it, in base64 at each of its three alignments, in
hex and in UTF-16. What is encrypted, packed or otherwise disguised isn't recognised.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast
from urllib.parse import quote, quote_plus, unquote, urlsplit

from pydantic import BaseModel, SecretStr

SHORTEST = 8
"""Characters of a secret that is struck out by value: a shorter one may stand anywhere by chance."""
_SHORTEST_LINE = 20
_RUN = re.compile(r"[A-Za-z0-9]+")
_ESC = r"\\{1,8}"
"""Backslashes: JSON in JSON in JSON has seven. With a limit, so that millions of them don't cost hours."""
_BREAK = rf"(?:{_ESC}[rn]|%0[AaDd]|[\r\n]){{0,6}}"
"""Where base64 may be broken into lines, raw or inside JSON and URLs."""
_SHORTEST_BASE64_LINE = 60
_UNFINISHED = (
    rf"(?:{_ESC}(?:[ux][0-9A-Fa-f]{{0,5}})?|%(?:[0-9A-Fa-f]{{1,2}}%){{0,3}}[0-9A-Fa-f]{{0,2}}"
    r"|&#?[0-9A-Za-z]{0,16}|\r)"
)
"""The beginning of a sign that is no letter or digit, in any of the ways to write one."""
_FIRST_ATOMS = 16
"""Of a secret: what has so much in common with it is taken for it until much more is known."""
_TRAIL = 24
"""Characters after a secret that may still belong to it: the end of base64."""
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class BoundSecret:
    """A secret that the client attaches to requests to one host, and to no others."""

    name: str
    host: str
    """`host` or `host:port`, as the goal names it."""
    value: SecretStr
    header: str = "authorization"
    """In lower case."""
    format: str = "Bearer {}"

    @property
    def header_value(self) -> str:
        return self.format.replace("{}", self.value.get_secret_value())


@dataclass(frozen=True)
class _Form:
    """One way to write a secret."""

    atoms: tuple[str, ...]
    """Patterns, one a sign."""
    needles: tuple[str, ...]
    """In lower case; one of them stands in each text that the pattern matches. Looking for them is quick."""
    encoding: str = "latin-1"
    """Of what is put in its place, in bytes."""
    between: str = ""
    """Pattern of what may stand between two signs; it may be nothing."""
    after: str = ""
    """Pattern of what belongs to it behind the last sign; it may be nothing."""
    flags: re.RegexFlag = re.NOFLAG

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.between.join(self.atoms) + self.after, self.flags)

    @cached_property
    def begun(self) -> re.Pattern[str]:
        """Finds where, at the end of a text, something begins that more text can make this form."""
        is_whole = len(self.atoms) <= _FIRST_ATOMS
        longest = _TRAIL if is_whole else len(self.atoms) * (64 if self.between else 14)
        rest = rf"[\s\S]{{0,{longest}}}\Z"
        for atom in reversed(self.atoms[1:_FIRST_ATOMS]):
            rest = rf"(?:{self.between}{atom}{rest}|{self.between}{_UNFINISHED}?\Z)"
        first, whole = self.atoms[0], self.pattern.pattern
        over = "" if is_whole else rf"(?!{whole}[\s\S]{{{_TRAIL}}})"
        return re.compile(rf"{over}{first}{rest}|(?!{first}){_UNFINISHED}\Z", self.flags)

    def struck(self, text: str, name: str) -> str:
        put = f"[{name}]".encode(self.encoding, "replace").decode("latin-1")
        return self.pattern.sub(lambda _: put, text)


class Strike:
    """Strikes secrets out of texts; `Strike({})` leaves all as it is. In a value's place stands its name."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        """`secrets`: name -> value. One that is shorter than `SHORTEST` is left out."""
        known = [(name, value) for name, value in secrets.items() if len(value) >= SHORTEST]
        known.sort(key=lambda each: len(each[1]), reverse=True)  # one may hold another
        self._forms = [(name, [*_forms(value)]) for name, value in known]
        self._of_bytes = [(name, [*_forms(value, _as_bytes), *_wide(value)]) for name, value in known]
        self.longest = max((len(value.encode()) for _, value in known), default=0) * 14
        """Characters that a secret takes at most, however it is written: JSON in JSON makes 13 of one."""

    def __bool__(self) -> bool:
        return bool(self._forms)

    def text(self, text: str) -> str:
        """The text without the secrets, each replaced by its name in brackets."""
        return _struck(text, self._forms)

    def settled(self, text: str) -> int:
        """How many characters stand before the first that more text can make part of a secret."""
        found = (form.begun.search(text) for _, forms in self._forms for form in forms)
        return min((begun.start() for begun in found if begun is not None), default=len(text))

    def data(self, data: bytes) -> bytes:
        """As `text`, of bytes in any encoding that keeps ASCII, or in UTF-16."""
        if not self._of_bytes:
            return data
        text = data.decode("latin-1")
        struck = _struck(text, self._of_bytes)
        return data if struck is text else struck.encode("latin-1")

    def names_in(self, data: bytes) -> tuple[str, ...]:
        """The secrets that stand in the data."""
        text = data.decode("latin-1") if self._of_bytes else ""
        return tuple(name for name, forms in self._of_bytes if _struck(text, [(name, forms)]) is not text)

    def model(self, model: M) -> M:
        """A frozen model without the secrets; the same one where it holds none."""
        if not self._forms:
            return model
        before = model.model_dump()
        after = self._value(before)
        return model if after is before else type(model).model_validate(after)

    def _value(self, value: object) -> object:
        """The value without the secrets; the very same one where it holds none."""
        match value:
            case str():
                return self.text(value)
            case dict():
                rows = {cast(str, self._value(k)): self._value(v) for k, v in value.items()}
                return value if _same(rows, value) else rows
            case list() | tuple():
                items = [self._value(item) for item in value]
                return value if all(a is b for a, b in zip(items, value, strict=True)) else type(value)(items)
            case _:
                return value


def _same(rows: Mapping[str, object], value: Mapping[str, object]) -> bool:
    return all(k in rows and rows[k] is v for k, v in value.items())


def _struck(text: str, secrets: list[tuple[str, list[_Form]]]) -> str:
    """The very same text where nothing is struck."""
    if len(text) < SHORTEST or not secrets:
        return text
    lowered = text.lower()
    for name, forms in secrets:
        for form in forms:
            for needle in form.needles:  # of a run's work with secrets this is nearly all
                if needle in lowered:
                    struck = form.struck(text, name)
                    if struck != text:
                        text, lowered = struck, struck.lower()
                    break
    return text


def spellings(value: str) -> tuple[str, ...]:
    """A secret in base64 (what it alone decides, at each alignment), in hex, and percent-encoded.

    Empty for one of less than `SHORTEST` characters, which would be found everywhere.
    """
    if len(value) < SHORTEST:
        return ()
    data = value.encode("utf-8", "surrogatepass")
    signs = [_signs(data, lead)[0] for lead in range(3)]
    urlsafe = [each.translate(str.maketrans("+/", "-_")) for each in signs]
    percent = [quote(data), quote(data, safe=""), quote_plus(data)]
    found = (*signs, *urlsafe, data.hex(), data.hex().upper(), *percent)
    return tuple(dict.fromkeys(each for each in found if each != value))


# --- the ways to write one ----------------------------------------------------------------------------------


def _forms(value: str, seen: Callable[[str], str] = str) -> Iterator[_Form]:
    """`seen` is what stands in the text for a sign beyond ASCII."""
    for plain in _parts(value):
        yield _plain(plain, seen)
        data = plain.encode("utf-8", "surrogatepass")
        percent = tuple(f"%{byte:02x}" for byte in data)
        yield _Form(percent, ("".join(percent),), flags=re.IGNORECASE)
        yield _Form(tuple(data.hex()), (data.hex(),), flags=re.IGNORECASE)
        for lead in range(3):
            yield _base64(data, lead)


def _parts(value: str) -> Iterator[str]:
    """The value, each long line of one that has several, and the password of a URL."""
    yield value
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE)
    if "://" in value:
        try:
            password = urlsplit(value).password or ""
        except ValueError:  # no URL after all
            return
        yield from (p for p in dict.fromkeys((password, unquote(password))) if len(p) >= SHORTEST)


def _plain(value: str, seen: Callable[[str], str]) -> _Form:
    atoms = tuple(c if _RUN.fullmatch(c) else _escaped(c, seen) for c in value)
    return _Form(atoms, _needles(value))


def _escaped(char: str, seen: Callable[[str], str]) -> str:
    """One sign that is no letter or digit, as programs write it."""
    code, data = ord(char), char.encode("utf-8", "surrogatepass")
    raw = re.escape(seen(char))
    ways = [raw, _ESC + raw, "".join(f"%(?i:{byte:02x})" for byte in data)]
    ways += [rf"{_ESC}u(?i:{code:04x})", rf"{_ESC}x(?i:{code:02x})"]
    ways += [rf"&#0{{0,7}}{code};", rf"&#[xX]0{{0,7}}(?i:{code:x});"]
    ways += {"&": ["&amp;"], "<": ["&lt;"], ">": ["&gt;"], '"': ["&quot;"], "'": ["&apos;"]}.get(char, [])
    ways += {" ": [r"\+"], "\n": [_ESC + "n", r"\r\n"], "\r": [_ESC + "r"], "\t": [_ESC + "t"]}.get(char, [])
    return f"(?:{'|'.join(ways)})"


def _base64(data: bytes, lead: int) -> _Form:
    signs, end = _signs(data, lead)
    ways = {"+": rf"(?:[+-]|%2[Bb]|{_ESC}u002[bB])", "/": rf"(?:[/_]|{_ESC}/|%2[Ff]|{_ESC}u002[fF])"}
    atoms = tuple(ways.get(sign, sign) for sign in signs)
    after = f"(?:{ways.get(end, end)}={{0,2}}(?![A-Za-z0-9+/_-]))?" if end else "=*"
    half = min(len(signs), _SHORTEST_BASE64_LINE) // 2  # a line may end in one half, not in both
    needles = (*_needles(signs[:half]), *_needles(signs[half : 2 * half]))
    return _Form(atoms, needles, between=_BREAK, after=after)


def _signs(data: bytes, lead: int) -> tuple[str, str]:
    """The signs that `data` alone decides, where `lead` bytes stand before it in its group of three.

    One at each end is decided by its neighbours too; the last one as it is where nothing follows.
    """
    first, last = -(-lead * 8 // 6), (lead + len(data)) * 8 // 6
    encoded = base64.b64encode(b"\0" * lead + data).decode()
    return encoded[first:last], encoded[last:].rstrip("=")


def _needles(value: str) -> tuple[str, ...]:
    """The longest run of letters and digits in it, which all programs write as they are; empty: any text."""
    return (max(_RUN.findall(value), key=len, default="").lower(),)


def _wide(value: str) -> Iterator[_Form]:
    """As UTF-16 has it, seen as bytes."""
    for encoding in ("utf-16-le", "utf-16-be"):
        seen = value.encode(encoding, "surrogatepass").decode("latin-1")
        yield _Form((re.escape(seen),), (seen.lower(),), encoding)


def _as_bytes(value: str) -> str:
    return value.encode("utf-8", "surrogatepass").decode("latin-1")
