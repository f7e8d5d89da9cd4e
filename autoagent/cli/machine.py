"""Commands about this machine: `doctor`, `plugins list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from autoagent.cli import options

if TYPE_CHECKING:
    from autoagent.console.line import Part
    from autoagent.installed import Installed

plugins = typer.Typer(
    help="Tools that goals can enable.",
    rich_markup_mode=None,
    callback=options.help_unless_called,
    invoke_without_command=True,
)


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


@plugins.command("list")
def list_plugins(as_json: options.AsJson = False) -> None:
    """List what is installed; goals enable it by name."""
    from dataclasses import asdict

    from autoagent.cli.output import out, out_json
    from autoagent.console.line import Part, columns
    from autoagent.installed import installed

    found = installed()
    if as_json:
        out_json([asdict(plugin) for plugin in found])
    else:
        out(*columns((Part(p.name), Part(f"{p.package} {p.version}"), *_state(p)) for p in found))


def _state(plugin: Installed) -> tuple[Part, Part]:
    """What enables it, and what it lacks or where it is."""
    from autoagent.console.line import Part

    if plugin.lacks:
        return Part("incomplete", "attention"), Part(f"needs {', '.join(plugin.lacks)}: {plugin.install}")
    how = {"always": "enabled", "by name": "by name"}.get(plugin.enabled, f"with {plugin.enabled}")
    return Part(how), Part(plugin.target, "dim")
