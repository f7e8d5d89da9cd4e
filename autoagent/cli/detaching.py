"""`run --detach`: the same command in a process of its own, which outlives this terminal."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from autoagent.cli.output import note, out
from autoagent.cli.starting import Request
from autoagent.cli.target import understand
from autoagent.console.screen import Screen
from autoagent.errors import AutoagentError, StoreUnavailable
from autoagent.ids import new_id
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
    log = _log_folder() / f"starting-{new_id()}.log"
    with log.open("xb") as stream:
        process = subprocess.Popen(
            # -P: the current folder, which may be a workspace, is no place to import from
            [sys.executable, "-P", "-m", "autoagent", "run", *_arguments(request, str(work.source))],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    launch = _launch(process, log)
    kept = log.rename(log.with_name(f"{launch.run}.log"))
    if request.as_json:
        from autoagent.cli.records import as_record

        Screen.on(sys.stdout, may_fail=False).say_raw(as_record(launch))
    else:
        out(launch.run)
    note(
        f"run {launch.run} goes on in the background; log: {kept}",
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


def _launch(process: subprocess.Popen[bytes], log: Path) -> Launch:
    """The launch record, as soon as it stands in the log."""
    while True:
        status = process.poll()
        whole_lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        for said in whole_lines:
            if said.startswith('{"run":') and '"started_at"' in said:
                return Launch.model_validate_json(said)
        if status is not None:
            raise NotStarted(log.read_text(encoding="utf-8", errors="replace").strip(), status)
        time.sleep(_POLL_S)


def _log_folder() -> Path:
    folder = home() / "logs"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreUnavailable(f"{folder} can't be made: {error.strerror}; set AUTOAGENT_HOME") from error
    return folder
