"""Commands about plugins: `plugins list`, `plugins new`, `plugins check`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from autoagent.cli import options

if TYPE_CHECKING:
    from autoagent.console.line import Part
    from autoagent.plugin_host.installed import Installed

plugins = typer.Typer(
    help="Tools that goals can enable.",
    rich_markup_mode=None,
    callback=options.help_unless_called,
    invoke_without_command=True,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The plugin.", show_default=False)]


@plugins.command("list")
def list_plugins(as_json: options.AsJson = False) -> None:
    """List what is installed; goals enable it by name."""
    from dataclasses import asdict

    from autoagent.cli.output import out, out_json
    from autoagent.console.line import Part, columns
    from autoagent.plugin_host.installed import installed

    found = installed()
    if as_json:
        out_json([asdict(plugin) for plugin in found])
    else:
        heading = tuple(
            Part(word, "dim") for word in ("plugin", "package", "enabled", "code or what it lacks")
        )
        rows = ((Part(p.name), Part(f"{p.package} {p.version}"), *_state(p)) for p in found)
        out(*columns([heading, *rows]))


def _state(plugin: Installed) -> tuple[Part, Part]:
    """What enables it, and what it lacks or where it is."""
    from autoagent.console.line import Part

    if plugin.lacks:
        return Part("incomplete", "attention"), Part(f"needs {', '.join(plugin.lacks)}: {plugin.install}")
    how = {"always": "always", "by name": "by name"}.get(plugin.enabled, f"with {plugin.enabled}")
    return Part(how), Part(plugin.target, "dim")


@plugins.command("new")
def new(
    name: Name,
    into: Annotated[
        Path, typer.Option("--into", metavar="DIR", help="The folder that the package's folder is made in.")
    ] = Path(),
    effect: Annotated[
        Literal["read", "write", "external"],
        typer.Option("--effect", help="What the tool that it begins with does to the world."),
    ] = "read",
) -> None:
    """Write the package of a new plugin: one tool, its tests, a README."""
    from autoagent import starter
    from autoagent.cli.output import out
    from autoagent.cli.target import quoted

    folder = starter.make(name, into, effect)
    where = quoted(str(folder))
    out(f"wrote {folder}; its tool is in {folder / f'autoagent_{name}' / '__init__.py'}; then:")
    out(f"  pip install -e {quoted(f'{folder}[dev]')}")
    out(f"  pytest {where}", f"  autoagent plugins check {name}")


@plugins.command("check")
def check(
    name: Name,
    really_send: Annotated[
        bool,
        typer.Option(
            "--really-send", help="Call tools that act outside, there, with the plugin's first example."
        ),
    ] = False,
    as_json: options.AsJson = False,
) -> int:
    """Try a plugin against what autoagent expects of every one.

    Exit status 1 where something is wrong. What could not be tried is said.
    """
    from autoagent.cli.checking import as_lines, checked, record
    from autoagent.cli.output import out, out_json

    report = checked(name, really_send)
    if as_json:
        out_json(record(report))
    else:
        out(*as_lines(report))
    return 0 if report.is_fine else 1
