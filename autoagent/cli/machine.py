"""The command about this machine: `doctor`."""

from __future__ import annotations

from typing import Annotated

import typer


def add_to(app: typer.Typer) -> None:
    app.command()(doctor)


def doctor(
    build: Annotated[
        bool, typer.Option("--build", help="Build the image of the Docker sandbox, if it is missing.")
    ] = False,
) -> int:
    """Say what works on this machine, and how to get the rest.

    Exit status 0 if a run can work live, else 1.
    """
    import asyncio
    import os

    from autoagent.cli import checks
    from autoagent.cli.output import note, out
    from autoagent.errors import UsageError
    from autoagent.journal.home import home
    from autoagent.settings import Settings, load

    broken = []
    try:
        settings = load(home(), os.environ)
    except UsageError as error:  # the rest of the machine is looked at all the same
        settings, broken = Settings(), [checks.Check("config", False, str(error))]
    if build:
        note("building the sandbox image, if it is missing; this can take some minutes")
        out(f"the image is there: {checks.build_image(settings)}")
    found = [*broken, *asyncio.run(checks.all_checks(home(), settings))]
    out(*checks.as_lines(found))
    if all(check.is_fine for check in found if check.is_needed):
        return 0
    out("no run can work live yet; recorded replies can be played: autoagent run PATH --recorded FILE")
    return 1
