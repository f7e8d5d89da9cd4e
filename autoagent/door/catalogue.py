"""Many tools behind two: one that finds them by words, one that calls the one that is named.

A model can't read a thousand schemas, so they stay out of the prompt. To policy, to questions and after a
crash a call by name is the call of the tool behind it: its effect, its destination, its files, its checks.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, create_model

from autoagent.door.tools import Arguments, Observation, Power, Tool, ToolContext
from autoagent.errors import NotDone, ToolError
from autoagent.events import Effect
from autoagent.redact import cut, one_line, visible

_FOUND = 8
_WHOLE_SCHEMA = 8_000
_SIGNATURE = 500


@dataclass(frozen=True)
class Offer:
    """One of the tools behind: what is known of it before it is made."""

    name: str
    title: str
    """What it is for, on one line."""
    schema: Mapping[str, Any]
    """JSON schema of its arguments."""
    make: Callable[[], Tool]
    """Called when it is called. Raises `ValueError` where the tool can't be made."""
    about: str = ""
    """More, for who reads all about it."""
    tags: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """What it is, in words, and a digest that changes with anything that it takes."""
        given = json.dumps([self.schema, self.about], sort_keys=True, default=str)
        return f"{self.title} ({hashlib.sha256(given.encode()).hexdigest()[:12]})"

    @cached_property
    def tool(self) -> Tool:
        """Raises `NotDone`."""
        try:
            return self.make()
        except ValueError as error:
            raise NotDone(f"{self.name} can't be called: {one_line(str(error), 300)}") from error


@dataclass(frozen=True)
class Catalogue:
    """What can be called, and how it is found. Pure."""

    offers: Mapping[str, Offer]
    noun: str = "tool"
    """What an entry is called."""

    def named(self, name: str) -> Offer:
        """Raises `NotDone` that says which names are near."""
        found = self.offers.get(name)
        if found is not None:
            return found
        near = get_close_matches(name, self.offers, 3) or [offer.name for offer in self.best(name)[:3]]
        hint = f"did you mean {', '.join(near)}?" if near else "search for it first"
        raise NotDone(f"there is no {self.noun} {one_line(name, 80)!r}; {hint}")

    def found(self, query: str) -> str:
        """What a model reads of a search: what fits best, or all about one that is named."""
        if (offer := self.offers.get(query.strip())) is not None:
            return whole(offer)
        best = self.best(query)
        if not best:
            tags = sorted({tag for offer in self.offers.values() for tag in offer.tags})
            hint = f"; there is something about {one_line(', '.join(tags), 600)}" if tags else ""
            return f"none of {len(self.offers):,} {self.noun}s fits{hint}"
        lines = [f"{offer.name}({signature(offer.schema)})\n    {offer.title}" for offer in best]
        return "\n".join([*lines, "Search for one of these names to read all about it."])

    def best(self, query: str) -> list[Offer]:
        """What fits, best first: words weigh more the rarer they are."""
        scores: dict[str, float] = {}
        for word in set(_words(query)):
            holders = self._index.get(word, {})
            rarity = math.log(1 + len(self.offers) / (1 + len(holders)))
            for name, weight in holders.items():
                scores[name] = scores.get(name, 0) + rarity * weight
        ranked = sorted(scores, key=lambda name: (-scores[name], len(name), name))
        return [self.offers[name] for name in ranked[:_FOUND]]

    @cached_property
    def _index(self) -> dict[str, dict[str, float]]:
        """Word -> name -> how much it speaks for it."""
        index: dict[str, dict[str, float]] = {}
        for name, offer in self.offers.items():
            texts = ((offer.name, 3), (offer.title, 3), (" ".join(offer.tags), 2), (offer.about, 1))
            for text, weight in texts:
                counted = Counter(_words(text))
                length = math.sqrt(sum(counted.values()) or 1)
                for word, count in counted.items():
                    holders = index.setdefault(word, {})
                    holders[name] = holders.get(name, 0) + weight * min(count, 3) / length
        return index


# --- words --------------------------------------------------------------------------------------------------


def whole(offer: Offer) -> str:
    """All about one entry."""
    schema = json.dumps(offer.schema, ensure_ascii=False, separators=(",", ":"))
    about = f"\n{offer.about}" if offer.about else ""
    return visible(f"{offer.name}\n{offer.title}{about}\nIts arguments: {cut(schema, _WHOLE_SCHEMA)}")


def signature(schema: Mapping[str, Any]) -> str:
    """The arguments on one line; those in brackets may be left out."""
    required = schema.get("required") or ()
    given = schema.get("properties") or {}
    needed = [f"{name}: {_kind(about)}" for name, about in given.items() if name in required]
    others = [f"[{name}: {_kind(about)}]" for name, about in given.items() if name not in required]
    return one_line(", ".join([*needed, *others]), _SIGNATURE)


def _kind(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
    kinds, inner = schema.get("type"), schema.get("anyOf") or schema.get("oneOf")
    if isinstance(values := schema.get("enum"), list):
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in values[:6])
    if isinstance(kinds, list):
        return " or ".join(map(str, kinds))
    if kinds == "array":
        return f"list of {_kind(schema.get('items'))}"
    if not kinds and isinstance(inner, list):
        return " or ".join(dict.fromkeys(map(_kind, inner)))
    return str(kinds or "object")


