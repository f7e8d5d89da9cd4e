"""What monty's Python lacks, in words: for the prompt, for refusals, and as hints next to an error.

A failure is the subset's own where CPython would have gone on; only then a hint is given. The tests measure
these lists against the interpreter.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import re
import sys
from collections.abc import Iterator

from autoagent.sandboxes.monty_guest import MODULES as GUEST_MODULES

NATIVE_MODULES = frozenset(
    (
        *("asyncio", "base64", "binascii", "bisect", "collections", "copy", "csv", "dataclasses", "datetime"),
        *("decimal", "functools", "hashlib", "itertools", "json", "math", "os", "pathlib", "posixpath"),
        *("random", "re", "sys", "time", "tomllib", "typing", "unicodedata"),
    )
)
MODULES = NATIVE_MODULES | GUEST_MODULES.keys()
"""What a job can import."""

PARTS = {"os": "path", "collections": ""}
"""Packages among them, and their one part."""

NOTES = (
    "Python is a small subset (monty), without shell, packages and imports of workspace files. Not there: "
    "yield, del, class inheritance (so no exception classes of your own), @property, @staticmethod and "
    "@classmethod, sys.exit (write exit(n)), input, open() with '+', 'x' or errors=, f.writelines, "
    "print(file=f), encoding= in read_text and write_text (text is always UTF-8), re.sub with a function, "
    "str.maketrans, methods as values (write key=lambda s: s.lower(), not key=str.lower), sorting Path "
    f"objects (sort by str(p)). The only modules: {', '.join(sorted(MODULES))}."
)

_UNSUPPORTED = re.compile(r"syntax parser does not yet support (?:the )?(.*)")
_NOT_YET = "not yet supported"
_OWN_KINDS = frozenset(
    {
        *("AttributeError", "ImportError", "LookupError", "NameError", "NotImplementedError"),
        *("RuntimeError", "TypeError", "ValueError"),
    }
)
"""Exceptions that monty raises for what it lacks."""

_SYNTAX = {
    "class inheritance": "write plain classes and functions, and raise ValueError for errors of your own",
    "yield": "build a list and return it",
    "'del'": "use d.pop(key) or items.pop(index)",
    "method decorators": "write a plain method or a function",
}

_INSTEAD_OF_MODULE = {
    "abc": "write plain classes",
    "argparse": "put the values into variables, or read sys.argv",
    "enum": "use constants",
    "html": "use str.replace",
    "logging": "use print",
    "numpy": "use lists, sum() and math",
    "pandas": "use csv.DictReader, lists and dicts",
    "pprint": "use print or json.dumps(x, indent=2)",
    "requests": "there is no network",
    "socket": "there is no network",
    "sqlite3": "call sqlite_query(path, query), where that is among the functions",
    "subprocess": "nothing else can be run",
    "tempfile": "write a file in the workspace and remove it",
    "traceback": "print the exception",
    "types": "use type()",
    "urllib": "there is no network; take a URL apart with str.split",
    "uuid": "use random or hashlib",
    "yaml": "read the lines yourself, or use json",
}

_INSTEAD = (
    (r"module 'sys' has no attribute 'exit'|cannot import name 'exit'", "use exit(n), or raise an exception"),
    (r"exceptions can only be called with", "an exception takes one text: raise ValueError(str(x))"),
    (
        r"cannot suspend in this",
        "call the function in a for loop or comprehension, not through map, filter or key=",
    ),
    (r"update modes", "read the file, change the text, and write it with mode 'w'"),
    (r"exclusive creation", "test os.path.exists(path) first and open with mode 'w'"),
    (r"'errors' argument", "read the bytes: open(path, 'rb').read().decode('utf-8', 'replace')"),
    (r"'encoding' argument|unknown encoding", "only UTF-8 is known; read bytes with mode 'rb'"),
    (r"'buffering' argument", "leave buffering out"),
    (r"print\(\) 'file' argument", "use f.write(text + '\\n')"),
    (r"(?:write|read)_text\(\) takes", "leave encoding out: text is always UTF-8"),
    (r"callable replacement", "loop over re.finditer and build the text"),
    (
        r"'<' not supported between instances of 'PosixPath'",
        "sort by text: sorted(paths, key=lambda p: str(p))",
    ),
    (r"TextIOWrapper' object has no attribute 'writelines'", "use f.write(''.join(lines))"),
    (r"TextIOWrapper' object has no attribute 'write'", "use print(text, end='')"),
    (r"'maketrans'", "replace the characters one by one with str.replace"),
    (r"can't be awaited", "call the function without await"),
)


def hint(error: str) -> str:
    """What to write instead, where `error` ("Type: message") is the subset's; empty for an ordinary error."""
    kind, _, message = error.partition(": ")
    if kind == "NotImplementedError" and (found := _UNSUPPORTED.search(message)):
        instead = next((text for key, text in _SYNTAX.items() if key in message), "")
        return _sentence(f"this Python subset has no {found[1]}", instead)
    if kind == "ModuleNotFoundError" and (found := re.match(r"No module named '([\w.]+)'", message)):
        return _module_hint(found[1])
    if kind not in _OWN_KINDS:
        return ""
    instead = next((text for pattern, text in _INSTEAD if re.search(pattern, message)), "")
    if missing := _missing_name(message):
        if not instead and missing.startswith("str."):
            instead = "write lambda s: s.lower() where a method is wanted as a value"
        return _sentence(f"this Python subset has no {missing}", instead)
    return _sentence("this Python subset can't do that", instead) if instead or _NOT_YET in message else ""


