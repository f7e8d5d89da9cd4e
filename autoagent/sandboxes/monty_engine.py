"""One job in one fresh worker process of monty: the only module that imports `pydantic_monty` (40 ms).

A worker is an interpreter without a single system call to offer: it asks, and this module answers, each file
call from the working copy, each function from the script's tools. Nothing else leaves or enters it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Literal

import pydantic_monty as monty

from autoagent.errors import SandboxUnavailable, ToolError
from autoagent.paths import MOUNT
from autoagent.ports import CallTool, ScriptFunction
from autoagent.sandboxes.monty_files import GuestFiles
from autoagent.sandboxes.monty_guest import prelude
from autoagent.sandboxes.monty_outcome import Ended, Frame, Program, WorkerDied
from autoagent.sandboxes.monty_output import CutText

MAX_WORKERS = 32
"""More jobs than this at once wait for each other."""
LONGEST_SLEEP_S = 86_400.0

Answer = dict[str, Any]
"""What a suspended worker is told: `return_value`, or `exc_type` and `message`."""

_ALIASES: dict[str, Any] = {"ToolError": RuntimeError, "IOError": OSError, "EnvironmentError": OSError}


class Engine:
    """Workers, each spent on one job (3 ms), so that nothing of a job is left for the next."""

    def __init__(self) -> None:
        self._pool: monty.AsyncMonty | None = None
        self._starting = asyncio.Lock()

    async def run(self, program: Program, guest: Guest) -> Ended:
        """Run to the end. Cancelling kills the worker. Raises `WorkerDied`, and what the guest's `call` raises."""
        pool = await self._started()
        modules: dict[str, monty.ExternalModule] = {}
        checkout = pool.checkout(
            limits={"max_memory": program.memory_bytes, "max_suspensions": 2**31},
            external_modules=modules,
            script_name=program.name,
        )
        try:
            async with checkout as session:
                return await _Run(session, program, guest, modules).to_the_end()
        except monty.MontyCrashedError as error:
            raise WorkerDied(str(error)) from error

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.__aexit__(None, None, None)

    async def _started(self) -> monty.AsyncMonty:
        async with self._starting:
            if self._pool is None:
                pool = monty.AsyncMonty(max_processes=MAX_WORKERS, max_checkouts_per_worker=1)
                try:
                    self._pool = await pool.__aenter__()
                except (RuntimeError, OSError) as error:
                    raise SandboxUnavailable(
                        f"monty's worker can't be started ({error}); reinstall pydantic-monty, or use Docker"
                    ) from error
            return self._pool


@dataclass
class Guest:
    """What a program may reach: files, output and the functions of a script."""

    files: GuestFiles
    output: CutText
    functions: Mapping[str, ScriptFunction] = field(default_factory=dict)
    call: CallTool | None = None
    """Calls a tool, with the files as the program left them so far."""


