"""The hash chain of a run: what each entry adds to it, and how it is checked. Pure; knows no database.

The digest of an entry is the SHA-256 of what it says (kind, version, body as stored); its link is the SHA-256
of the link before it, the run, the entry's number, time, epoch, kind, version, and its digest. So each link
stands for everything up to its entry: one that is edited, moved, taken out or put in doesn't fit any more.

A run's first link has `NOTHING` before it, a fork's own first link that of the entry that it was forked at.
Entries from before there was a chain have no links of their own; theirs are computed the same way, and the
last of these, the *anchor*, is what the first chained entry is linked to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from autoagent.errors import StoreDamaged
from autoagent.journal.codec import from_us
from autoagent.ports import Verification

NOTHING = bytes(32)


class StoredEntry(NamedTuple):
    """A row of entries, as it is on disk: damage may have made anything of it."""

    seq: int
    at_us: int
    epoch: int
    kind: str
    version: int
    body: bytes
    digest: bytes | None = None
    """`None`: written before there was a chain."""
    link: bytes | None = None
    blanked: bytes | None = None
    """Where a secret was masked: the digest of what stands there now; `digest` stays that of the original."""


def digest_of(kind: str, version: int, body: bytes) -> bytes:
    """What the entry says, in 32 bytes."""
    return hashlib.sha256(b"%s %d\n%s" % (kind.encode(), version, body)).digest()


def link_of(previous: bytes, run_id: str, entry: StoredEntry, digest: bytes) -> bytes:
    """The entry's link, where `previous` is that of the entry before it."""
    facts = f"{run_id}\n{entry.seq} {entry.at_us} {entry.epoch} {entry.kind} {entry.version}\n"
    return hashlib.sha256(previous + facts.encode() + digest).digest()


def chained(previous: bytes, run_id: str, entries: Iterable[StoredEntry]) -> Iterator[StoredEntry]:
    """New entries with their digests and links, behind an entry whose link is `previous`."""
    for entry in entries:
        digest = digest_of(entry.kind, entry.version, entry.body)
        previous = link_of(previous, run_id, entry, digest)
        yield entry._replace(digest=digest, link=previous)


@dataclass(frozen=True)
class Stretch:
    """The part of a run's entries that was written under one id: its own, or that of a run it comes from."""

    run_id: str
    entries: Iterable[StoredEntry]
    """In order. Iterating may raise `StoreDamaged`."""
    last: int
    """The number that its last entry must have."""
    unchained: int = 0
    """Its entries up to this number were written before there was a chain."""
    anchored_at: int = 0
    """The last entry that is not of this run's own chain: before the chain, or before the fork."""
    anchor: bytes | None = None
    """The link of that entry when the own chain began; `None` where it hasn't."""
    head: bytes | None = None
    """The link that its last entry must have; `None` where nothing says so."""


class _Broken(Exception):
    """Entry `seq` isn't what was written, or isn't there; `entry` is what stands in its place."""

    def __init__(self, seq: int, why: str, entry: StoredEntry | None = None) -> None:
        self.seq, self.why, self.entry = seq, why, entry


class _Check:
    """Walks along the entries of a run, as far as they are good."""

    def __init__(self) -> None:
        self.link = NOTHING
        self.entries = 0
        self.unchained = 0
        self.blanked: list[int] = []

    def walk(self, stretch: Stretch) -> None:
        """Raises `_Broken`."""
        self._anchor(stretch)
        try:
            for entry in stretch.entries:
                self._step(stretch, entry)
        except StoreDamaged as error:
            raise _Broken(self.entries + 1, str(error)) from None
        if self.entries < stretch.last:
            raise _Broken(self.entries + 1, f"it is missing, as are all up to {stretch.last}")
        if stretch.head is not None and stretch.head != self.link:
            raise _Broken(self.entries + 1, f"entries behind {self.entries} were taken out")

    def _step(self, stretch: Stretch, entry: StoredEntry) -> None:
        seq = self.entries + 1
        if entry.seq != seq:
            raise _Broken(seq, "it is missing")
        if seq > stretch.last:
            raise _Broken(seq, "it was put in behind the run's last entry", entry)
        found = digest_of(entry.kind, entry.version, entry.body)
        digest = self._digest(entry, found, stretch.unchained)
        link = link_of(self.link, stretch.run_id, entry, digest)
        if entry.link is not None and entry.link != link:
            why = "it doesn't follow from the entry before it: its time, number or owner was changed, or "
            raise _Broken(seq, why + "entries were moved, taken out or put in", entry)
        self.link, self.entries = link, seq
        self._anchor(stretch)

    def _digest(self, entry: StoredEntry, found: bytes, unchained: int) -> bytes:
        """The digest of what the entry said when it was written."""
        is_old = entry.link is None and entry.seq <= unchained
        self.unchained += is_old
        if is_old and entry.blanked is None:
            return found
        if entry.digest is None or (entry.link is None and not is_old):
            raise _Broken(entry.seq, "it has no digest, so it was not written by autoagent", entry)
        if found != (entry.blanked or entry.digest):
            raise _Broken(entry.seq, "what it says was changed after it was written", entry)
        if entry.blanked is not None:
            self.blanked.append(entry.seq)
        return entry.digest

    def _anchor(self, stretch: Stretch) -> None:
        at = stretch.anchored_at
        if self.entries == at and stretch.anchor is not None and stretch.anchor != self.link:
            what = "before there was a chain" if stretch.unchained else "before the fork"
            raise _Broken(1, f"one of the entries 1 to {at}, which were written {what}, was changed since")


def verify(run_id: str, stretches: Sequence[Stretch]) -> Verification:
    """Whether the entries of a run are what was written; stops at the first that isn't."""
    check = _Check()
    good: int | None = None
    found: dict[str, Any] = {}
    try:
        for stretch in stretches:
            check.walk(stretch)
    except _Broken as broken:
        entry, good = broken.entry, broken.seq - 1
        found = {
            "first_bad": broken.seq,
            "why": broken.why,
            "kind": "" if entry is None else entry.kind,
            "at": None if entry is None else _time(entry.at_us),
        }
    return Verification(
        run=run_id,
        entries=check.entries if good is None else good,
        head=check.link.hex() if check.entries and good in (None, check.entries) else "",
        unchained=check.unchained,
        blanked=tuple(check.blanked),
        **found,
    )


def _time(at_us: object) -> datetime | None:
    try:
        return from_us(at_us) if isinstance(at_us, int) else None
    except StoreDamaged:
        return None
