"""YAML as OpenAPI wants it, YAML 1.2's JSON: `no`, `on` and `2022-11-28` are texts, keys too.

Built from the parser's events: libyaml's own builder recurses in C, and 50,000 brackets end the process.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from autoagent.redact import one_line
from autoagent_openapi.unreadable import DEEPEST, Unreadable

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,100})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}


def yaml_as_json(content: bytes) -> Any:
    """The one document's value; aliases share theirs. Raises `Unreadable`."""
    builder = _Builder()
    try:
        for event in yaml.parse(content, Loader=_LOADER):
            builder.take(event)
    except (ValueError, yaml.YAMLError) as error:
        raise Unreadable(f"it is neither JSON nor YAML: {one_line(str(error), 300)}") from None
    return builder.value


@dataclass
class _Open:
    """A list or a mapping whose end hasn't come yet."""

    made: list[Any] | dict[str, Any]
    anchor: str | None
    key: str | None = None
    """Of a mapping: the key whose value comes next."""

    @property
    def wants_key(self) -> bool:
        return isinstance(self.made, dict) and self.key is None


@dataclass
class _Builder:
    value: Any = None
    _open: list[_Open] = field(default_factory=list)
    _anchors: dict[str, Any] = field(default_factory=dict)
    _documents: int = 0

    def take(self, event: yaml.Event) -> None:
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise Unreadable("it is YAML of several documents")
            case yaml.ScalarEvent() if self._open and self._open[-1].wants_key:
                self._open[-1].key = _key(event)
            case yaml.ScalarEvent():
                self._put(_meant(event), event.anchor)
            case yaml.AliasEvent():
                if event.anchor not in self._anchors:
                    raise Unreadable(
                        f"its YAML refers to {one_line(str(event.anchor), 40)!r}, which isn't there"
                    )
                self._put(self._anchors[event.anchor], None)
            case yaml.SequenceStartEvent():
                self._begin([], event)
            case yaml.MappingStartEvent():
                self._begin({}, event)
            case yaml.CollectionEndEvent():
                ended = self._open.pop()
                self._put(ended.made, ended.anchor)
            case _:
                pass  # begins and ends of the stream and its document

    def _begin(self, made: list[Any] | dict[str, Any], event: yaml.CollectionStartEvent) -> None:
        _check_tag(event.tag)
        self._open.append(_Open(made, event.anchor))
        if len(self._open) > DEEPEST:
            raise Unreadable(f"it is nested deeper than {DEEPEST} levels")

    def _put(self, value: Any, anchor: str | None) -> None:
        """A whole value has come, to where it belongs; only from now on can it be referred to."""
        if anchor is not None:
            self._anchors[anchor] = value
        if not self._open:
            self.value = value
            return
        inside = self._open[-1]
        if isinstance(inside.made, list):
            inside.made.append(value)
        elif inside.key is None:
            raise Unreadable("it has a key that is no text, which JSON has not")
        else:
            inside.made[inside.key] = value
            inside.key = None


def _key(event: yaml.ScalarEvent) -> str:
    _check_tag(event.tag)
    if event.value == "<<" and not event.style:
        raise Unreadable("its YAML merges mappings ('<<'), which JSON has not; write them out")
    return str(event.value)


def _meant(event: yaml.ScalarEvent) -> Any:
    """A text, or what a word without quotes stands for in JSON. Raises `ValueError`."""
    _check_tag(event.tag)
    text = str(event.value)
    if event.style or event.tag is not None:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


def _check_tag(tag: str | None) -> None:
    if tag not in (None, "!", "tag:yaml.org,2002:str"):
        raise Unreadable(
            f"its YAML makes an object of the type {one_line(str(tag), 60)!r}, which JSON has not"
        )
