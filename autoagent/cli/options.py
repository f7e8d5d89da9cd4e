"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id, or its start.", show_default=False)]
Question = Annotated[
    str, typer.Argument(metavar="ID", help="The question's id, or its start.", show_default=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Records = Annotated[
    bool, typer.Option("--json", help="Print a launch and a final record on stdout, nothing else.")
]
Model = Annotated[
    str | None,
    typer.Option("--model", metavar="M", help="Play every role with this model.", show_default=False),
]
Recorded = Annotated[
    str | None,
    typer.Option(
        "--recorded",
        metavar="FILE|RUN",
        help="Play the replies of a recording or a run.",
        show_default=False,
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait", metavar="SECONDS", min=0, help="Wait so long for an answer from elsewhere before parking."
    ),
]
Usd = Annotated[
    str | None, typer.Option("--usd", metavar="N", help="Limit of money, in US dollars.", show_default=False)
]
Steps = Annotated[
    int | None, typer.Option("--steps", metavar="N", min=0, help="Limit of steps.", show_default=False)
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes", metavar="N", min=0, help="Limit of active time, in minutes.", show_default=False
    ),
]
Tokens = Annotated[
    int | None, typer.Option("--tokens", metavar="N", min=0, help="Limit of tokens.", show_default=False)
]


def help_unless_called(context: typer.Context) -> None:
    """Print the help of a group whose command wasn't named."""
    if context.invoked_subcommand is None:
        from autoagent.cli.output import out

        out(*context.get_help().split("\n"))
