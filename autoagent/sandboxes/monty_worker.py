"""Worker processes of monty: the only module that imports `pydantic_monty` (40 ms).

A worker interprets and can do nothing else: where its program wants a file, a function or time, it stops and
asks (`Asked`), and goes on when it is answered. The blocking client is used, from threads: the asyncio one of
`pydantic-monty` 1.4 may abort the whole process where that exits soon after (40 of 180 times).
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal, Protocol, TypeVar

import pydantic_monty as monty

from autoagent.errors import SandboxUnavailable
from autoagent.paths import MOUNT
from autoagent.sandboxes.monty_outcome import Frame, WorkerDied
from autoagent.sandboxes.monty_output import CutText

MAX_WORKERS = 32
"""More jobs than this at once wait for each other."""
MAX_QUESTIONS = 2**31
"""A program may ask as often as its time allows; monty's own limit is 1000."""
PARSE_TIMEOUT_S = 5.0
PARSE_MEMORY_BYTES = 64 << 20

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a program has stopped for."""

    what: Literal["name", "import", "file", "sleep", "call"]
    """`name`: is there a function of this name? `call`: of such a function."""
    name: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    step: Any = None
    """Monty's own handle of the stop."""


class Answers(Protocol):
    """Who answers at once what a program asks; called from a thread, while the loop waits for it."""

    def has_function(self, name: str) -> bool: ...

    def file(self, asked: Asked) -> object:
        """A value, `Opened`, or an exception for the program to see."""
        ...


@dataclass(frozen=True)
class Opened:
    """The answer to `open`: the program holds an open file from now on."""

    path: PurePosixPath
    mode: str


@dataclass(frozen=True)
class Raises:
    """An answer that is an exception in the program."""

    kind: Literal["NameError", "TypeError", "RuntimeError", "SystemExit"]
    message: str


class Uncaught(Exception):
    """The program ended by an exception."""

    def __init__(self, error: str, frames: tuple[Frame, ...], exit_text: str | None) -> None:
        super().__init__(error)
        self.error = error
        """`Type: message`."""
        self.frames = frames
        self.exit_text = exit_text
        """The text of a `SystemExit`, empty where it had none; `None` for other exceptions."""


class Workers:
    """Makes workers. Each serves one job (3 ms to start), so that nothing of a job is left for the next."""

    def __init__(self) -> None:
        self._pool: monty.Monty | None = None
        self._threads = ThreadPoolExecutor(MAX_WORKERS, "monty")
        self._starting = asyncio.Lock()
        # who waits for a worker waits here, not in a thread that those with a worker need
        self._free = asyncio.Semaphore(MAX_WORKERS)

    @asynccontextmanager
    async def worker(
        self, name: str, memory_bytes: int, output: CutText, answers: Answers
    ) -> AsyncIterator[Worker]:
        """A fresh worker for a program of this name. Raises `SandboxUnavailable`."""
        modules: dict[str, monty.ExternalModule] = {}
        session = (await self._started()).checkout(
            script_name=name,
            limits={"max_memory": memory_bytes, "max_suspensions": MAX_QUESTIONS},
            external_modules=modules,
        )
        worker = Worker(session, modules, self._threads, output, answers)
        async with self._free:
            try:
                await worker.open()
                yield worker
            finally:
                await worker.close()

    async def _started(self) -> monty.Monty:
        async with self._starting:
            if self._pool is None:
                self._pool = await _blocking(self._threads, _new_pool)
            return self._pool

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await _blocking(self._threads, lambda: pool.__exit__(None, None, None))
        self._threads.shutdown()


