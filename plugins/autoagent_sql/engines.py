"""Databases through SQLAlchemy, one connection a call, on which a query can't write. Nobody else imports it.

The second of two guards (the first is `reading`): PostgreSQL runs a query in a READ ONLY transaction, which
can't be made otherwise once it has begun, through a cursor that takes one SELECT; of SQLite see `sqlite`.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection, Dialect, Engine, Inspector
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import CompileError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from autoagent.door.extras import needs
from autoagent.door.tools import NotDone, ToolError
from autoagent.redact import one_line
from autoagent_sql import sqlite
from autoagent_sql.rows import Rows
from autoagent_sql.schema import Column, Schema, Table, hint

T = TypeVar("T")
_CONNECT_S = 10
_MOST_TABLES = 300
_MOST_BYTES = 8 << 20
"""Of rows that are held at once; after that no more are fetched. Few of them are shown anyway."""
_SAID_CHARS = 500
_ENDED = ("57014", "interrupted", "canceling statement")
"""How databases say that a query was ended: PostgreSQL's SQLSTATE, SQLite's words."""


class Database:
    """One database, for one call. Its methods block; `stop` may be called from another thread."""

    def __init__(self, url: sqlalchemy.URL, timeout_s: float, schemas: tuple[str, ...] = ()) -> None:
        self._url = url
        self._timeout_s = timeout_s
        self._schemas = schemas
        self._is_stopped = threading.Event()
        self._end: Callable[[], None] | None = None
        """Ends what runs on the line."""

    @property
    def dialect(self) -> str:
        """As sqlglot calls it."""
        return "sqlite" if self._is_sqlite else "postgres"

    @property
    def _is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def query(self, query: str, most: int) -> Rows:
        """The first `most` rows. Raises `ToolError` with the database's words and what there is instead."""
        return self._done(lambda: self._queried(query, most), ToolError, "nothing was read")

    def change(self, statement: str, most: int) -> tuple[int, Rows | None]:
        """(rows changed, what RETURNING gave), once it is committed.

        Raises `NotDone` where it was rolled back; `ToolError` where the line broke at the commit.
        """
        return self._done(lambda: self._changed(statement, most), NotDone, "nothing was changed")

    def schema(self) -> Schema:
        """Tables, views, columns. Raises `ToolError`."""
        return self._done(self._looked, ToolError, "nothing was read")

    def stop(self) -> None:
        """End what runs, and let nothing more run."""
        self._is_stopped.set()
        if self._end is not None:
            self._end()

    # --- what is done on a line -----------------------------------------------------------------------------

    def _queried(self, query: str, most: int) -> Rows:
        with self._reading() as line:
            # streaming makes a server-side cursor: DECLARE takes one query, and rows too many stay there
            options = {"no_parameters": True, "stream_results": True, "max_row_buffer": most + 1}
            with line.execution_options(**options).exec_driver_sql(query) as result:
                return _rows(result, most)

    def _changed(self, statement: str, most: int) -> tuple[int, Rows | None]:
        with self._line(sqlite.changing) as line:
            self._begin(line, "READ WRITE")
            with line.execution_options(no_parameters=True).exec_driver_sql(statement) as result:
                returned = _rows(result, most) if result.returns_rows else None
                count = result.rowcount if returned is None or result.rowcount > 0 else len(returned.rows)
            self._assert_going_on()
            self._commit(line)
            return count, returned

    def _commit(self, line: Connection) -> None:
        try:
            line.commit()
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise  # the database refuses it, a deferred constraint for example: rolled back
            raise ToolError(
                f"the line broke while the change was committed ({_words(error)}): it may have been made; "
                "look before you repeat it"
            ) from error

    def _looked(self) -> Schema:
        with self._reading() as line, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of types that SQLAlchemy doesn't know; they are shown as such
            return _schema(line, self._schemas)

    # --- lines ----------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._line(sqlite.reading) as line:
            self._begin(line, "READ ONLY")
            yield line

    def _begin(self, line: Connection, access: str) -> None:
        """A transaction; a READ ONLY one stays so: PostgreSQL lets nobody change it after the first query."""
        if self._is_sqlite:
            line.exec_driver_sql("BEGIN" if access == "READ ONLY" else "BEGIN IMMEDIATE")
            return
        line.exec_driver_sql(f"SET TRANSACTION {access}")
        line.exec_driver_sql(f"SET LOCAL statement_timeout = {round(self._timeout_s * 1000)}")
        line.exec_driver_sql("SELECT 1").close()

    @contextmanager
    def _line(self, guarded: Callable[[Path, float], sqlite.Line]) -> Iterator[Connection]:
        """A connection that `stop` knows of; what isn't committed on it is rolled back."""
        self._assert_going_on()
        engine = self._sqlite(guarded) if self._is_sqlite else self._postgres()
        try:
            with engine.connect() as line:
                if not self._is_sqlite:
                    self._end = _canceller(line)
                self._assert_going_on()
                yield line
        finally:
            self._end = None
            engine.dispose()

    def _sqlite(self, guarded: Callable[[Path, float], sqlite.Line]) -> Engine:
        def connect() -> Any:
            line = guarded(Path(str(self._url.database)), self._timeout_s)
            self._end = line.stop
            return line.connection

        return sqlalchemy.create_engine("sqlite://", creator=connect, poolclass=NullPool)

    def _postgres(self) -> Engine:
        with needs("sql"):
            return sqlalchemy.create_engine(
                self._url.set(drivername="postgresql+psycopg"),
                poolclass=NullPool,
                connect_args={"connect_timeout": _CONNECT_S},
            )

    def _assert_going_on(self) -> None:
        if self._is_stopped.is_set():
            raise NotDone("it was stopped before it was done")

    # --- what goes wrong ------------------------------------------------------------------------------------

    def _done(self, work: Callable[[], T], kind: type[ToolError], outcome: str) -> T:
        try:
            return work()
        except DBAPIError as error:
            words = self._without_password(_words(error))
            raise kind(f"{outcome}: {words}{self._advice(error, words)}") from None
        except (SQLAlchemyError, OSError) as error:
            raise kind(f"{outcome}: {self._without_password(one_line(str(error), _SAID_CHARS))}") from None

    def _advice(self, error: DBAPIError, words: str) -> str:
        """What to do instead, behind the database's words."""
        if any(word in f"{getattr(error.orig, 'sqlstate', '')} {words}" for word in _ENDED):
            spills = ", or before it filled the disk" if self._is_sqlite else ""
            return f". It was stopped after {self._timeout_s:g} s{spills}: narrow it, or aggregate less"
        if words == "not authorized":
            return ": the database was told to let nothing through but what the tool is for"
        try:
            found = hint(words, self._looked()) if "exist" in words or "no such" in words else ""
        except (SQLAlchemyError, ToolError):  # its own words are enough
            return ""
        return f"; {found}" if found else ""

    def _without_password(self, text: str) -> str:
        password = self._url.password
        return text.replace(str(password), "[password]") if password else text


