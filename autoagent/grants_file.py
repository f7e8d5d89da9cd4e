"""The person's own grants, in one file of their home: read anew for each question, written whole.

A head line, then a grant a line, as JSON. A file that others may write, or of which one line isn't what it
should be, counts for nothing and is never written: no grant is better than a wrong one.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from autoagent.errors import NewerVersion, StoreDamaged, StoreUnavailable, UsageError
from autoagent.grants import Grant, Rule, Ruling, answering, calls, covering, outdated
from autoagent.ids import new_id
from autoagent.questions import Question

FILE_NAME = "grants.jsonl"
_VERSION = 1
_MOST_BYTES = 1_000_000
_KEPT_ENDED = 200
"""Grants that have ended are kept to be looked at, the newest so many."""
_PATIENCE_S = 10.0
_ID_LETTERS = 6


class GrantsFile:
    """`grants.jsonl` of a home. Any number of processes may use it at once."""

    def __init__(self, home: Path) -> None:
        self.path = home / FILE_NAME

    def read(self) -> tuple[Grant, ...]:
        """All of them, ended ones too, oldest first.

        What can't be read as a whole gives none at all: raises `StoreUnavailable`, `NewerVersion`.
        """
        content = self._content()
        if content is None:
            return ()
        head, *lines = content.removesuffix(b"\n").split(b"\n")
        self._check_head(head)
        found = tuple(self._grant(line, number) for number, line in enumerate(lines, 2))
        taken: set[str] = set()
        for number, grant in enumerate(found, 2):
            if grant.id in taken:
                raise self._damaged(number, f"the grant {grant.id!r} is there twice")
            taken.add(grant.id)
        return found

    def look_up(self, question: Question, now: datetime) -> Ruling:
        """What the grants say of a question. One of another version of the plugin ends with that.

        Where the file can't be read none counts, and the person is told.
        """
        asked = question.explained.always
        if asked is None:
            return Ruling()
        try:
            known = self.read()
            if (grant := covering(known, asked, now)) is not None:
                return answering(grant)
            over = outdated(known, asked, now)
            why = f"the {asked.plugin} plugin has changed"
            for each in over:
                self._end(each.id, now, why)
        except (StoreUnavailable, NewerVersion) as error:
            return Ruling(note=f"none of your always counts: {error}")
        return Ruling(note=f"your always for {calls(asked)} has ended: {why}" if over else "")

    def add(self, question: Question, rule: Rule, now: datetime, expires_at: datetime | None = None) -> Grant:
        """A new grant, given as the answer to a question; durable when it returns.

        Raises as `read` does: then there is none.
        """
        with self._alone():
            known = self.read()
            taken = {each.id for each in known}
            id = next(id for id in iter(lambda: new_id(_ID_LETTERS), "") if id not in taken)
            made = Grant(
                id=id,
                rule=rule,
                at=now,
                run=question.subject.run,
                question=question.id,
                expires_at=expires_at,
            )
            self._write((*known, made))
        return made

    def revoke(self, prefix: str, now: datetime) -> Grant:
        """End the grant whose id starts so; it counts no more from now on.

        Raises `UsageError` where there is no such grant that holds, and as `read` does.
        """
        with self._alone():
            holding = {each.id: each for each in self.read() if each.holds(now)}
            fitting = [id for id in holding if prefix and id.startswith(prefix)]
            if len(fitting) != 1:
                what = f"could be {', '.join(fitting)}" if fitting else "is no grant that holds"
                raise UsageError(f"{prefix[:40]!r} {what}; 'autoagent grants' lists them")
            self._put_end(fitting[0], now, "you took it back")
        return holding[fitting[0]]

    def _end(self, id: str, now: datetime, why: str) -> None:
        with self._alone():
            self._put_end(id, now, why)

    def _put_end(self, id: str, now: datetime, why: str) -> None:
        end = {"ended_at": now, "ended": why}
        known = self.read()
        self._write([x.model_copy(update=end) if x.id == id and x.ended_at is None else x for x in known])

    # --- reading --------------------------------------------------------------------------------------------

    def _content(self) -> bytes | None:
        """The file as it is; `None` where there is none."""
        try:
            # a pipe must not keep a run waiting, and a link leads to somebody else's file
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            why = "is a link; put the file itself there" if self.path.is_symlink() else error.strerror
            raise StoreUnavailable(f"{self.path}: can't be read: {why}") from error
        try:
            self._refuse_others(os.fstat(descriptor))
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(_MOST_BYTES + 1)
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: can't be read: {error.strerror}") from error
        finally:
            os.close(descriptor)
        if len(content) > _MOST_BYTES:
            raise StoreDamaged(f"{self.path}: is longer than {_MOST_BYTES // 1_000_000} MB; {_ADVICE}")
        return content

    def _refuse_others(self, status: os.stat_result) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if not stat.S_ISREG(status.st_mode):
            raise StoreUnavailable(f"{self.path}: is no file; {_ADVICE}")
        if status.st_uid != os.geteuid() or mode & 0o077:
            raise StoreUnavailable(
                f"{self.path}: others may read or write it (mode {mode:o}); look at what it says, then: "
                f"chmod 600 {self.path}, and have it belong to you"
            )

    def _check_head(self, line: bytes) -> None:
        try:
            version = json.loads(line)["autoagent_grants"]
        except (ValueError, RecursionError, LookupError, TypeError) as error:
            raise self._damaged(1, 'expected {"autoagent_grants": 1}') from error
        if not isinstance(version, int) or version < 1:
            raise self._damaged(1, f"{version!r} is no version")
        if version > _VERSION:
            raise NewerVersion(f"{self.path}", version, _VERSION)

    def _grant(self, line: bytes, number: int) -> Grant:
        try:
            return Grant.model_validate_json(line)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise self._damaged(number, f"{where and f'{where}: '}{first['msg']}") from error

    def _damaged(self, number: int, why: str) -> StoreDamaged:
        return StoreDamaged(f"{self.path}:{number}: {why}; {_ADVICE}")

    # --- writing --------------------------------------------------------------------------------------------

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, over reading and writing. Raises `StoreUnavailable`."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(
                self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: can't be written: {error.strerror}") from error
        try:
            self._take(lock)
            yield
        finally:
            os.close(lock)

    def _take(self, lock: int) -> None:
        until = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise StoreUnavailable(
                        f"{self.path}: another process has been writing it for {_PATIENCE_S:g} s"
                    ) from None
                time.sleep(0.01)

    def _write(self, grants: Sequence[Grant]) -> None:
        """The whole file anew, in one step: a reader sees the old one or the new one."""
        over = [each.id for each in grants if each.ended_at is not None][:-_KEPT_ENDED]
        rows = [each.model_dump_json() for each in grants if each.id not in over]
        content = "\n".join([json.dumps({"autoagent_grants": _VERSION}), *rows, ""]).encode()
        if len(content) > _MOST_BYTES:
            raise StoreUnavailable(f"{self.path}: has no room for more; revoke grants that you don't need")
        temporary = self.path.with_suffix(".new")
        try:
            with suppress(FileNotFoundError):
                temporary.unlink()  # of a process that died
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(temporary, flags, 0o600), "wb") as file:  # noqa: PTH123 (with its mode at once)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.path)
            folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: can't be written: {error.strerror}") from error


_ADVICE = "mend it, or move it away: then there are no grants"
