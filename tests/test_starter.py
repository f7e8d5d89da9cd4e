"""`plugins new`: a package that works at once, outside the repository, in an environment of its own."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from autoagent import starter
from autoagent.cli.app import status_of
from autoagent.errors import UsageError


def ran(*command: str | Path, cwd: Path, **environment: str) -> str:
    """What a command printed; it ended well."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AUTOAGENT_", "PYTEST_", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """The Python of a new environment that sees what this one has installed, and needs no registry."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    paths = [p for p in (*site.getsitepackages(), *sys.path) if p.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(paths)]
    (packages / "all.pth").write_text("\n".join(lines) + "\n")
    return folder / "bin" / "python"


def test_a_new_plugin_is_installed_tested_checked_and_enabled(fresh: Path, tmp_path: Path) -> None:
    """Each line that `plugins new` prints works, and a goal gets the tool."""
    cli = (fresh, "-m", "autoagent")
    said = ran(*cli, "plugins", "new", "board", "--effect", "external", cwd=tmp_path)
    folder = tmp_path / "autoagent-board"
    offline = ("--no-deps", "--no-build-isolation", "-q", "--disable-pip-version-check")
    ran(sys.executable, "-m", "pip", "--python", fresh, "install", *offline, "-e", folder, cwd=tmp_path)

    assert said.splitlines()[1].strip() == "pip install -e 'autoagent-board[dev]'"
    assert "8 passed" in ran(fresh, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder, cwd=tmp_path)
    assert "board: nothing wrong" in ran(*cli, "plugins", "check", "board", cwd=tmp_path)
    listed = ran(*cli, "plugins", "list", cwd=tmp_path, AUTOAGENT_HOME=str(tmp_path / "home"))
    assert ["board", "autoagent-board", "0.1.0"] in [row.split()[:3] for row in listed.splitlines()]


@pytest.mark.parametrize("effect", ["read", "write"])
def test_the_other_beginnings_pass_their_tests(effect: str, tmp_path: Path) -> None:
    """Without being installed: importable is enough for their tests."""
    assert status_of(["plugins", "new", "try_out", "--into", str(tmp_path), "--effect", effect]) == 0
    folder = tmp_path / "autoagent-try-out"
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder)

    assert "8 passed" in ran(*command, cwd=folder, PYTHONPATH=str(folder))


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A folder of that name stays as it is."""
    folder = starter.make("weather", tmp_path)
    (folder / "README.md").write_text("mine")

    with pytest.raises(UsageError, match="autoagent-weather is there already, and nothing was written"):
        starter.make("weather", tmp_path)
    assert (folder / "README.md").read_text() == "mine"


def test_the_placeholder_is_nowhere_left(tmp_path: Path) -> None:
    """Every file speaks of the new plugin, in each spelling of its name."""
    folder = starter.make("hot_air", tmp_path, "external")
    texts = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}

    assert [path for path, text in texts.items() if "sample" in path + text] == []
    assert 'name = "autoagent-hot-air"' in texts["pyproject.toml"]
    assert 'hot_air = "autoagent_hot_air:plugin"' in texts["pyproject.toml"]
    assert "async def hot_air_put" in texts["autoagent_hot_air/__init__.py"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Hot-Air", "can't be a plugin's name: .*; 'hot_air' would do"),
        ("class", "is no word of Python$"),
        ("9lives", "; 'lives' would do"),
        ("", "can't be a plugin's name"),
        ("x" * 41, "has 40 at most"),
        ("../evil", "; 'evil' would do"),
        ("files", "the plugin 'files' is there already, in autoagent"),
        ("sandbox", "a package autoagent_sandbox is installed already"),
    ],
)
def test_a_name_that_does_not_do_is_refused(name: str, said: str, tmp_path: Path) -> None:
    """With what would; nothing is written."""
    with pytest.raises(UsageError, match=said):
        starter.make(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """It is more often a slip than meant."""
    with pytest.raises(UsageError, match="No such file or directory"):
        starter.make("weather", tmp_path / "missing")
