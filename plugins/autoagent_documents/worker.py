"""The process that parses documents: `python -I -m autoagent_documents.worker`.

It gets files on its standard input and answers with lines of JSON. Documents come from anywhere and their
parsers are large, so this process has little memory, no files, no child processes and no secrets, and the one
that started it kills it when an answer takes too long.

A request is a line of JSON, `{"kind", "size", "first", "most", "cpu_s"}`, and `size` bytes; without `size` it
is about the same document as before. More than `cpu_s` seconds of computing end the process. The answer is a
line for each page and a last one, `{"total"}`, `{"problem"}` or `{"missing"}`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any, BinaryIO

from autoagent_documents.pages import Document, Unreadable

MEMORY_BYTES = 1_500_000_000
_CPU_S = 900
"""Ends a process whose parent was killed while it parses."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _limit()
    requests, document = sys.stdin.buffer, None
    while line := requests.readline():
        request = json.loads(line)
        # nobody handles the signal, so it ends the process, in the middle of C code too
        signal.setitimer(signal.ITIMER_PROF, request["cpu_s"])
        try:
            if request["size"] is not None:
                document = None  # lets go of the last one first
                document = opened(request["kind"], _whole(requests, request["size"]))
            assert document is not None
            last = _answer(answers, document, request["first"], request["most"])
        except Unreadable as error:
            last = {"problem": str(error)}
        except ModuleNotFoundError as error:
            last = {"missing": (error.name or str(error)).partition(".")[0]}
        except MemoryError:
            last = {
                "problem": f"it needs more than {MEMORY_BYTES // 1_000_000:,} MB of memory",
                "exits": True,
            }
        except RecursionError:
            last = {"problem": "it is nested too deeply", "exits": True}
        except Exception as error:  # what parsers raise over broken files has no common name
            last = {"problem": f"it is broken ({type(error).__name__}: {error})"[:300]}
        _say(answers, last)
        if "exits" in last:
            return


def opened(kind: str, data: bytes) -> Document:
    """The document, by a parser that is imported when it is first needed. Raises `Unreadable`."""
    if kind == "pdf":
        from autoagent_documents.pdf import Pdf

        return Pdf(data)
    if kind in ("docx", "pptx", "xlsx"):
        from autoagent_documents import office

        return office.opened(kind, data)
    from autoagent_documents import markup

    return markup.opened(kind, data)


def _answer(answers: BinaryIO, document: Document, first: int, most: int) -> dict[str, Any]:
    """Say the pages from `first` on, at most so many; gives the last line."""
    for index in range(first, min(first + most, document.total)):
        _say(answers, vars(document.page(index)))
    return {"total": document.total}


def _say(answers: BinaryIO, line: dict[str, Any]) -> None:
    answers.write(json.dumps(line).encode() + b"\n")
    answers.flush()


def _whole(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise SystemExit("the other side is gone")
    return data


def _limit() -> None:
    limits = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: _CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, limit in limits.items():
        with suppress(ValueError, OSError):  # this platform doesn't have it, or has a lower one
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    main()