def refused_syntax(error: str) -> str | None:
    """Why a parse error of monty's means that CPython is needed; `None` for an error of the code itself."""
    found = _UNSUPPORTED.search(error)
    return f"needs Docker: the small Python subset has no {found[1]}" if found else None


def refused_import(source: str) -> str | None:
    """Why a module that `source` imports unconditionally means that CPython is needed."""
    for name in _imports(source):
        top, _, part = name.partition(".")
        if top not in MODULES or (part and PARTS.get(top) != part):
            return f"needs Docker: the small Python subset has no module {name!r}"
    return None


def refused_check(source: str, has_args: bool, is_nested: bool) -> str | None:
    """Why a check's verdict couldn't be trusted, though the code may run.

    Where `sys.exit` fails inside a `try`, the check would go on; arguments can't be handed over; `__file__`
    always lies in the workspace's own folder.
    """
    lacking = ""
    if re.search(r"\bsys\s*\.\s*exit\b|\bfrom\s+sys\s+import\b[^\n]*\bexit\b", source):
        lacking = "no sys.exit (assert and exit(n) would do)"
    elif has_args and re.search(r"\bargv\b", source):
        lacking = "no arguments in sys.argv"
    elif is_nested and "__file__" in source:
        lacking = "no __file__ in a folder"
    return f"needs Docker: the small Python subset has {lacking}" if lacking else None


def _imports(source: str) -> Iterator[str]:
    """Modules imported at the top level, outside of any `try`."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module not in (None, "__future__"):
            yield statement.module


def _module_hint(module: str) -> str:
    top = module.partition(".")[0]
    instead = _INSTEAD_OF_MODULE.get(top, "")
    if not instead and top not in sys.stdlib_module_names:
        instead = "files of the workspace can't be imported: put the code into this one script"
    return _sentence(f"this Python subset has no module {module!r}", instead)


def _missing_name(error: str) -> str:
    """The name that CPython has and monty hasn't; empty where CPython would have failed too."""
    if (found := re.search(r"name '(\w+)' is not defined", error)) and hasattr(builtins, found[1]):
        return found[1]
    if found := re.search(r"module '(\w+)' has no attribute '(\w+)'", error):
        return f"{found[1]}.{found[2]}" if _has(found[1], found[2]) else ""
    if found := re.search(r"cannot import name '(\w+)' from '(\w+)'", error):
        return f"{found[2]}.{found[1]}" if _has(found[2], found[1]) else ""
    if found := re.search(r"(?:type object )?'(\w+)'(?: object)? has no attribute '(\w+)'", error):
        owner = getattr(builtins, found[1], None)
        return f"{found[1]}.{found[2]}" if isinstance(owner, type) and hasattr(owner, found[2]) else ""
    return ""


def _has(module: str, name: str) -> bool:
    return module in MODULES and hasattr(importlib.import_module(module), name)


def _sentence(what: str, instead: str) -> str:
    return f"{what}; {instead}" if instead else what
