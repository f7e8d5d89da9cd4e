"""Commands that carry runs, watch or end them: `run`, `resume`, `tui`, `cancel`."""

from __future__ import annotations

from typing import Annotated

import typer

from autoagent.cli import options


def add_to(app: typer.Typer) -> None:
    app.command()(run)
    app.command()(resume)
    app.command()(cancel)
    app.command()(tell)
    app.command()(pause)
    app.command()(unpause)
    app.command()(tui)


def run(
    goal: Annotated[
        str,
        typer.Argument(
            metavar='PATH|"TEXT"',
            help="A folder with a goal.yaml, a YAML file, or a goal in words.",
            show_default=False,
        ),
    ],
    as_json: options.Records = False,
    model: options.Model = None,
    parallel: Annotated[
        int | None,
        typer.Option(
            "--parallel", metavar="N", min=1, max=16, help="Sub-tasks side by side.", show_default=False
        ),
    ] = None,
    recorded: options.Recorded = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="The recording's whole requests must match too.")
    ] = False,
    usd: options.Usd = None,
    steps: options.Steps = None,
    minutes: options.Minutes = None,
    tokens: options.Tokens = None,
    wait: options.Wait = 0,
    detach: Annotated[bool, typer.Option("--detach", help="Go on in the background.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be used; start nothing.")
    ] = False,
) -> int:
    """Carry out a goal, in its folder.

    Exit status: 0 proved, 1 ended unproved, 2 wrong goal or call, 3 parked, 4 limit reached, 5 model, sandbox
    or store missing, 130 interrupted. ^C stops at a point from which 'autoagent resume' goes on.
    """
    from autoagent.cli import starting

    request = starting.Request(
        goal,
        as_json=as_json,
        model=model,
        parallel=parallel,
        recorded=recorded,
        strict=strict,
        raised=starting.limits(usd, steps, minutes, tokens),
        wait_s=wait,
    )
    if dry_run:
        from autoagent.cli.dry_run import dry_run as only_say

        return only_say(request)
    if detach:
        from autoagent.cli.detaching import detach as in_background

        return in_background(request)
    return starting.run(request)


def resume(
    run: options.Run,
    as_json: options.Records = False,
    model: options.Model = None,
    recorded: options.Recorded = None,
    usd: options.Usd = None,
    steps: options.Steps = None,
    minutes: options.Minutes = None,
    tokens: options.Tokens = None,
    wait: options.Wait = 0,
) -> int:
    """Go on with a run that stopped, parked or crashed.

    Also after a limit, which you raise with --usd, --steps, --minutes or --tokens.
    """
    from autoagent.cli import starting
    from autoagent.wiring import Choices

    raised = starting.limits(usd, steps, minutes, tokens)
    choices = Choices(model=model, recorded=recorded, raised=raised)
    return starting.resume(run, choices, as_json=as_json, wait_s=wait)


def tui(
    run: Annotated[str, typer.Argument(metavar="[RUN]", help="Open this run.", show_default=False)] = "",
    web: Annotated[
        bool, typer.Option("--web", help="In a browser on this machine; prints the address.")
    ] = False,
    port: Annotated[int, typer.Option("--port", metavar="N", min=1024, max=65535, help="Of --web.")] = 8620,
) -> None:
    """The cockpit: all runs and what waits for you, on a screen.

    It only looks and sends answers: closing it leaves every run as it is.
    """
    from autoagent.cli import cockpit

    if web:
        cockpit.in_browser(run, port)
    else:
        cockpit.tui(run)


def cancel(
    run: options.Run,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="For the record.")] = "",
) -> None:
    """End a run for good; what is under way ends at once."""
    from autoagent.cli.cancelling import cancel as cancel_run

    cancel_run(run, why)


def tell(
    run: options.Run, text: Annotated[str, typer.Argument(metavar="TEXT", help="Words for the agent.")]
) -> None:
    """Say something to the agent; it reads that before its next step.

    Sub-tasks that begin later read it too.
    """
    from autoagent.cli.steering import steer
    from autoagent.commands import Tell
    from autoagent.errors import UsageError

    if not text.strip():
        raise UsageError("there is nothing to tell; give a text")
    steer(run, Tell(text=text))


def pause(run: options.Run) -> None:
    """Hold a run still before its next step; its time stands still too."""
    from autoagent.cli.steering import steer
    from autoagent.commands import Pause

    steer(run, Pause())


def unpause(run: options.Run) -> None:
    """End a pause."""
    from autoagent.cli.steering import steer
    from autoagent.commands import GoOn

    steer(run, GoOn())
