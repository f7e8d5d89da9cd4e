"""SQLite files of the workspace: asked through a private copy that nothing can be written to."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from loops import Stage, finish, plan, worker_prompts

from autoagent.door.tools import Observation, ToolContext
from autoagent.errors import ToolError
from autoagent.events import CallEnded
from autoagent.testing.model import ScriptedModel, call
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, WorkingCopy
from autoagent_sql import plugin
from autoagent_sql.engines import file_at
from autoagent_sql.rows import Rows, as_csv
from autoagent_sql.settings import SqlSettings
from autoagent_sql.sqlite import Line, building, reading

TOOLS = {tool.name: tool for tool in plugin.tools}
ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"
SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, born DATE);
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer_id INTEGER REFERENCES customers (id), total NUMERIC(10, 2)
);
CREATE VIEW big AS SELECT * FROM orders WHERE total > 100;
INSERT INTO customers VALUES (1, 'Anna "A", née B', NULL), (2, '', '1980-01-31');
INSERT INTO orders VALUES (1, 1, 10.5), (2, 1, 120), (3, 2, 7);
"""


def shop(tmp_path: Path, script: str = SHOP) -> bytes:
    """A database as the bytes of its file."""
    path = tmp_path / "made.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path.read_bytes()


class Workspace:
    """A working copy and the plugin's tools on it, called as a run calls them."""

    def __init__(self, files: dict[str, bytes], settings: SqlSettings | None = None) -> None:
        self.copy = WorkingCopy(EMPTY, MemoryObjects())
        self.settings = settings or SqlSettings()
        for path, content in files.items():
            self.copy.write(path, content)

    async def call(self, name: str, **args: object) -> str:
        tool = TOOLS[name]
        checked = tool.check(args)
        context = ToolContext(
            run_id="r",
            call_id="c",
            lane="main",
            key="k",
            effect=tool.effect_of(checked),
            working_copy=self.copy,
            settings=self.settings,
        )
        result = await tool.function(context, **checked)
        assert not isinstance(result, Observation)
        assert len(result) <= tool.output_limit
        return result

    async def query(self, query: str) -> str:
        return await self.call("sqlite_query", path="shop.db", query=query)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace({"shop.db": shop(tmp_path)})


async def test_no_more_rows_are_held_than_memory_is_for(workspace: Workspace) -> None:
    """A query can make rows of 64 MB each: a hundred of them are more than a machine has."""
    huge = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t LIMIT 100) "
    said = await workspace.query(huge + "SELECT printf('%.*c', 5000000, 'x') FROM t")

    assert "(the first 2 rows, there are more:" in said


def test_a_file_that_is_built_does_not_grow_without_end(tmp_path: Path) -> None:
    """What it says can't raise the limit; the whole file is in memory before it is kept."""
    with closing(building(tmp_path / "new.db", 10, 1 << 20).connection) as connection:
        connection.execute("CREATE TABLE t (x)")
        with pytest.raises(sqlite3.DatabaseError, match="not authorized"):
            connection.execute("PRAGMA max_page_count=999999999")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            connection.execute("INSERT INTO t VALUES (zeroblob(2000000))")


def test_a_sort_that_fills_the_disk_is_stopped(tmp_path: Path) -> None:
    """Large rows that are put in order go through temporary files."""
    path = tmp_path / "new.db"
    sqlite3.connect(path).close()
    rows = "SELECT 1, randomblob(100000) UNION ALL SELECT n + 1, randomblob(100000) FROM t"
    with closing(reading(path, 60).connection) as connection:
        line = Line(connection, 60, 20 << 20)
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            connection.execute(f"WITH RECURSIVE t(n, b) AS ({rows}) SELECT length(b) FROM t ORDER BY b")
        line.stop()


# --- asking -------------------------------------------------------------------------------------------------


async def test_rows_come_as_csv(workspace: Workspace) -> None:
    """NULL is an empty field, an empty text is quoted, so is what would break a line."""
    assert await workspace.query("SELECT name, born FROM customers ORDER BY id") == (
        'name,born\n"Anna ""A"", née B",\n"",1980-01-31'
    )


async def test_a_lone_null_can_be_seen(workspace: Workspace) -> None:
    """An empty line would look like no answer."""
    assert await workspace.query("SELECT max(total) AS most FROM orders WHERE id > 9") == "most\nNULL"


async def test_the_schema_tells_tables_columns_and_keys(workspace: Workspace) -> None:
    """One line a table."""
    assert await workspace.call("sqlite_schema", path="shop.db") == (
        "customers(id INTEGER primary key, name TEXT, born DATE)\n"
        "orders(id INTEGER primary key, customer_id INTEGER -> customers.id, total NUMERIC(10, 2))\n"
        "big(id INTEGER, customer_id INTEGER, total NUMERIC(10, 2)) -- a view"
    )


async def test_rows_too_many_are_left_out_and_that_is_said(tmp_path: Path) -> None:
    """The number is the person's, in the settings."""
    workspace = Workspace({"shop.db": shop(tmp_path)}, SqlSettings(rows=2))

    said = await workspace.query("SELECT id FROM orders ORDER BY id")
    assert said.startswith("id\n1\n2\n\n(the first 2 rows, there are more: ")


