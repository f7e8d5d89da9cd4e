"""A PostgreSQL server of the tests' own: its cluster lies in a temporary folder, its line is a unix socket.

`available()` says why there is none. PostgreSQL refuses to run as root: root lends it the user `postgres`,
which Debian's package makes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

USER, PASSWORD = "shopkeeper", "correct horse"


def binaries() -> Path | None:
    """The folder with the server's programs; Debian has them outside of PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return versions[-1].parent if versions else None


def missing() -> str:
    """Why no server can be started; empty where one can."""
    if binaries() is None:
        return "PostgreSQL isn't installed (apt-get install postgresql)"
    if os.getuid() == 0 and _lent_user() is None:
        return "PostgreSQL doesn't run as root, and there is no user 'postgres'"
    return ""


@contextmanager
def server() -> Iterator[str]:
    """The URL of a fresh server without database name; `USER` is its superuser."""
    folder = Path(mkdtemp(prefix="pg-", dir="/tmp"))  # a socket's path has at most 107 bytes
    try:
        (folder / "password").write_text(PASSWORD)
        if os.getuid() == 0 and (user := _lent_user()) is not None:
            for path in (folder, folder / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        data = f"--pgdata={folder}/data"
        secret = f"--pwfile={folder}/password"
        _run(
            "initdb",
            data,
            secret,
            f"--username={USER}",
            "--auth=scram-sha-256",
            "--no-sync",
            "--encoding=UTF8",
        )
        options = f"-k {folder} -h '' -c fsync=off -c shared_buffers=16MB"
        _run("pg_ctl", data, "--wait", "-l", f"{folder}/log", "-o", options, "start")
        try:
            yield f"postgresql://{USER}@/{{database}}?host={folder}"
        finally:
            _run("pg_ctl", data, "--wait", "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _lent_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


def _run(program: str, *args: str) -> None:
    folder = binaries()
    assert folder is not None
    lent = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    done = subprocess.run(
        [*lent, str(folder / program), *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,  # the server keeps its pipes
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, f"{program}: {done.stdout}"
