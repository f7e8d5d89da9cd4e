"""One program in one worker: answers what it asks for, until it ends.

File calls are answered from the working copy, functions by the script's tools; there is nothing else to have.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from autoagent.errors import ToolError
from autoagent.ports import CallTool, ScriptFunction
from autoagent.sandboxes.monty_files import GuestFiles
from autoagent.sandboxes.monty_guest import prelude
from autoagent.sandboxes.monty_outcome import Ended, Program
from autoagent.sandboxes.monty_output import CutText
from autoagent.sandboxes.monty_worker import Asked, Opened, Raises, Uncaught, Worker, Workers

EXITS = ("exit", "quit")
"""Functions of every program; `sys.exit` can't be had."""
LONGEST_SLEEP_S = 86_400.0


@dataclass
class Guest:
    """What a program may reach: files, output and the functions of a script."""

    files: GuestFiles
    output: CutText
    functions: Mapping[str, ScriptFunction] = field(default_factory=dict)
    call: CallTool | None = None
    """Calls a tool, with the files as the program left them so far."""

    def has_function(self, name: str) -> bool:
        return name in self.functions or name in EXITS

    def file(self, asked: Asked) -> object:
        try:
            return file_call(self.files, asked.name, asked.args, asked.kwargs)
        except (OSError, UnicodeDecodeError) as error:
            return error
        except ToolError as error:
            return OSError(str(error))


async def run(workers: Workers, program: Program, guest: Guest) -> Ended:
    """Run a program to its end. Cancelling kills its worker.

    Raises `WorkerDied`, `SandboxUnavailable`, and what the guest's `call` raises besides `ToolError`.
    """
    async with workers.worker(program.name, program.memory_bytes, guest.output, guest) as worker:
        return await _Run(worker, program, guest).to_the_end()


class _Run:
    def __init__(self, worker: Worker, program: Program, guest: Guest) -> None:
        self._worker, self._program, self._guest = worker, program, guest
        self._exit: tuple[str, int] | None = None
        """Text and status of the last `exit(n)`."""

    async def to_the_end(self) -> Ended:
        self._worker.offer(await self._worker.prepare(prelude(self._program.source)))
        try:
            asked = await self._worker.start(self._program.source)
            while asked is not None:
                asked = await self._worker.answer(asked, await self._answer_to(asked))
        except Uncaught as end:
            if end.exit_text is None:
                return Ended(end.error, end.frames, exit_code=1)
            return Ended(exit_code=self._status(end.exit_text))
        return Ended()

    async def _answer_to(self, asked: Asked) -> object:
        if asked.what == "sleep":
            await asyncio.sleep(min(asked.args[0], LONGEST_SLEEP_S))
            return None
        return await self._call(asked.name, asked.args, asked.kwargs)

    async def _call(self, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """Answer a call of a name that the program doesn't define."""
        if name in EXITS:
            return self._exits(*args[:1])
        function = self._guest.functions.get(name)
        if function is None or self._guest.call is None:
            return Raises("NameError", f"name {name!r} is not defined")
        try:
            bound = bind(function, args, kwargs)
        except TypeError as error:
            return Raises("TypeError", str(error))
        try:
            return await self._guest.call(name, bound)
        except ToolError as error:
            return Raises("RuntimeError", str(error))

    def _exits(self, code: object = None) -> Raises:
        """`exit(n)`: a `SystemExit` takes only text here, so the status is kept on this side."""
        if not isinstance(code, int | None):
            return Raises("SystemExit", str(code))
        status = code or 0
        self._exit = (f"exit status {status}", status & 0xFF)
        return Raises("SystemExit", self._exit[0])

    def _status(self, exit_text: str) -> int:
        """The status of an uncaught `SystemExit`, as CPython has it: a text is printed and means 1."""
        if self._exit is not None and self._exit[0] == exit_text:
            return self._exit[1]
        if exit_text:
            self._guest.output.add(f"{exit_text}\n")
        return 1 if exit_text else 0


def bind(function: ScriptFunction, args: Sequence[object], kwargs: Mapping[str, object]) -> dict[str, object]:
    """A call's arguments by name, as plain JSON values. Raises `TypeError` as a call in Python would."""
    known = function.parameters
    if len(args) > len(known):
        raise TypeError(f"{function.name}() takes {len(known)} arguments but {len(args)} were given")
    bound = dict(zip(known, args, strict=False))
    for name, value in kwargs.items():
        if name not in known:
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


def file_call(files: GuestFiles, name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
    """The result of one of the interpreter's system calls. Raises `OSError` and `UnicodeDecodeError`."""
    match name, *args:
        case "open", path, mode:
            files.open(path, mode)
            return Opened(path, mode)
        case "Path.read_text", path:
            return files.read(path).decode()
        case "Path.read_bytes", path:
            return files.read(path)
        case (("Path.write_text" | "Path.write_bytes"), path, data):
            files.write(path, data.encode() if isinstance(data, str) else data)
            return len(data)
        case (("Path.append_text" | "Path.append_bytes"), path, data):
            files.append(path, data.encode() if isinstance(data, str) else data)
            return len(data)
        case (("Path.resolve" | "Path.absolute"), path):
            return str(path)
        case "os.getenv", _, default:
            return default
        case "os.environ", *_:
            return {}
        case _ if (method := _METHODS.get(name)) is not None:
            return method(files, *args, **kwargs)
    raise OSError(38, f"{name} is not available in this sandbox")


_METHODS: dict[str, Any] = {
    f"Path.{method.__name__}": method
    for method in (
        *(GuestFiles.exists, GuestFiles.is_file, GuestFiles.is_dir, GuestFiles.is_symlink, GuestFiles.stat),
        *(GuestFiles.iterdir, GuestFiles.scan),
        *(GuestFiles.mkdir, GuestFiles.unlink, GuestFiles.rmdir, GuestFiles.rename),
    )
}
