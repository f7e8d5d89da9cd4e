"""A real PostgreSQL, asked as its superuser: what holds then holds for every role."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import postgres
import psycopg
import pytest

from autoagent.errors import NotDone, ToolError
from autoagent_sql.engines import Database, url_of
from autoagent_sql.rows import as_csv
from autoagent_sql.schema import as_text

_IS_REQUIRED = bool(os.environ.get("AUTOAGENT_REQUIRE_PEERS"))
SHOP = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE customers (
    id int PRIMARY KEY, name varchar(40) NOT NULL, mood mood, place point, tags jsonb, at timestamptz,
    scan bytea
);
COMMENT ON COLUMN customers.name IS 'family name first';
CREATE TABLE orders (id serial PRIMARY KEY, customer_id int REFERENCES customers, total numeric(10, 2));
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) FROM orders GROUP BY 1;
CREATE FUNCTION sneak() RETURNS int LANGUAGE sql
    AS 'INSERT INTO orders (customer_id) VALUES (1) RETURNING id';
INSERT INTO customers VALUES (1, 'Änna', 'good', '(1,2)', '{"a": [1]}', '2026-11-20 10:00Z', '\\x00ff');
INSERT INTO orders (customer_id, total) VALUES (1, 10.50), (1, 120);
"""


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    if why := postgres.missing():
        assert not _IS_REQUIRED, why
        pytest.skip(why)
    with postgres.server() as url:
        yield url


def made(server: str, name: str) -> str:
    """The URL of a new database with the shop in it."""
    for place, script in (("postgres", f"CREATE DATABASE {name}"), (name, SHOP)):
        url = server.format(database=place)
        with psycopg.connect(url, password=postgres.PASSWORD, autocommit=True) as owner:
            owner.execute(script.encode())
    return server.format(database=name)


@pytest.fixture(scope="session")
def shop(server: str) -> str:
    """For questions."""
    return made(server, "shop")


@pytest.fixture
def changing_shop(server: str) -> Iterator[str]:
    """For changes."""
    yield made(server, "changing")
    url = server.format(database="postgres")
    with psycopg.connect(url, password=postgres.PASSWORD, autocommit=True) as owner:
        owner.execute("DROP DATABASE changing")


def database(url: str, timeout_s: float = 10, password: str = postgres.PASSWORD) -> Database:
    return Database(url_of(url, password), timeout_s)


def orders(url: str) -> str:
    """What the table holds."""
    return as_csv(database(url).query("SELECT id, total FROM orders ORDER BY id", 10))


def test_values_of_every_kind_come_as_text(shop: str) -> None:
    """Also those of types that nobody here knows."""
    assert as_csv(database(shop).query("SELECT * FROM customers WHERE name LIKE '%nna'", 10)) == (
        'id,name,mood,place,tags,at,scan\n1,Änna,good,"(1,2)","{""a"": [1]}",2026-11-20 10:00:00+00:00,00ff'
    )


def test_the_schema_tells_types_keys_and_comments(shop: str) -> None:
    """As the database writes them; materialised views too."""
    assert as_text(database(shop).schema(), 2_000) == (
        "customers(id INTEGER primary key, name VARCHAR(40) /* family name first */, mood mood, place, "
        "tags JSONB, at TIMESTAMP WITH TIME ZONE, scan BYTEA)\n"
        "orders(id INTEGER primary key, customer_id INTEGER -> customers.id, total NUMERIC(10, 2))\n"
        "totals(customer_id INTEGER, sum NUMERIC) -- a view"
    )


def test_rows_that_nobody_wants_stay_at_the_server(shop: str) -> None:
    """A table of any length costs what is shown of it."""
    found = database(shop).query("SELECT generate_series(1, 2000000000)", 3)

    assert (found.rows, found.has_more) == (((1,), (2,), (3,)), True)


@pytest.mark.parametrize(
    "attack",
    [
        "DELETE FROM orders",
        "TRUNCATE orders",
        "DROP TABLE orders",
        "INSERT INTO orders (customer_id) VALUES (1)",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "SELECT sneak()",
        "SELECT nextval('orders_id_seq')",
        "SELECT * INTO loot FROM orders",
        "SELECT * FROM orders FOR UPDATE",
        "CREATE TEMP TABLE loot AS SELECT * FROM orders",
        "SELECT 1; DELETE FROM orders",
        "COMMIT; DELETE FROM orders",
        "SET TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', true), sneak()",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "SELECT query_to_xml('DELETE FROM orders', true, true, '')",
        "EXPLAIN ANALYZE DELETE FROM orders",
        "DO $$ BEGIN DELETE FROM orders; END $$",
        "COPY orders TO PROGRAM 'cat > /tmp/loot'",
        "COPY (SELECT 1) TO '/tmp/loot'",
    ],
)
def test_the_connection_alone_holds(shop: str, attack: str) -> None:
    """Also where nobody has looked at the statement, and for a superuser: the server refuses it."""
    before = orders(shop)

    with pytest.raises(ToolError, match="nothing was read"):
        database(shop).query(attack, 10)
    assert orders(shop) == before


