"""`run --detach`: the same command in a process of its own, which outlives this terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

from autoagent.cli.output import note, out
from autoagent.cli.starting import Request
from autoagent.cli.target import understand
from autoagent.console.screen import Screen
from autoagent.detached import Detached
from autoagent.detached import detach as in_a_process
from autoagent.errors import AutoagentError
from autoagent.journal.home import home
from autoagent.wiring import Launch

_POLL_S = 0.05


class NotStarted(AutoagentError):
    """The process in the background ended before its run had begun."""

    def __init__(self, said: str, status: int) -> None:
        self.exit_code = status if status > 0 else 1
        super().__init__(f"the run did not start:\n{said}")


def detach(request: Request) -> int:
    """Start the run, wait until it has begun, print its launch record or its name. Raises `NotStarted`."""
    work = understand(request.target)
    work.prepare()
    started = in_a_process(home(), ["run", *_arguments(request, str(work.source))])
    launch = _launch(started)
    if request.as_json:
        from autoagent.cli.records import as_record

        Screen.on(sys.stdout, may_fail=False).say_raw(as_record(launch))
    else:
        out(launch.run)
    note(
        f"run {launch.run} goes on in the background; log: {started.log}",
        f"next: autoagent tail {launch.run} --follow",
    )
    return 0


def _arguments(request: Request, target: str) -> Iterator[str]:
    """The request as `run` takes it, with `--json`, so that its log ends with the record."""
    yield "--json"
    named = {
        "--model": request.model,
        "--parallel": request.parallel,
        "--recorded": request.recorded,
        "--wait": request.wait_s or None,
        **({f"--{k}": v for k, v in request.raised if k != "kind"} if request.raised is not None else {}),
    }
    for option, value in named.items():
        if value is not None:
            yield f"{option}={value}"
    if request.strict:
        yield "--strict"
    yield "--"
    yield target


def _launch(started: Detached) -> Launch:
    """The launch record, as soon as it stands in the log."""
    while True:
        status = started.process.poll()
        if (launch := started.launch()) is not None:
            return launch
        if status is not None:
            raise NotStarted(started.said().strip(), status)
        time.sleep(_POLL_S)