async def test_wide_rows_and_cells_are_cut_at_their_ends(workspace: Workspace) -> None:
    """A long cell ends in an ellipsis; rows that don't fit are left out whole."""
    numbers = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 99) "
    said = await workspace.query(numbers + "SELECT n, hex(zeroblob(1000)) AS wide FROM t")

    rows, notes = said.partition("\n\n")[0].splitlines(), said.partition("\n\n")[2]
    assert rows[1] == "1," + "0" * 499 + "…"
    assert all(len(row) == len(f"{n},") + 500 for n, row in enumerate(rows[1:], 1))
    assert f"the first {len(rows) - 1} rows" in notes
    assert "cut to 500 characters" in notes


async def test_text_that_a_terminal_would_obey_is_spelled_out(workspace: Workspace) -> None:
    """What stands in a database is data."""
    assert await workspace.query("SELECT char(27) || '[2J' AS a") == "a\n\\x1b[2J"


async def test_a_wrong_name_is_answered_with_the_nearest(workspace: Workspace) -> None:
    """Columns with their table, tables by themselves, and all of them where none is near."""
    for query, said in {
        "SELECT nane FROM customers": "no such column: nane; there is customers.name",
        "SELECT * FROM custommers": "no such table: custommers; there is customers",
        "SELECT c.zzz FROM customers c": "no such column: c.zzz; there are these tables: customers(id",
    }.items():
        with pytest.raises(ToolError, match="no such") as refused:
            await workspace.query(query)

        assert said in str(refused.value)


async def test_what_a_write_ahead_log_holds_is_read(tmp_path: Path) -> None:
    """A program that has the database open keeps what is newest beside it."""
    path = tmp_path / "open.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SHOP)
        log = path.with_name("open.db-wal")
        workspace = Workspace({"shop.db": path.read_bytes(), "shop.db-wal": log.read_bytes()})

    assert await workspace.query("SELECT count(*) AS n FROM orders") == "n\n3"


async def test_what_is_no_database_says_so() -> None:
    """A text, half a database, nothing at all."""
    workspace = Workspace({"notes.txt": b"hello", "half.db": b"SQLite format 3\0" + b"\1" * 500})

    for path, why in {
        "notes.txt": "notes.txt is no SQLite database",
        "half.db": "half.db can't be opened as a SQLite database",
        "gone.db": "gone.db",
    }.items():
        with pytest.raises(ToolError, match=re.escape(why)):
            await workspace.call("sqlite_query", path=path, query="SELECT 1")


# --- the second guard: the connection -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM orders",
        "INSERT INTO orders VALUES (9, 1, 1)",
        "DROP TABLE orders",
        "CREATE TABLE loot (a)",
        "CREATE TEMP TABLE loot AS SELECT * FROM orders",
        "ATTACH '{folder}/stolen.db' AS other",
        "VACUUM INTO '{folder}/stolen.db'",
        "PRAGMA query_only = 0",
        "PRAGMA writable_schema = 1",
        "PRAGMA journal_mode = WAL",
        "UPDATE sqlite_master SET sql = 'x'",
        "SELECT load_extension('{folder}/evil.so')",
        "SELECT 1; DELETE FROM orders",
        "COMMIT; DELETE FROM orders",
    ],
)
def test_the_connection_alone_holds(tmp_path: Path, attack: str) -> None:
    """Also where nobody has looked at the statement: SQLite refuses it, and the file stays as it is."""
    path = tmp_path / "shop.db"
    path.write_bytes(shop(tmp_path))
    before = path.read_bytes()

    with pytest.raises(ToolError, match="nothing was read"):
        file_at(path, timeout_s=5).query(attack.format(folder=tmp_path), most=10)
    assert path.read_bytes() == before
    assert not (tmp_path / "stolen.db").exists()


def test_full_text_search_works_on_a_guarded_connection(tmp_path: Path) -> None:
    """Its tables ask the database on their own."""
    path = tmp_path / "shop.db"
    script = "CREATE VIRTUAL TABLE notes USING fts5 (a); INSERT INTO notes VALUES ('hi you')"
    path.write_bytes(shop(tmp_path, script))

    assert file_at(path, timeout_s=5).query("SELECT a FROM notes WHERE notes MATCH 'you'", most=1).rows == (
        ("hi you",),
    )


def test_a_query_without_end_is_ended(tmp_path: Path) -> None:
    """At the time that the settings give it."""
    path = tmp_path / "shop.db"
    path.write_bytes(shop(tmp_path))

    with pytest.raises(
        ToolError, match=r"interrupted\. It was stopped after 0\.05 s, or before it filled the disk"
    ):
        file_at(path, timeout_s=0.05).query(ENDLESS, most=1)


