"""`runs blank`: takes a leaked secret out of a run. The secret is read, and never an argument."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from autoagent.cli.output import note, out
from autoagent.console.figures import several
from autoagent.console.finding import find_run, opened
from autoagent.console.line import Line, line, short
from autoagent.errors import StoreUnavailable, UsageError
from autoagent.journal.masking import forms_of
from autoagent.journal.sqlite import SqliteJournal
from autoagent.past.references import Reference, references
from autoagent.ports import Blanked

_CHUNK_BYTES = 1 << 20


def blank(prefix: str, *, with_objects: bool) -> None:
    """Raises `UsageError`, `RunOwned`, `StoreUnavailable`."""
    with opened() as journal:
        run_id = find_run(journal, prefix)
        secret = _secret()
        holders = [*_holders(journal, run_id, secret)]
        removed = [each.sha256 for each in holders] if with_objects else []
        done = journal.blank(run_id, secret, removed)
        is_in_path = any(form in journal.head(run_id).workspace for form in forms_of(secret))
    out(*_lines(run_id, done, holders, with_objects))
    if is_in_path:
        note("the path of the run's workspace holds it too, and stays: without it the run can't be resumed")


def _secret() -> str:
    """One text from the terminal, where nobody sees it, or all of stdin but its last line break."""
    if sys.stdin.isatty():
        import getpass

        secret = getpass.getpass("the secret (it isn't shown): ", sys.stderr)
    else:
        secret = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not secret:
        raise UsageError("no secret was given; type it, or give it on stdin")
    return secret


def _holders(journal: SqliteJournal, run_id: str, secret: str) -> Iterator[Reference]:
    """The objects of the run that hold the secret, names of files included."""
    forms = [form.encode("utf-8", "surrogateescape") for form in forms_of(secret) if _is_bytes(form)]
    for each in references(journal.read(run_id), journal.objects):
        try:
            with journal.objects.open(each.sha256) as stream:
                is_holder = _holds(stream, forms)
        except StoreUnavailable as error:
            note(f"not looked at: {each}: {error}")
            continue
        if is_holder:
            yield each


def _holds(stream: BinaryIO, forms: Sequence[bytes]) -> bool:
    """Whether one of `forms` stands in the stream, which is read piece by piece."""
    overlap, before = max(map(len, forms)), b""
    while chunk := stream.read(_CHUNK_BYTES):
        window = before + chunk
        if any(form in window for form in forms):
            return True
        before = window[-overlap:]
    return False


def _is_bytes(text: str) -> bool:
    """Whether a file can hold it: half a character is no byte of anything."""
    return not any("\ud800" <= c <= "\udfff" and not "\udc80" <= c <= "\udcff" for c in text)


def _lines(run: str, done: Blanked, holders: Sequence[Reference], removed: bool) -> Iterator[Line]:
    entries, commands = several(len(done.entries), "entry", "entries"), several(len(done.commands), "command")
    yield line(f"run {run}: masked in {entries} and {commands}; the chain holds")
    if holders:
        said = "removed, for all runs" if removed else "still there"
        yield line(f"{several(len(holders), 'object')} that held it: {said}")
        yield from (line("  ", short(str(each), 120)) for each in holders)
    if holders and not removed:
        yield line(f"to remove these too: autoagent runs blank {run} --objects")
    yield line("Not found: the secret in another spelling (packed, encrypted, in two pieces).")
    yield line("Not looked at: other runs, your folders, long-term memory, logs, and copies of this home.")