def url_of(text: str, password: str | None = None) -> sqlalchemy.URL:
    """A database's URL. Raises `NotDone`; never says what stands in it."""
    try:
        url = sqlalchemy.make_url(text)
        url = url if password is None else url.set(password=password)
        if url.get_backend_name() in ("postgresql", "postgres"):
            return url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() == "sqlite" and str(url.database or "").startswith("/"):
            return url
    except (SQLAlchemyError, ValueError, NoSuchModuleError):
        raise NotDone("the database's URL can't be read; the person must correct it") from None
    raise NotDone("the database's URL is no postgresql:// URL and no sqlite:/// URL with an absolute path")


def file_at(path: Path, timeout_s: float) -> Database:
    """A SQLite file."""
    return Database(sqlalchemy.URL.create("sqlite", database=str(path)), timeout_s)


def _canceller(line: Connection) -> Callable[[], None]:
    driver: Any = line.connection.driver_connection

    def cancel() -> None:
        driver.cancel_safe(timeout=5)

    return cancel


def _rows(result: sqlalchemy.CursorResult[Any], most: int) -> Rows:
    columns = tuple(str(key) for key in result.keys())  # noqa: SIM118 (a result iterates over rows)
    fetched: list[tuple[object, ...]] = []
    size = 0
    for row in result:
        if len(fetched) == most or size > _MOST_BYTES:
            return Rows(columns, tuple(fetched), has_more=True)
        fetched.append(tuple(row))
        size += sum(len(value) for value in row if isinstance(value, str | bytes | memoryview))
    return Rows(columns, tuple(fetched))


def _words(error: DBAPIError) -> str:
    """What the database says, without the piece of our own DECLARE that PostgreSQL quotes."""
    said = getattr(error.orig, "diag", None)
    parts = [said.message_primary, said.message_detail, said.message_hint] if said is not None else []
    return one_line("; ".join(part for part in parts if part) or str(error.orig), _SAID_CHARS)


# --- tables -------------------------------------------------------------------------------------------------


def _schema(line: Connection, schemas: tuple[str, ...]) -> Schema:
    """All of it in a few questions a schema, not in a few a table: a server may be far away."""
    inspector = sqlalchemy.inspect(line)
    tables = [table for schema in schemas or (None,) for table in _tables(inspector, schema, line.dialect)]
    engine = "SQLite" if line.dialect.name == "sqlite" else "PostgreSQL"
    return Schema(tuple(tables[:_MOST_TABLES]), engine, has_more=len(tables) > _MOST_TABLES)


def _tables(inspector: Inspector, schema: str | None, dialect: Dialect) -> list[Table]:
    """Tables, then views, each by name; one more than are wanted."""
    views = {*inspector.get_view_names(schema), *_materialized(inspector, schema)}
    names = [*sorted(inspector.get_table_names(schema)), *sorted(views)][: _MOST_TABLES + 1]
    wanted: Any = {"schema": schema, "filter_names": names, "kind": ObjectKind.ANY}
    columns = inspector.get_multi_columns(**wanted)
    keys = inspector.get_multi_pk_constraint(**wanted)
    foreign = inspector.get_multi_foreign_keys(**wanted)
    prefix = f"{schema}." if schema else ""
    return [
        Table(
            prefix + name,
            _columns(columns.get(at) or [], keys.get(at) or {}, foreign.get(at) or [], dialect),
            is_view=name in views,
        )
        for name in names
        for at in [(schema, name)]
    ]


def _materialized(inspector: Inspector, schema: str | None) -> list[str]:
    return inspector.get_materialized_view_names(schema) if inspector.dialect.name == "postgresql" else []


def _columns(columns: Any, key: Any, foreign: Any, dialect: Dialect) -> tuple[Column, ...]:
    points = {
        here: f"{each['referred_table']}.{there}"
        for each in foreign
        for here, there in zip(each["constrained_columns"], each["referred_columns"], strict=False)
    }
    return tuple(
        Column(
            name=column["name"],
            type=_type(column["type"], dialect),
            is_key=column["name"] in key.get("constrained_columns", ()),
            points_to=points.get(column["name"], ""),
            comment=column.get("comment") or "",
        )
        for column in columns
    )


def _type(kind: Any, dialect: Dialect) -> str:
    """As the database writes it; empty for one that SQLAlchemy doesn't know."""
    try:
        return str(kind.compile(dialect=dialect))
    except CompileError:
        return ""