_SPLIT = re.compile(r"[a-z]+(?=[A-Z])|[A-Za-z]+|[0-9]+|[^\W\d_a-zA-Z]+")


def _words(text: str) -> list[str]:
    """In lower case, names in camel case taken apart, without the `s` of a plural."""
    found = [word.lower() for word in _SPLIT.findall(text)]
    return [word[:-1] if len(word) > 3 and word.endswith("s") and word[-2] != "s" else word for word in found]


# --- the two tools ------------------------------------------------------------------------------------------


def tools(prefix: str, catalogue: Catalogue, about: str, *, timeout_s: float) -> tuple[Tool, Tool]:
    """`PREFIX_search` and `PREFIX_call`. `about` says, in our words, what is behind them."""
    noun, count = catalogue.noun, len(catalogue.offers)
    search = Tool(
        name=f"{prefix}_search",
        description=f"Find {noun}s of {about} ({count:,} in all) and what they take.",
        function=_searching(catalogue),
        arguments=_model(query=_text(f"What you want to do, in a few words; or one {noun}'s exact name.")),
        effect="read",
    )
    behind = {name: offer.said for name, offer in catalogue.offers.items()}
    calling = _Calling(
        name=f"{prefix}_call",
        description=f"Call one of the {noun}s that {prefix}_search finds.",
        function=_carrying(catalogue),
        arguments=_model(
            **{noun: _text(f"Its exact name, as {prefix}_search gives it.")},
            arguments=(_Given, Field(default={}, description="What it takes.")),
        ),
        destination=lambda args: "",  # said by the tool behind: see `_Calling`
        timeout_s=timeout_s,
        probe=_probing(catalogue),
        idempotency_key=lambda args: "",  # the probe says where it may be relied on
        behind=behind,
        catalogue=catalogue,
    )
    return search, calling


def _model(**fields: Any) -> type[BaseModel]:
    return create_model("Arguments", __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


def _text(about: str) -> tuple[type, Any]:
    return str, Field(description=about)


def _unpacked(value: object) -> object:
    """Many models write arguments inside of arguments as a text."""
    return json.loads(value) if isinstance(value, str) else value


_Given = Annotated[dict[str, JsonValue], BeforeValidator(_unpacked)]


@dataclass(frozen=True)
class _Calling(Tool):
    """What it says of a call is what the tool behind says."""

    catalogue: Catalogue = field(default_factory=lambda: Catalogue({}))

    def _of(self, args: Mapping[str, Any]) -> tuple[Tool, dict[str, JsonValue]]:
        return self.catalogue.named(str(args[self.catalogue.noun])).tool, dict(args["arguments"])

    def check(self, args: Mapping[str, object]) -> dict[str, JsonValue]:
        checked = super().check(args)
        tool, inner = self._of(checked)
        try:
            return {**checked, "arguments": tool.check(inner)}
        except ToolError as error:
            raise ToolError(f"{error}. It takes: {signature(tool.schema.parameters)}") from None

    def names_of(self, args: Arguments) -> tuple[str, ...]:
        return (self.name, str(args[self.catalogue.noun]), self._of(args)[0].name)

    def kind_of(self, args: Arguments) -> str:
        return one_line(str(args[self.catalogue.noun]), 80)

    def effect_of(self, args: Arguments) -> Effect:
        tool, inner = self._of(args)
        return tool.effect_of(inner)

    def destination_of(self, args: Arguments) -> str | None:
        tool, inner = self._of(args)
        return tool.destination_of(inner)

    def power_of(self, args: Arguments) -> Power:
        tool, inner = self._of(args)
        return tool.power_of(inner)

    def placed(self, args: Arguments) -> dict[str, JsonValue]:
        tool, inner = self._of(args)
        return {**args, "arguments": tool.placed(inner)}

    def paths_in(self, args: Arguments) -> tuple[str, ...]:
        tool, inner = self._of(args)
        return tool.paths_in(inner)

    def sent_in(self, args: Arguments) -> tuple[str, ...]:
        tool, inner = self._of(args)
        return tool.sent_in(inner)

    def typed(self, args: Arguments, files: Mapping[str, str]) -> dict[str, object]:
        tool, inner = self._of(args)
        return {"name": args[self.catalogue.noun], "given": tool.typed(inner, files)}


def _searching(catalogue: Catalogue) -> Callable[..., Awaitable[Observation]]:
    async def search(ctx: ToolContext, query: str) -> Observation:
        return Observation(text=catalogue.found(query), labels=("outside",))

    return search


def _carrying(catalogue: Catalogue) -> Callable[..., Awaitable[str | Observation]]:
    async def call(ctx: ToolContext, name: str, given: dict[str, Any]) -> str | Observation:
        return await catalogue.named(name).tool.function(ctx, **given)

    return call


Found = Literal["done", "not_done", "unknown", "ask"]


def _probing(catalogue: Catalogue) -> Callable[..., Awaitable[Found]]:
    async def probe(ctx: ToolContext, name: str, given: dict[str, Any]) -> Found:
        tool = catalogue.named(name).tool
        found: Found = "unknown" if tool.probe is None else await tool.probe(ctx, **given)
        return "ask" if found == "unknown" and tool.idempotency_key is None else found

    return probe
