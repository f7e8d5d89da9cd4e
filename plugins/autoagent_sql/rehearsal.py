"""What `autoagent plugins check sql` asks and changes."""

from __future__ import annotations

import sqlite3

from autoagent.testing import Rehearsal


def _database() -> bytes:
    """A SQLite file with one table of two rows."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE item (name TEXT, price INTEGER)")
    connection.execute("INSERT INTO item VALUES ('tea', 3), ('rum', 9)")
    connection.commit()
    data = connection.serialize()
    connection.close()
    return data


rehearsal = Rehearsal(
    files={"shop.db": _database()},
    examples={
        "sqlite_schema": [{"path": "shop.db"}],
        "sqlite_query": [{"path": "shop.db", "query": "SELECT name FROM item WHERE price > 5"}],
        "sqlite_execute": [{"path": "shop.db", "statements": "UPDATE item SET price = price + 1"}],
    },
    starts=("python",),
)