class Worker:
    """One worker process. Cancelling whatever it does kills it, and returns when it is dead."""

    def __init__(
        self,
        session: monty.MontySession,
        modules: dict[str, monty.ExternalModule],
        threads: Executor,
        output: CutText,
        answers: Answers,
    ) -> None:
        self._session, self._modules, self._threads = session, modules, threads
        self._output, self._answers = output, answers
        self._pid: int | None = None
        """Of the process; `None` until it is there."""
        self._feeds = 0

    async def open(self) -> None:
        def enter() -> None:
            self._session.__enter__()
            self._pid = self._session.worker_pid

        await _blocking(self._threads, enter)

    async def close(self) -> None:
        if self._pid is not None:
            await _blocking(self._threads, lambda: self._session.__exit__(None, None, None))

    async def prepare(self, code: str) -> Any:
        """Run code of ours to its end, before the program; what its last line says."""
        self._feeds += 1
        return await self._do(lambda: self._session.feed_run(code))

    def offer(self, modules: Mapping[str, dict[str, Any]]) -> None:
        """Let the program import modules that `prepare` has made."""
        self._modules.update({name: monty.ExternalModule(names) for name, names in modules.items()})

    async def start(self, source: str) -> Asked | None:
        """Run to the next `sleep` or `call`; `None` at the program's end. Raises `Uncaught`, `WorkerDied`."""
        return await self._go_on(
            lambda: self._session.feed_start(source, print_callback=self._printed, cwd=MOUNT)
        )

    async def answer(self, asked: Asked, value: object) -> Asked | None:
        """Go on as `start` does, with the answer to what was asked: a value or `Raises`."""
        return await self._go_on(lambda: asked.step.resume(_told(value)))

    async def _go_on(self, call: Callable[[], monty.SyncSnapshot]) -> Asked | None:
        try:
            return await self._do(lambda: self._until_asked(call()))
        except (monty.MontyRuntimeError, monty.MontySyntaxError) as error:
            raise self._uncaught(error) from None

    def _until_asked(self, step: monty.SyncSnapshot) -> Asked | None:
        """Answer in this thread what can be answered at once: 35 µs each, 105 by way of the loop."""
        while (asked := _asked(step)) is not None and asked.what not in ("sleep", "call"):
            if asked.what == "import":
                step = asked.step.resume_auto()
            elif asked.what == "file":
                step = asked.step.resume(_told(self._answers.file(asked)))
            elif self._answers.has_function(asked.name):
                step = asked.step.resume(value=_stand_in(asked.name))
            else:
                step = asked.step.resume()
        return asked

    async def _do(self, call: Callable[[], T]) -> T:
        try:
            return await _blocking(self._threads, call, self._kill)
        except monty.MontyCrashedError as error:
            flood = "it printed without end and was killed"
            why = flood if self._output.is_flood else f"the interpreter died ({error})"
            raise WorkerDied(why) from error

    def _printed(self, _: str, text: str) -> None:
        self._output.add(text)
        if self._output.is_flood:
            self._kill()

    def _kill(self) -> None:
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)

    def _uncaught(self, error: monty.MontyRuntimeError | monty.MontySyntaxError) -> Uncaught:
        inner = error.exception()
        own = f"<python-input-{self._feeds}>"
        frames = tuple(Frame(f.line, f.function_name) for f in error.traceback() if f.filename == own)
        exit_text = str(inner.code or "") if isinstance(inner, SystemExit) else None
        return Uncaught(error.display("type-msg"), frames, exit_text)


class Parser:
    """Monty's parser alone, in a worker of its own: it reads, and runs nothing."""

    def __init__(self) -> None:
        self._pool: monty.Monty | None = None

    def error(self, source: str) -> str:
        """`Type: message` of what the parser has against `source`; empty where it takes it."""
        if self._pool is None:
            self._pool = _new_pool(request_timeout=PARSE_TIMEOUT_S)
        try:
            with self._pool.checkout(limits={"max_memory": PARSE_MEMORY_BYTES}) as session:
                # the worker stops at this call, after parsing and before the first line of the source
                session.feed_start(f"stop_here()\n{source}", print_callback=monty.CollectString())
        except (monty.MontyRuntimeError, monty.MontySyntaxError) as error:
            return error.display("type-msg")
        except monty.MontyCrashedError:
            return ""
        return ""

    def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.__exit__(None, None, None)


def _new_pool(request_timeout: float | None = None) -> monty.Monty:
    pool = monty.Monty(max_processes=MAX_WORKERS, max_checkouts_per_worker=1, request_timeout=request_timeout)
    try:
        return pool.__enter__()
    except (RuntimeError, OSError) as error:
        raise SandboxUnavailable(
            f"monty's worker can't be started ({error}); reinstall pydantic-monty, or use Docker"
        ) from error


async def _blocking(
    threads: Executor, call: Callable[[], T], on_cancel: Callable[[], None] | None = None
) -> T:
    """Run `call` in a thread. When cancelled, make it end by `on_cancel`, and wait until it has."""
    running = asyncio.get_running_loop().run_in_executor(threads, call)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        if on_cancel is not None:
            on_cancel()
        while not running.done():
            with suppress(asyncio.CancelledError):  # raised again below
                await asyncio.wait({running})
        running.exception()  # seen, and of no more interest
        raise


def _asked(step: monty.SyncSnapshot) -> Asked | None:
    match step:
        case monty.MontyComplete():
            return None
        case monty.NameLookupSnapshot(variable_name=name):
            return Asked("name", name, step=step)
        case monty.FunctionSnapshot(function_name="import"):
            return Asked("import", "import", step=step)
        case monty.FunctionSnapshot(function_name=("system.sleep" | "system.async_sleep") as name):
            return Asked("sleep", name, step.args, step=step)
        case monty.FunctionSnapshot(function_name=name, args=args, kwargs=kwargs):
            what: Literal["file", "call"] = "file" if step.is_os_function else "call"
            return Asked(what, name, tuple(map(_path_of, args)), kwargs, step)
    raise AssertionError(f"monty asked for {type(step).__name__}, though no call is ever left pending")


def _path_of(arg: object) -> object:
    """An open file stands for its path."""
    return PurePosixPath(arg.path) if isinstance(arg, monty.MontyFileHandle) else arg


def _told(value: object) -> Any:
    match value:
        case Raises(kind=kind, message=message):
            return {"exc_type": kind, "message": _plain(message)}
        case Exception():
            return {"exception": value}
        case Opened(path=path, mode=mode):
            return {"return_value": monty.MontyFileHandle(str(path), mode)}
        case str():
            return {"return_value": _plain(value)}
        case _:
            return {"return_value": value}


def _plain(text: str) -> str:
    """Text that the interpreter can hold: lone surrogates spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _stand_in(name: str) -> Callable[[], None]:
    """What a function's name is answered with; calling it asks for a `call` of that name."""

    def stand_in() -> None: ...

    stand_in.__name__ = name
    return stand_in