async def test_a_cancelled_call_stops_the_query_and_leaves_nothing_behind(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread has let go of the private copy, and that is gone."""
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    asking = asyncio.create_task(workspace.query(ENDLESS))
    await asyncio.sleep(0.1)
    held = list(copies.iterdir())
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    assert [copy.name.startswith("autoagent-sql-") for copy in held] == [True]
    assert list(copies.iterdir()) == []


# --- changing -----------------------------------------------------------------------------------------------


async def test_a_new_database_can_be_made_and_changed(workspace: Workspace) -> None:
    """Every statement counts; the file is one that SQLite opens."""
    made = await workspace.call(
        "sqlite_execute", path="out/new.db", statements="CREATE TABLE t (a); INSERT INTO t VALUES (1), (2);"
    )
    changed = await workspace.call("sqlite_execute", path="out/new.db", statements="UPDATE t SET a = a + 1")

    assert made.startswith("Made out/new.db: 2 rows written")
    assert changed.startswith("Changed out/new.db: 2 rows written")
    assert await workspace.call("sqlite_query", path="out/new.db", query="SELECT a FROM t") == "a\n2\n3"


async def test_of_statements_that_fail_nothing_is_kept(workspace: Workspace) -> None:
    """Also of those before the one that failed."""
    before = workspace.copy.read("shop.db")

    with pytest.raises(ToolError, match="nothing was changed: no such table: nowhere"):
        await workspace.call(
            "sqlite_execute", path="shop.db", statements="DELETE FROM orders; INSERT INTO nowhere VALUES (1)"
        )
    assert workspace.copy.read("shop.db") == before


@pytest.mark.parametrize(
    "statement", ["ATTACH '{0}' AS x", "VACUUM INTO '{0}'", "SELECT load_extension('{0}')"]
)
async def test_a_change_reaches_no_other_file(workspace: Workspace, tmp_path: Path, statement: str) -> None:
    """The statements run in our process: SQLite is told to open nothing but the copy."""
    with pytest.raises(ToolError, match="nothing was changed"):
        await workspace.call(
            "sqlite_execute", path="shop.db", statements=statement.format(tmp_path / "stolen.db")
        )
    assert not (tmp_path / "stolen.db").exists()


async def test_the_log_beside_a_changed_database_is_gone(tmp_path: Path) -> None:
    """Its content is in the file now; left there, it would spoil that."""
    path = tmp_path / "open.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(SHOP)
        files = {
            f"shop.db{end}": path.with_name(f"open.db{end}").read_bytes() for end in ("", "-wal", "-shm")
        }
        workspace = Workspace(files)
    await workspace.call("sqlite_execute", path="shop.db", statements="DELETE FROM orders WHERE id = 1")

    assert list(workspace.copy.paths()) == ["shop.db"]
    assert await workspace.query("SELECT count(*) AS n FROM orders") == "n\n2"


# --- in a run -----------------------------------------------------------------------------------------------

GOAL = """
goal: Find the best customer
allow: {read: [shop.db]}
plugins: [files, sql]
"""


async def test_reading_needs_no_settings_and_no_more_than_allow_read(tmp_path: Path) -> None:
    """And what is read is outside text, as of any file."""
    stage = Stage.at(tmp_path)
    (stage.folder / "shop.db").write_bytes(shop(tmp_path))
    query = "SELECT name FROM customers JOIN orders ON customers.id = customer_id ORDER BY total DESC LIMIT 1"
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[call("sqlite_query", path="shop.db", query=query), finish()],
        by_number=True,
    )
    await stage.start(GOAL, model)

    assert worker_prompts(model)[1].last.text == 'name\n"Anna ""A"", née B"'
    ended = next(e.event for e in stage.entries if isinstance(e.event, CallEnded))
    assert ended.labels == ("outside",)


async def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    """By policy, before the plugin is called."""
    stage = Stage.at(tmp_path)
    (stage.folder / "other.db").write_bytes(shop(tmp_path))
    model = ScriptedModel(
        planner=[plan("a")],
        worker=[call("sqlite_query", path="other.db", query="SELECT 1"), finish()],
        by_number=True,
    )
    await stage.start(
        GOAL.replace("allow: {read: [shop.db]}", "allow: {read: [shop.db], write: [out]}"), model
    )

    assert "'other.db' may not be read" in worker_prompts(model)[1].last.text


# --- what it is made of -------------------------------------------------------------------------------------

CELLS = st.none() | st.text(alphabet='ab ,"\n;', max_size=8) | st.integers()


@given(st.lists(st.tuples(CELLS, CELLS), max_size=5))
def test_the_rows_can_be_read_back_as_csv(rows: list[tuple[object, object]]) -> None:
    """Whatever stands in a cell, by Python's own reader: a script works with what a query gives."""
    text = as_csv(Rows(("a", "b"), tuple(rows))).removesuffix("\n\n(no row fits)")

    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read == [["a", "b"], *(["" if cell is None else str(cell) for cell in row] for row in rows)]


def test_the_plugin_is_imported_without_its_libraries() -> None:
    """They cost half a second, and a goal that only lists the plugin needs none of them."""
    code = "import sys, autoagent_sql; print({'sqlalchemy', 'sqlglot', 'psycopg'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout == "set()\n"