def test_a_slow_query_is_ended_by_the_server(shop: str) -> None:
    """It doesn't run on when nobody waits for it."""
    with pytest.raises(ToolError, match=r"statement timeout\. It was stopped after 0\.1 s"):
        database(shop, timeout_s=0.1).query("SELECT pg_sleep(60)", 1)


def test_a_stopped_query_ends_at_the_server(shop: str) -> None:
    """`stop` comes from another thread, and asks the server to cancel."""
    asked = database(shop)
    stopping = threading.Timer(0.2, asked.stop)
    stopping.start()
    with pytest.raises(ToolError, match=r"canceling statement due to user request|stopped before"):
        asked.query("SELECT pg_sleep(60)", 1)
    stopping.join()

    others = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
    assert database(shop).query(others, 1).rows == ((0,),)


def test_a_wrong_name_is_answered_with_the_nearest(shop: str) -> None:
    """In the server's words, and with what is there."""
    for query, said in {
        "SELECT nane FROM customers": 'column "nane" does not exist',
        "SELECT * FROM orderz": 'relation "orderz" does not exist; there is orders',
        "SELECT c.zzz FROM customers c": "column c.zzz does not exist; there are these tables: customers(id",
    }.items():
        with pytest.raises(ToolError, match="nothing was read") as refused:
            database(shop).query(query, 1)

        assert said in str(refused.value)


def test_a_change_is_committed_and_counted(changing_shop: str) -> None:
    """With what RETURNING gives back."""
    count, returned = database(changing_shop).change(
        "UPDATE orders SET total = total + 1 WHERE true RETURNING total", 1
    )

    assert (count, returned and as_csv(returned).splitlines()[:2]) == (2, ["total", "11.50"])
    assert orders(changing_shop) == "id,total\n1,11.50\n2,121.00"


def test_a_change_that_fails_changes_nothing(changing_shop: str) -> None:
    """And says so for certain."""
    before = orders(changing_shop)

    with pytest.raises(NotDone, match=r"nothing was changed: .* violates foreign key constraint"):
        database(changing_shop).change("UPDATE orders SET customer_id = id WHERE true", 1)
    assert orders(changing_shop) == before


def test_a_change_that_is_stopped_is_rolled_back(changing_shop: str) -> None:
    """The rows that it had changed by then are as they were."""
    before = orders(changing_shop)
    asked = database(changing_shop)
    stopping = threading.Timer(0.2, asked.stop)
    stopping.start()
    with pytest.raises(NotDone, match=r"user request|stopped before"):
        asked.change("UPDATE orders SET total = 0 WHERE pg_sleep(30) IS NOT NULL", 1)
    stopping.join()

    assert orders(changing_shop) == before


def test_tables_of_other_schemas_are_told_with_their_names(changing_shop: str) -> None:
    """Which ones, the settings say."""
    with psycopg.connect(changing_shop, password=postgres.PASSWORD, autocommit=True) as owner:
        owner.execute("CREATE SCHEMA depot CREATE TABLE shelves (id int PRIMARY KEY)")
    asked = Database(url_of(changing_shop, postgres.PASSWORD), 10, ("depot",))

    assert as_text(asked.schema(), 500) == "depot.shelves(id INTEGER primary key)"


def test_a_wrong_password_is_told_without_it(shop: str) -> None:
    """The person must see what is wrong, the model no secret."""
    with pytest.raises(ToolError, match="password authentication failed") as refused:
        database(shop, password="s3cret words").query("SELECT 1", 1)

    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["mysql://a@b/c", "postgresql://x:p%40ss@host:port/db", "sqlite:///shop.db", "shop"]
)
def test_a_url_that_cant_be_used_is_refused_without_saying_it(url: str) -> None:
    """It may hold a password."""
    with pytest.raises(NotDone) as refused:
        url_of(url)

    assert "p%40ss" not in str(refused.value)
