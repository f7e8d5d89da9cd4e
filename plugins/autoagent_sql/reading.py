"""Looks at a statement before a database sees it: one statement, made of nothing but what is allowed.

The first of two guards; the second is the connection, on which nothing can be written. The only module that
knows sqlglot.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from autoagent.door.tools import NotDone, ToolError
from autoagent.redact import one_line
from autoagent_sql.grammar import CHANGE_NODES, CHANGES, FUNCTIONS, NAMED, NODES, QUERIES

_LONGEST = 20_000
"""Characters of a statement."""

_SAID = {
    "Into": "SELECT … INTO makes a table",
    "Lock": "FOR UPDATE and FOR SHARE lock rows",
    "Command": "this statement isn't understood, so it isn't let through",
    "Placeholder": "a placeholder stands for nothing here: write the value itself",
    "Parameter": "a variable stands for nothing here: write the value itself",
}
"""What a reader would not guess from the kind of a node."""

logging.getLogger("sqlglot").setLevel(
    logging.ERROR
)  # it warns of what it doesn't understand; here that is an error


def check_query(query: str, dialect: str, more_functions: Collection[str] = ()) -> str:
    """The query without its last semicolon, where it can only read. Raises `ToolError` that says why not.

    `more_functions`: names that the person vouches for, besides those of `grammar`.
    """
    tree = _parsed(query, dialect, ToolError)
    if type(tree).__name__ not in QUERIES:
        raise ToolError(
            f"only a query is read here: SELECT, WITH … SELECT or VALUES, and this is {_kind(tree)}. "
            "The tables and their columns are told by the tool for the schema"
        )
    for why in _refusals(tree, NODES, NAMED[dialect] | _lower(more_functions)):
        raise ToolError(f"nothing was read: {why}")
    return query.strip().rstrip(";")


def check_change(statement: str, dialect: str, more_functions: Collection[str] = ()) -> str:
    """As `check_query`, of a statement that changes rows. Raises `NotDone`."""
    tree = _parsed(statement, dialect, NotDone)
    if type(tree).__name__ not in CHANGES:
        raise NotDone(
            "nothing was changed: only INSERT, UPDATE, DELETE and MERGE change rows, and this is "
            f"{_kind(tree)}"
        )
    for why in _refusals(tree, CHANGE_NODES, NAMED[dialect] | _lower(more_functions)):
        raise NotDone(f"nothing was changed: {why}")
    for part in tree.find_all(exp.Update, exp.Delete):
        if part.args.get("where") is None and part.find_ancestor(exp.Merge) is None and not _is_upsert(part):
            verb = part.key.upper()
            raise NotDone(
                f"nothing was changed: {verb} without WHERE means every row; write WHERE true for that"
            )
    return statement.strip().rstrip(";")


def _parsed(statement: str, dialect: str, error: type[ToolError]) -> exp.Expr:
    """The one statement as a tree."""
    if len(statement) > _LONGEST:
        raise error(f"a statement of {len(statement)} characters is too long; at most {_LONGEST}")
    if "\0" in statement:
        raise error("a statement holds no NUL character")
    try:
        found = [tree for tree in sqlglot.parse(statement, read=dialect) if not _is_empty(tree)]
    except SqlglotError as problem:
        said = one_line(str(problem).replace("\x1b[4m", "").replace("\x1b[0m", ""), 300)
        raise error(f"this isn't SQL as {dialect} knows it: {said}") from None
    except RecursionError:
        raise error("the statement is nested too deep; write it flatter, with WITH") from None
    if len(found) != 1 or found[0] is None:
        raise error(f"one statement a call is carried out, and these are {len(found)}")
    return found[0]


def _is_empty(tree: exp.Expr | None) -> bool:
    """What stands between two semicolons, or is only a comment."""
    return tree is None or isinstance(tree, exp.Semicolon)


def _refusals(tree: exp.Expr, nodes: Collection[str], functions: Collection[str]) -> Iterator[str]:
    """A reason for each part that isn't allowed."""
    for node in tree.walk():
        kind = type(node).__name__
        if isinstance(node, exp.Func):
            names = _names(node)
            known = kind in FUNCTIONS or kind in nodes
            if not known and not any(name in functions for name in names):
                yield _unknown_function(names[0], functions)
        elif kind not in nodes:
            yield _SAID.get(kind, f"{_kind(node)} isn't allowed in it")


def _names(function: exp.Func) -> list[str]:
    if isinstance(function, exp.Anonymous | exp.AnonymousAggFunc):
        return [function.name.lower()]
    return [name.lower() for name in type(function).sql_names()]


def _unknown_function(name: str, functions: Collection[str]) -> str:
    near = get_close_matches(name, sorted(functions), 1)
    hint = f"; did you mean {near[0]}()?" if near else ""
    shown = one_line(name, 60)
    return f"the function {shown}() isn't among those that are known to do nothing but compute{hint}"


def _is_upsert(part: exp.Expr) -> bool:
    """`ON CONFLICT DO UPDATE`: its rows are those of the INSERT."""
    return part.find_ancestor(exp.OnConflict) is not None


def _kind(node: exp.Expr) -> str:
    if isinstance(node, exp.Command):
        return one_line(str(node.this).upper(), 30)
    return node.key.upper()


def _lower(names: Collection[str]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)
