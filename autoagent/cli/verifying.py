"""`verify`: whether a run's journal, and every object that it refers to, is what was written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from autoagent.cli.output import out, out_json
from autoagent.console.figures import several
from autoagent.console.finding import find_run, opened
from autoagent.console.line import Line, Part, dotted, line, short
from autoagent.errors import ObjectBlanked, StoreUnavailable
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.references import references
from autoagent.ports import Verification
from autoagent.redact import visible

_MOST = 20


@dataclass(frozen=True)
class Verified:
    """The chain of a run, and its objects."""

    chain: Verification
    objects: int
    """How many were looked at."""
    missing: str = ""
    """The first object that isn't what was written, and why; empty where all are."""
    blanked: tuple[str, ...] = ()
    """Objects whose bytes were removed on purpose."""

    @property
    def is_whole(self) -> bool:
        return self.chain.first_bad is None and not self.missing

    def record(self) -> dict[str, JsonValue]:
        """For programs."""
        fields: dict[str, JsonValue] = self.chain.model_dump(mode="json")
        return {
            **fields,
            "objects": self.objects,
            "missing": self.missing,
            "blanked_objects": list(self.blanked),
            "whole": self.is_whole,
        }


def verify(prefix: str, *, as_json: bool) -> int:
    """The exit status."""
    with opened() as journal:
        found = verified(journal, find_run(journal, prefix))
    if as_json:
        out_json(found.record())
    else:
        out(*_lines(found))
    return 0 if found.is_whole else 1


def verified(journal: SqliteJournal, run_id: str) -> Verified:
    """The chain first; objects are looked at as far as it is good."""
    chain = journal.verify(run_id)
    entries = journal.read(run_id, upto=chain.entries)
    looked, blanked = 0, []
    for each in references(entries, journal.objects):
        looked += 1
        try:
            journal.objects.open(each.sha256).close()
        except ObjectBlanked:
            blanked.append(str(each))
        except StoreUnavailable as error:
            return Verified(chain, looked, f"{each}: {error}", tuple(blanked))
    return Verified(chain, looked, "", tuple(blanked))


def _lines(found: Verified) -> Iterator[Line]:
    chain = found.chain
    if chain.first_bad is not None:
        yield from _broken(chain)
    else:
        count = several(chain.entries, "entry", "entries")
        yield dotted(line(Part("✓ ", "good"), f"run {chain.run}"), f"{count}, as they were written")
        yield line(f"  head {chain.head}")
    if chain.unchained:
        yield line(f"  entries 1 to {chain.unchained} were written before there was a chain")
    if chain.blanked:
        yield line(f"  blanked: {_numbers(chain.blanked)}")
    if found.missing:
        yield line(Part("✗ ", "bad"), visible(found.missing))
    elif chain.first_bad is None:
        yield line(f"  {several(found.objects, 'object')} there, and whole")
    yield from (line("  blanked: ", short(each, 120)) for each in found.blanked[:_MOST])


def _broken(chain: Verification) -> Iterator[Line]:
    named = f" ({_kind_and_time(chain)})" if chain.kind else ""
    yield line(Part("✗ ", "bad"), f"run {chain.run}: entry {chain.first_bad}{named} is not what was written")
    yield line("  ", short(chain.why, 300))
    if chain.entries:
        yield line(f"  the {chain.entries} before it are: head {chain.head}")
        yield line(
            f"next: restore the journal from a copy, or: autoagent fork {chain.run} --at {chain.entries}"
        )
    else:
        yield line("next: restore the journal from a copy")


def _kind_and_time(chain: Verification) -> str:
    """Kind and time of the first bad entry, as far as they can be read."""
    at = "" if chain.at is None else f", {chain.at.astimezone():%Y-%m-%d %H:%M:%S}"
    return visible(chain.kind)[:40] + at


def _numbers(entries: Sequence[int]) -> str:
    more = f" and {len(entries) - _MOST} more" if len(entries) > _MOST else ""
    return ", ".join(map(str, entries[:_MOST])) + more
