"""Who may import what, who may open files, and what the core never loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HEAVY = (
    "docker",
    "genai_prices",
    "httpx",
    "openai",
    "pydantic_monty",
    "qdrant_client",
    "qdrant_edge",
    "tenacity",
    "textual",
    "typer",
)

MAY_OPEN = {
    "autoagent/folder/": "the one door to the user's folder",
    "autoagent/grants_file.py": "autoagent's own home: the person's grants",
    "autoagent/journal/": "autoagent's own home",
    "autoagent/live/": "sockets in autoagent's own home, or in a folder in /tmp",
    "autoagent/memory/": "autoagent's own home",
    "autoagent/settings/": "autoagent's own home: config.toml",
    "autoagent/vault.py": "autoagent's own home: secrets.toml",
    "autoagent/plugin_host/loading.py": "the code of plugins, to hash it",
    "autoagent/loop/prompt.py": "the texts beside it",
    "autoagent/goal/file.py": "the goal, before there is a run",
    "autoagent/api.py": "a new empty folder, before there is a run",
    "autoagent/llm/recording.py": "a recording that the person names",
    "autoagent/cli/": "what the person at the terminal names",
    "autoagent/console/editing.py": "a text that the person edits, in a temporary folder",
    "autoagent/console/screen.py": "/dev/null",
    "autoagent/sandboxes/monty_guest.py": "runs inside monty, on files that monty asks us for",
    "autoagent/starter/": "the new package that the person asks for",
    "autoagent/testing/": "tests",
    "plugins/autoagent_mcp/stdio.py": "the log of a server, in the plugin's own folder",
    "plugins/autoagent_web/cache.py": "the cache of pages, in the plugin's own folder",
    "plugins/autoagent_sql/copies.py": "private copies of databases, in a temporary folder",
    "plugins/autoagent_documents/worker.py": "its own standard output",
    "plugins/autoagent_openapi/descriptions.py": "what config.toml names, and its own folder",
    "autoagent/detached.py": "a log of its own home, for a process that carries a run",
    "autoagent/examples.py": "the copy of an example that the person asks for, before there is a run",
    "autoagent/plugin_host/installed.py": "the source of an installed plugin, for what it says of itself",
    "autoagent/tui/starting/editing.py": "names of folders, to complete the path that the person types",
    "autoagent/tui/starting/screen.py": "the goal file that the person writes, before there is a run",
}
"""Path -> what it opens."""

OF_PATHS = {"iterdir", "read_bytes", "read_text", "rglob", "symlink_to", "touch", "write_bytes", "write_text"}
MODULES = {"io", "os", "shutil", "tempfile"}
NOT_FILES = {
    "cpu_count",
    "fsdecode",
    "fsencode",
    "get_terminal_size",
    "getgid",
    "getpid",
    "getuid",
    "kill",
    "killpg",
    "read",  # of a descriptor that is open already
}


def test_imports_point_down() -> None:
    """The contracts in pyproject.toml hold: layers, and one place for each third-party package."""
    tool = Path(sys.executable).with_name("lint-imports")
    ran = subprocess.run([tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("module", ["autoagent.loop.lane", "autoagent.loop.runtime"])
def test_the_core_loads_no_adapter(module: str) -> None:
    """Importing the loop loads no model client, no engine, no store and no front end."""
    code = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not set(HEAVY) & set(ran.stdout.split())


def test_only_named_modules_open_files() -> None:
    """Nothing but `autoagent/folder` opens the user's folder; a new place that opens files says which."""
    found = {
        f"{path.relative_to(ROOT)}:{line}: {call}"
        for folder in ("autoagent", "plugins")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if not str(path.relative_to(ROOT)).startswith(tuple(MAY_OPEN))
        for line, call in _openings(path)
    }

    assert found == set()


def test_no_module_is_let_open_files_in_vain() -> None:
    """The list above is as short as it can be."""
    unused = [
        place for place in MAY_OPEN if not any(True for path in _files(ROOT / place) for _ in _openings(path))
    ]

    assert unused == []


def _files(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


def _openings(path: Path) -> Iterator[tuple[int, str]]:
    """Calls that reach a disk: (line, code)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and _opens(node):
            yield node.lineno, ast.unparse(node)


def _opens(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(id="open"):
            return True
        case ast.Attribute(value=ast.Name(id=module), attr=name) if module in MODULES:
            return name not in (*NOT_FILES, "BytesIO", "StringIO")
        case ast.Attribute(value=ast.Attribute(value=ast.Name(id="os"), attr="path"), attr=name):
            return name in ("exists", "isdir", "isfile", "islink", "lexists", "getsize", "realpath")
        case ast.Attribute(attr="open"):
            mode = call.args[0] if call.args else None
            return isinstance(mode, ast.Constant) and mode.value in (
                "r",
                "w",
                "a",
                "x",
                "rb",
                "wb",
                "ab",
                "xb",
            )
        case ast.Attribute(attr=name):
            return name in OF_PATHS
        case _:
            return False
