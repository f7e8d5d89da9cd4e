"""*Always for this destination*: what one covers, literally, and whether a question is covered. Pure.

A grant answers questions about calls and nothing else: it never lifts a denial, a limit or a question whether
something happened. What it covers is compared, never interpreted: no patterns, no case folding, no hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, Field, field_validator

from autoagent.messages import Frozen

Circumstance = Literal["outside", "private", "asked"]
"""`outside`, `private`: what the run has read, or would send; `asked`: its goal wants each sending asked."""


class Rule(Frozen):
    """The calls that an *always* covers; of a question, what an *always* to it would cover."""

    plugin: str
    plugin_hash: str
    """Of its code and settings, and of what it has opened."""
    tool: str
    names: tuple[str, ...] = ()
    """What else the call goes by: the operation behind the tool."""
    kind: str = ""
    """What the call is among others of its tool and destination: `DELETE`."""
    effect: Literal["read", "write", "external"]
    destination: str
    under: tuple[Circumstance, ...] = ()
    """What was so when it was given, sorted; a question in any other circumstance is asked."""
    secrets: tuple[str, ...] = ()
    """Names of the goal's secrets that may go along, sorted."""


class Grant(Frozen):
    """A rule that a person has given, until it is taken back."""

    id: str = Field(min_length=1)
    rule: Rule
    at: AwareDatetime
    run: str
    question: str
    """To which it was the answer."""
    expires_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    ended: str = ""
    """Why, where it has ended before its time."""

    @field_validator("rule")
    @classmethod
    def _names_whom(cls, rule: Rule) -> Rule:
        if not (rule.plugin_hash and rule.tool and rule.destination):
            raise ValueError("names no plugin_hash, tool or destination: it would cover everything")
        return rule

    def holds(self, now: datetime) -> bool:
        return self.ended_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def said(self) -> str:
        """The literal rule."""
        return words(self.rule, self.expires_at)


@dataclass(frozen=True)
class Ruling:
    """What the grants say of a question."""

    grant: str = ""
    """The id of the one that covers it; empty where none does."""
    text: str = ""
    """What that says, for the record."""
    note: str = ""
    """What the person who is asked should know of their grants."""


def answering(grant: Grant) -> Ruling:
    """The yes of a grant."""
    return Ruling(grant.id, f"covered by your always: {grant.said}")


def covers(rule: Rule, asked: Rule) -> bool:
    """Whether a grant of `rule` answers a question that an *always* would make `asked` of."""
    return rule.plugin_hash == asked.plugin_hash and would_cover(rule, asked)


def would_cover(rule: Rule, asked: Rule) -> bool:
    """As `covers`, whatever the plugin's version."""
    fresh = {*asked.under} - {*rule.under} or {*asked.secrets} - {*rule.secrets}
    return _calls(rule) == _calls(asked) and not fresh


def _calls(rule: Rule) -> tuple[object, ...]:
    return rule.plugin, rule.tool, rule.names, rule.kind, rule.effect, rule.destination


def covering(grants: Iterable[Grant], asked: Rule, now: datetime) -> Grant | None:
    """The grant that answers the question; the oldest, where there are several."""
    return next((each for each in grants if each.holds(now) and covers(each.rule, asked)), None)


def outdated(grants: Iterable[Grant], asked: Rule, now: datetime) -> tuple[Grant, ...]:
    """The grants for these very calls of another version of the plugin."""
    return tuple(
        each
        for each in grants
        if each.holds(now)
        and _calls(each.rule) == _calls(asked)
        and each.rule.plugin_hash != asked.plugin_hash
    )


# --- in words -----------------------------------------------------------------------------------------------

_ALSO = {
    ("outside",): "also after outside text was read",
    ("private",): "also after private data was read, private files too",
    ("outside", "private"): "also after outside text and private data were read, private files too",
}


def calls(rule: Rule) -> str:
    """Which calls of whom: `http_request POST to https://example.org/in`."""
    return f"{rule.tool}{rule.kind and f' {rule.kind}'} to {rule.destination}"


def words(rule: Rule, expires_at: datetime | None = None) -> str:
    """The rule, as a person gives it."""
    read = tuple(each for each in ("outside", "private") if each in rule.under)
    parts = [
        calls(rule),
        "in every run",
        "whatever the text and files",
        _ALSO.get(read, ""),
        "also where the goal asks before sending" if "asked" in rule.under else "",
        f"with the secret {' and '.join(rule.secrets)}" if rule.secrets else "",
    ]
    until = f"until {expires_at:%Y-%m-%d %H:%M} UTC or " if expires_at is not None else "until "
    return ", ".join(part for part in (*parts, f"{until}the {rule.plugin} plugin changes") if part)


def left_out(rule: Rule) -> Iterator[str]:
    """What is asked about all the same."""
    if "outside" not in rule.under:
        yield "once a run has read outside text"
    if "private" not in rule.under:
        yield "once a run has read private data, or a private file would leave"
    if "asked" not in rule.under and rule.effect == "external":
        yield "where the goal asks before sending"
    yield f"with {'another' if rule.secrets else 'a'} secret of the goal"
