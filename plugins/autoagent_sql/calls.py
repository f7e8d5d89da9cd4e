"""What the tools do, in a thread: open a database, look at the statement, carry it out, put it as text.

A call that is stopped stops the database, too, and ends when that has let go of its files.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from autoagent.door.extras import needs
from autoagent.door.tools import FilesView, ToolError
from autoagent.events import Label
from autoagent.paths import spelled
from autoagent.redact import one_line
from autoagent.trees import WorkingCopy
from autoagent_sql import sqlite
from autoagent_sql.copies import content, empty_copy, private_copy
from autoagent_sql.rows import as_csv
from autoagent_sql.schema import as_text
from autoagent_sql.settings import DatabaseSettings, SqlSettings

if TYPE_CHECKING:
    from autoagent_sql.engines import Database

T = TypeVar("T")
SCHEMA_CHARS = 12_000
"""Of the tables of one database, in a tool's answer."""


async def carried(work: Callable[[], T], stop: Callable[[], None]) -> T:
    """`work` in a thread; where the call is stopped, `stop` ends that, and the thread is over with it."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.to_thread(stop)
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # that it was stopped; nobody waits for it any more
        raise


# --- SQLite files of the workspace --------------------------------------------------------------------------


class FileCall:
    """One call on a SQLite file of the workspace, on a private copy of it."""

    def __init__(self, files: FilesView, path: str, settings: SqlSettings) -> None:
        self._files = files
        self._path = path
        self._settings = settings
        self._stops: list[Callable[[], None]] = []
        self._is_stopped = threading.Event()

    async def query(self, query: str) -> str:
        """The rows as CSV."""
        with needs("sql"):
            from autoagent_sql.reading import check_query

        asked = check_query(query, "sqlite")
        return as_csv(await self._opened(lambda database: database.query(asked, self._settings.rows)))

    async def schema(self) -> str:
        """The tables."""
        return as_text(await self._opened(lambda database: database.schema()), SCHEMA_CHARS)

    async def execute(self, statements: str, staging: WorkingCopy) -> str:
        """Carry out all the statements, or none; the changed file is staged."""
        return await carried(lambda: self._execute(statements, staging), self._stop)

    async def _opened(self, work: Callable[[Database], T]) -> T:
        with needs("sql"):
            from autoagent_sql.engines import file_at

        def on_copy() -> T:
            with private_copy(self._files, self._path) as copy:
                database = file_at(copy, self._settings.timeout_s)
                self._stopped_by(database.stop)
                return work(database)

        return await carried(on_copy, self._stop)

    def _execute(self, statements: str, staging: WorkingCopy) -> str:
        is_new = self._files.stat(self._path) is None
        with empty_copy() if is_new else private_copy(self._files, self._path) as copy:
            count = self._build(copy, statements)
            data = content(copy)
        staging.write(self._path, data)
        for beside in (f"{self._path}-wal", f"{self._path}-shm"):  # what they held is in the file now
            if staging.stat(beside) is not None:
                staging.delete(beside)
        did = f"{'Made' if is_new else 'Changed'} {spelled(self._path)}"
        return f"{did}: {count} {'row' if count == 1 else 'rows'} written, {len(data)} bytes"

    def _build(self, copy: Path, statements: str) -> int:
        """Rows that were written. Raises `ToolError`: nothing of it is kept then."""
        line = sqlite.building(copy, self._settings.timeout_s)
        self._stopped_by(line.stop)
        with closing(line.connection) as connection:
            try:
                connection.executescript(f"BEGIN;\n{statements}\n;COMMIT")
            except (sqlite3.Error, sqlite3.Warning, ValueError) as error:  # a null character, half of one
                raise ToolError(f"nothing was changed: {one_line(str(error), 500)}") from None
            return connection.total_changes

    def _stopped_by(self, stop: Callable[[], None]) -> None:
        """From now on; at once, where the call was stopped before there was anything to stop."""
        self._stops.append(stop)
        if self._is_stopped.is_set():
            stop()

    def _stop(self) -> None:
        self._is_stopped.set()
        for stop in self._stops:
            stop()


# --- databases of the settings ------------------------------------------------------------------------------


def database_of(settings: DatabaseSettings, secret: Callable[[str], str], timeout_s: float) -> Database:
    """The database as the settings name it. Raises `NotDone` where a variable isn't set."""
    with needs("sql"):
        from autoagent_sql.engines import Database, url_of

    text = settings.url if settings.url_env is None else secret(settings.url_env)
    password = None if settings.password_env is None else secret(settings.password_env)
    assert text is not None
    return Database(url_of(text, password), timeout_s, settings.schemas)


@dataclass(frozen=True)
class Asked:
    """One call on a database of the settings."""

    database: Database
    most_rows: int
    functions: tuple[str, ...]
    """That the person vouches for."""
    labels: tuple[Label, ...] = ()
    """What the database's words add to what the run has read: its errors quote values, too."""

    async def query(self, query: str) -> str:
        """The rows as CSV."""
        with needs("sql"):
            from autoagent_sql.reading import check_query

        asked = check_query(query, self.database.dialect, self.functions)
        return as_csv(await self._carried(lambda: self.database.query(asked, self.most_rows)))

    async def change(self, statement: str) -> str:
        """How many rows were changed, and what RETURNING gave."""
        with needs("sql"):
            from autoagent_sql.reading import check_change

        wanted = check_change(statement, self.database.dialect, self.functions)
        count, returned = await self._carried(lambda: self.database.change(wanted, self.most_rows))
        said = f"Done: {count} {'row' if count == 1 else 'rows'} changed"
        return said if returned is None else f"{said}; returned:\n{as_csv(returned)}"

    async def schema(self) -> str:
        """The tables."""
        return as_text(await self._carried(self.database.schema), SCHEMA_CHARS)

    async def _carried(self, work: Callable[[], T]) -> T:
        try:
            return await carried(work, self.database.stop)
        except ToolError as error:
            error.labels = self.labels
            raise
