"""A stranger's machine: an environment outside the repository, and commands as processes there."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
from pathlib import Path


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


def fresh_environment(folder: Path) -> Path:
    """The Python of a new environment that sees what this one has installed, and needs no registry."""
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    paths = [p for p in (*site.getsitepackages(), *sys.path) if p.endswith("site-packages")]
    lines = [f"import site; site.addsitedir({path!r})" for path in dict.fromkeys(paths)]
    (packages / "all.pth").write_text("\n".join(lines) + "\n")
    return folder / "bin" / "python"


def install(python: Path, package: Path) -> None:
    """As its author does: `pip install -e`, of nothing but the package itself."""
    offline = ("--no-deps", "--no-build-isolation", "-q", "--disable-pip-version-check")
    ran(sys.executable, "-m", "pip", "--python", python, "install", *offline, "-e", package, cwd=package)
