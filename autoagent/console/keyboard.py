"""Lines that a person types, read without blocking the loop. Owns nothing of the terminal's modes: the kernel
edits and echoes the line, so a process that is killed leaves the terminal as it was.
"""

from __future__ import annotations

import asyncio
import os
import termios

_LONGEST = 65_536


def forget_typed(descriptor: int) -> None:
    """Drop what was typed before the question stood there: it can't be meant as its answer."""
    termios.tcflush(descriptor, termios.TCIFLUSH)


async def read_line(descriptor: int) -> str | None:
    """The next line without its line break; `None` where the person ends the input (^D) or hangs up.

    Cancellable; what is typed afterwards stays in the terminal.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[str | None] = loop.create_future()
    typed = bytearray()

    def ready() -> None:
        try:
            data = os.read(descriptor, _LONGEST)
        except OSError:  # the terminal is gone: the same as an end
            data = b""
        typed.extend(data)
        if done.done():
            return
        if not data:
            done.set_result(None)
        elif typed.endswith(b"\n") or len(typed) > _LONGEST:
            done.set_result(typed.decode("utf-8", "replace").rstrip("\n"))

    loop.add_reader(descriptor, ready)
    try:
        return await done
    finally:
        loop.remove_reader(descriptor)
