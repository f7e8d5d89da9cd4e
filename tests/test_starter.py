"""`plugins new`: a package that works at once. test_docs_examples.py installs one as a stranger does."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from strangers import ran

from autoagent import starter
from autoagent.cli.app import status_of
from autoagent.errors import UsageError


@pytest.mark.parametrize("effect", ["write", "external"])
def test_each_beginning_passes_its_tests(
    effect: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Importable is enough for them; what to type next is said."""
    assert status_of(["plugins", "new", "try_out", "--into", str(tmp_path), "--effect", effect]) == 0
    folder = tmp_path / "autoagent-try-out"
    said = [text.strip() for text in capsys.readouterr().out.splitlines()]
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder)

    assert said[1:] == [
        f"pip install -e '{folder}[dev]'",
        f"pytest {folder}",
        "autoagent plugins check try_out",
    ]
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
