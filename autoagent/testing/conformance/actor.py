"""The stage as the checking process has it: a process that may hang, die or be killed at any moment."""

from __future__ import annotations

import base64
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from pydantic import JsonValue

from autoagent.messages import Frozen
from autoagent.testing.conformance.script import Called, Calling, Opened, Order

Answer = TypeVar("Answer", bound=Frozen)

START_S = 60.0
_CHUNK = 1 << 20


class Gone(Exception):
    """The process has died, or didn't answer in time and was killed."""

    def __init__(self, said: str, log: str = "") -> None:
        super().__init__(f"{said}{f': {log}' if log else ''}")


class Actor:
    """One plugin in a process of its own, with a home of its own, or that of one that was killed."""

    def __init__(
        self,
        target: str,
        *,
        files: Mapping[str, bytes],
        settings: Mapping[str, JsonValue] | None = None,
        secrets: Mapping[str, str] | None = None,
        web: tuple[str, ...] = (),
        may_reach_all: bool = False,
        top: Path | None = None,
    ) -> None:
        """`top`: a folder for its home and all else; without one, it has a folder that ends with it."""
        self._folder = None
        if top is None:
            self._folder = tempfile.TemporaryDirectory(prefix="autoagent-rehearsal-")
            top = Path(self._folder.name)
        for name in ("home", "tmp", "cwd"):
            (top / name).mkdir(exist_ok=True)
        self.canary = top / "cwd" / "host-secret.txt"
        self.canary.write_text("a file of the host")
        self._log = (top / "log").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "autoagent.testing.conformance.stage"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=top / "cwd",
            env=_environment(top),
            start_new_session=True,  # so that what a tool has started ends with it
        )
        self._rest = b""
        encoded = {path: base64.b64encode(content).decode() for path, content in files.items()}
        opening = Order(
            target=target,
            settings=None if settings is None else dict(settings),
            secrets=dict(secrets or {}),
            files=encoded,
            web=web,
            home=str(top / "home"),
            canary=str(self.canary),
            free=(str(top / "tmp"), str(top / "home" / "plugins")),
            may_reach_all=may_reach_all,
        )
        self.opened = self._asked(opening, Opened, START_S)

    def call(self, calling: Calling) -> Called:
        """Raises `Gone`."""
        return self._asked(calling, Called, calling.timeout_s + 15)

    def begin(self, calling: Calling) -> None:
        """Have a call begun; `kill` comes next."""
        assert self._process.stdin is not None
        self._process.stdin.write(calling.model_dump_json().encode() + b"\n")
        self._process.stdin.flush()

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """As `kill -9`."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        with suppress(ProcessLookupError):  # it has left nobody behind
            os.killpg(self._process.pid, signal.SIGKILL)
        for stream in (self._process.stdin, self._process.stdout, self._log):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:  # an order that the killed process didn't read
                    continue
        if self._folder is not None:
            self._folder.cleanup()

    # --- inside ---------------------------------------------------------------------------------------------

    def _asked(self, order: Frozen, answer: type[Answer], within_s: float) -> Answer:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Gone("the process died", self._last_words()) from None
        return answer.model_validate_json(self._line(within_s))

    def _line(self, within_s: float) -> bytes:
        assert self._process.stdout is not None
        until = time.monotonic() + within_s
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0, until - time.monotonic()))
            if not ready:
                self.kill()
                raise Gone(f"no answer within {within_s:g} s, and it couldn't be stopped")
            piece = os.read(self._process.stdout.fileno(), _CHUNK)
            if not piece:
                self._process.wait()
                raise Gone(f"the process died (status {self._process.returncode})", self._last_words())
            self._rest += piece
        found, _, self._rest = self._rest.partition(b"\n")
        return found

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:300] if lines else ""


def _environment(top: Path) -> dict[str, str]:
    """Without the person's home, secrets and settings."""
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV")}
    return {
        **kept,
        "HOME": str(top / "home"),
        "TMPDIR": str(top / "tmp"),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
    }
