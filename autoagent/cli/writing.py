"""Commands about a goal before it runs: `init`, `validate`. They spawn nothing and import no plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Where = Annotated[
    str,
    typer.Argument(metavar="PATH", help="A folder with a goal.yaml, or a YAML file.", show_default=False),
]


def add_to(app: typer.Typer) -> None:
    app.command()(init)
    app.command()(validate)


def init(
    path: Annotated[
        str, typer.Argument(metavar="PATH", help="The folder; made if it isn't there.", show_default=False)
    ] = ".",
    goal: Annotated[
        str, typer.Argument(metavar='"TEXT"', help="The goal, in words.", show_default=False)
    ] = "",
    template: Annotated[
        str,
        typer.Option(
            "--template",
            metavar="NAME",
            help="A workspace that came along, with its files; a name that isn't there lists them.",
            show_default=False,
        ),
    ] = "",
) -> None:
    """Write a goal.yaml that shows everything a goal may say, or one to begin with."""
    from autoagent.cli.output import out
    from autoagent.cli.target import looks_like_path, quoted
    from autoagent.errors import UsageError
    from autoagent.goal.file import FILE_NAME, PLACEHOLDER, from_text
    from autoagent.goal.file import template as showing_all

    if template:
        _begin_with(template, path, goal)
        return
    if not goal and not Path(path).exists() and not looks_like_path(path):
        path, goal = ".", path
    text = showing_all(from_text(goal or PLACEHOLDER).goal)
    file = Path(path) / FILE_NAME
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        what = f"{file} is there already, and nothing was written; edit it, or name a new folder"
        raise UsageError(what) from None
    except OSError as error:
        raise UsageError(f"{file} can't be written: {error.strerror}") from None
    out(f"wrote {file}; edit it, then: autoagent run {quoted(path)}")


def _begin_with(name: str, path: str, goal: str) -> None:
    """Copy a workspace that came along. Raises `UsageError`."""
    from autoagent.cli.output import note, out
    from autoagent.cli.target import quoted
    from autoagent.errors import UsageError
    from autoagent.examples import example

    if goal:
        raise UsageError("a template brings its own goal; leave the text out, and edit the file")
    chosen = example(name)
    kept = chosen.copy(Path(path))
    note(*(f"note: {file} was there already, and stays as it is" for file in kept), *chosen.needs)
    out(f"wrote {name} into {path}; edit its goal.yaml, then: autoagent run {quoted(path)}")


def validate(path: Where) -> int:
    """Say a goal back in English: what it may do and what it can't."""
    from autoagent.cli.validating import validate as say_back

    return say_back(path)
