"""Real peers from npm, for tests: the folder in $AUTOAGENT_PEERS has them in `node_modules`.

`npm install --prefix "$AUTOAGENT_PEERS" PACKAGE…` puts them there. Where they aren't, tests that need them
are skipped with the reason; with AUTOAGENT_REQUIRE_PEERS they fail.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_FOLDER = os.environ.get("AUTOAGENT_PEERS", "")
IS_REQUIRED = bool(os.environ.get("AUTOAGENT_REQUIRE_PEERS"))
# read when tests are collected: in a test the environment is empty of them


def package(name: str) -> Path:
    """The folder of an npm package, `node` being there too; skips the test where one isn't."""
    folder = Path(_FOLDER) / "node_modules" / name
    why = ""
    if not _FOLDER:
        why = f"needs {name}: npm install --prefix FOLDER {name}, and AUTOAGENT_PEERS=FOLDER"
    elif not folder.is_dir():
        why = f"needs {name}: npm install --prefix {_FOLDER} {name}"
    elif shutil.which("node") is None:
        why = f"needs node, for {name}"
    if why:
        assert not IS_REQUIRED, why
        pytest.skip(why)
    return folder
