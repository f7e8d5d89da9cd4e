"""`tui`: opens the cockpit at this terminal, or serves it to a browser on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from autoagent.cli.output import note, out
from autoagent.console.finding import find_run, opened
from autoagent.console.signs import needs_ascii
from autoagent.door.extras import needs
from autoagent.errors import UsageError
from autoagent.journal.home import home
from autoagent.settings import load


def tui(prefix: str) -> None:
    """Until it is left. Raises `UsageError` where there is no terminal, and for an unknown run."""
    is_served = "TEXTUAL_DRIVER" in os.environ  # by ourselves, to a browser
    if not is_served and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "this is no terminal; 'autoagent runs', 'show' and 'approvals' print the same, "
            "and 'autoagent tui --web' opens it in a browser"
        )
    run_id = _found(prefix)
    from autoagent.tui.app import Cockpit

    encoding = sys.stdout.encoding
    is_ascii = needs_ascii(encoding, _terminal(is_served), load(home(), os.environ).terminal.ascii)
    cockpit = Cockpit(
        home(),
        run_id,
        settings=lambda: load(home(), os.environ),
        ascii_of=encoding if is_ascii else "",
    )
    cockpit.run()
    if not is_served:
        note(cockpit.left_at)


def _terminal(is_served: bool) -> Mapping[str, str]:
    """What tells whether signs can be drawn; of a browser only what a person asked for."""
    return {k: v for k, v in os.environ.items() if not is_served or k == "AUTOAGENT_ASCII"}


def in_browser(prefix: str, port: int) -> None:
    """Until ^C. Raises `UsageError` where the port is taken, and for an unknown run."""
    run_id = _found(prefix)
    with needs("browser", UsageError):
        from autoagent.tui.web import BrowserCockpit
    served = BrowserCockpit(port, run_id)
    out(served.url)
    note("whoever has this address can answer and start runs as you; ^C ends it, and no run")
    try:
        served.serve()
    except OSError as error:
        raise UsageError(f"port {port} can't be had ({error.strerror}); give another with --port") from error


def _found(prefix: str) -> str | None:
    if not prefix:
        return None
    with opened() as journal:
        return find_run(journal, prefix)