class _Run:
    def __init__(
        self,
        session: monty.AsyncMontySession,
        program: Program,
        guest: Guest,
        modules: dict[str, monty.ExternalModule],
    ) -> None:
        self._session, self._program, self._guest, self._modules = session, program, guest, modules
        self._feeds = 0
        self._exit: tuple[str, int] | None = None
        """Message and status of the last `exit(n)`."""

    async def to_the_end(self) -> Ended:
        await self._prepare()
        try:
            step = await self._session.feed_start(
                self._program.source,
                inputs=_ALIASES,
                print_callback=lambda _, text: self._guest.output.add(text),
                cwd=MOUNT,
            )
            while not isinstance(step, monty.MontyComplete):
                step = await self._answer(step)
        except (monty.MontyRuntimeError, monty.MontySyntaxError) as error:
            return self._failed(error)
        return Ended()

    async def _prepare(self) -> None:
        """Feed what the program finds already there: the guest's modules, and `sys.argv`."""
        if code := prelude(self._program.source):
            made = await self._feed(code)
            self._modules.update({name: monty.ExternalModule(names) for name, names in made.items()})
        if self._program.argv:
            await self._feed(f"import sys\nsys.argv.extend({list(self._program.argv)!r})\n")

    async def _feed(self, code: str) -> Any:
        self._feeds += 1
        return await self._session.feed_run(code)

    async def _answer(self, step: monty.AsyncSnapshot) -> monty.AsyncSnapshot:
        match step:
            case monty.AsyncNameLookupSnapshot(variable_name=name):
                known = name in self._guest.functions or name in ("exit", "quit")
                return await (step.resume(value=_named(name)) if known else step.resume())
            case monty.AsyncFunctionSnapshot(function_name="import"):
                return await step.resume_auto()
            case monty.AsyncFunctionSnapshot(is_os_function=True):
                return await step.resume(await self._system(step.function_name, step.args, step.kwargs))
            case monty.AsyncFunctionSnapshot():
                return await step.resume(await self._function(step.function_name, step.args, step.kwargs))
        raise AssertionError(f"monty asked for {type(step).__name__}, though no call is ever left pending")

    async def _system(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
        """Answer a call of `open`, `pathlib`, `os` or `time`."""
        if name in ("system.sleep", "system.async_sleep"):
            await asyncio.sleep(min(args[0], LONGEST_SLEEP_S))
            return {"return_value": None}
        try:
            return {"return_value": _file_call(self._guest.files, name, args, kwargs)}
        except (OSError, UnicodeDecodeError) as error:
            return {"exception": error}

    async def _function(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Answer:
        """Answer a call of a name that the program doesn't define."""
        if name in ("exit", "quit"):
            return self._exits(*args[:1])
        function = self._guest.functions.get(name)
        if function is None or self._guest.call is None:
            return _raised("NameError", f"name {name!r} is not defined")
        try:
            bound = bind(function, args, kwargs)
        except TypeError as error:
            return _raised("TypeError", str(error))
        try:
            return {"return_value": _plain(await self._guest.call(name, bound))}
        except ToolError as error:
            return _raised("RuntimeError", str(error))

    def _exits(self, code: object = None) -> Answer:
        status = code if isinstance(code, int) else 0 if code is None else 1
        message = f"exit status {status}" if code is None or isinstance(code, int) else str(code)
        self._exit = (message, status & 0xFF)
        return _raised("SystemExit", message)

    def _failed(self, error: monty.MontyRuntimeError | monty.MontySyntaxError) -> Ended:
        inner = error.exception()
        if isinstance(inner, SystemExit):
            return self._exited(str(inner.code or ""))
        own = f"<python-input-{self._feeds}>"
        frames = [Frame(f.line, f.function_name) for f in error.traceback() if f.filename == own]
        return Ended(error.display("type-msg"), tuple(frames))

    def _exited(self, message: str) -> Ended:
        """The status of an uncaught `SystemExit`, as CPython has it: a text is printed and means 1."""
        if self._exit is not None and self._exit[0] == message:
            if not message.startswith("exit status "):
                self._guest.output.add(f"{message}\n")
            return Ended(exit_code=self._exit[1])
        if message:
            self._guest.output.add(f"{message}\n")
        return Ended(exit_code=1 if message else 0)


def bind(function: ScriptFunction, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """A call's arguments by name, as plain JSON values. Raises `TypeError` as a call in Python would."""
    if len(args) > len(function.parameters):
        raise TypeError(
            f"{function.name}() takes {len(function.parameters)} arguments but {len(args)} were given"
        )
    bound = dict(zip(function.parameters, args, strict=False))
    for name, value in kwargs.items():
        if name not in function.parameters:
            raise TypeError(f"{function.name}() got an unexpected keyword argument {name!r}")
        if name in bound:
            raise TypeError(f"{function.name}() got multiple values for argument {name!r}")
        bound[name] = value
    return {name: _json(value, f"{function.name}() argument {name!r}") for name, value in bound.items()}


def _json(value: object, where: str) -> object:
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case PurePosixPath():
            return str(value)
        case list() | tuple():
            return [_json(item, where) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _json(item, where) for key, item in value.items()}
    raise TypeError(f"{where} must be text, a number, a list or a dict of such, not {value!r:.60}")


def _file_call(files: GuestFiles, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The result of a file call. Its first argument is a path, or the handle of an open file."""
    path = (
        PurePosixPath(args[0].path)
        if args and isinstance(args[0], monty.MontyFileHandle)
        else (*args, None)[0]
    )
    match name:
        case "open":
            files.open(path, args[1])
            return monty.MontyFileHandle(str(path), args[1])
        case "Path.read_text":
            return files.read(path).decode()
        case "Path.read_bytes":
            return files.read(path)
        case "Path.write_text" | "Path.append_text":
            getattr(files, name[5:-5])(path, args[1].encode())
            return len(args[1])
        case "Path.write_bytes" | "Path.append_bytes":
            getattr(files, name[5:-6])(path, args[1])
            return len(args[1])
        case "Path.resolve" | "Path.absolute":
            return str(path)
        case "os.environ":
            return {}
        case "os.getenv":
            return args[1] if len(args) > 1 else None
        case _ if name in _FILE_CALLS:
            return getattr(files, _FILE_CALLS[name])(path, *args[1:], **kwargs)
    raise OSError(38, f"{name} is not available in this sandbox")


_FILE_CALLS = {
    f"Path.{name}": name
    for name in (
        *("exists", "is_file", "is_dir", "is_symlink", "stat", "iterdir", "scan"),
        *("mkdir", "unlink", "rmdir", "rename"),
    )
}


def _raised(kind: Literal["NameError", "TypeError", "RuntimeError", "SystemExit"], message: str) -> Answer:
    return {"exc_type": kind, "message": _plain(message)}


def _plain(text: str) -> str:
    """Text that the interpreter can hold: lone surrogates spelled out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _named(name: str) -> Callable[[], None]:
    """What a function's name is answered with; calling it comes back here by that name."""

    def stand_in() -> None: ...

    stand_in.__name__ = name
    return stand_in


class Parser:
    """Monty's parser alone, in a worker of its own: it reads, and runs nothing."""

    def __init__(self) -> None:
        self._pool: monty.Monty | None = None

    def error(self, source: str) -> str:
        """`Type: message` of what monty's parser says against `source`; empty where it takes it."""
        if self._pool is None:
            self._pool = monty.Monty(
                max_processes=1, max_checkouts_per_worker=1, request_timeout=5
            ).__enter__()
        try:
            with self._pool.checkout(limits={"max_memory": 64 << 20}) as session:
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
