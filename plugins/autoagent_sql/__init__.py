"""Questions to databases: SQLite files of the workspace, and databases of the person's settings.

A query passes two guards, each of which would do: what it says is looked at (`reading`), and the connection
that it runs on can't write (`engines`, `sqlite`). A change of a file of the workspace is a `write` like any
other; a change in a database of the settings is `external`.
"""

from __future__ import annotations

from autoagent.door.tools import Plugin, ToolContext, WorkspacePath, tool
from autoagent_sql.calls import FileCall
from autoagent_sql.databases import opened
from autoagent_sql.settings import SqlSettings

_TIMEOUT_S = 700
"""More than the settings allow for a query: they are what ends it."""


@tool(effect="read", timeout_s=_TIMEOUT_S)
async def sqlite_schema(ctx: ToolContext, path: WorkspacePath) -> str:
    """Tell the tables of a SQLite file in the workspace, with their columns, types and keys.

    Args:
        path: The database file.
    """
    return await FileCall(ctx.files, path, _settings(ctx)).schema()


@tool(effect="read", timeout_s=_TIMEOUT_S)
async def sqlite_query(ctx: ToolContext, path: WorkspacePath, query: str) -> str:
    """Ask a SQLite file in the workspace. Answers with CSV: a line of column names, then a line a row.

    Args:
        path: The database file.
        query: One SELECT, in SQLite's SQL, with its values written out.
    """
    return await FileCall(ctx.files, path, _settings(ctx)).query(query)


@tool(effect="write", timeout_s=_TIMEOUT_S)
async def sqlite_execute(ctx: ToolContext, path: WorkspacePath, statements: str) -> str:
    """Change a SQLite file in the workspace, or make one: all the statements are carried out, or none.

    Args:
        path: The database file.
        statements: SQL that changes it, such as CREATE TABLE, INSERT or UPDATE, separated by semicolons.
    """
    return await FileCall(ctx.files, path, _settings(ctx)).execute(statements, ctx.staging)


def _settings(ctx: ToolContext) -> SqlSettings:
    return ctx.settings if isinstance(ctx.settings, SqlSettings) else SqlSettings()


plugin = Plugin(
    name="sql",
    tools=[sqlite_schema, sqlite_query, sqlite_execute],
    settings=SqlSettings,
    opened=opened,
)
