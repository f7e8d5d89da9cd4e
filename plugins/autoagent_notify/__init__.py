"""Tells a person, where they are, that a question waits or how a run ended, with the command to type.

The addresses are the person's own, in a variable that the settings name; neither a goal nor a model can name
one. What is told goes out as plain text: see `text`.
"""

from __future__ import annotations

import asyncio
import platform

from autoagent.door.extras import needs
from autoagent.door.hooks import HookContext, Hooks, Report
from autoagent.door.tools import NotDone, Plugin, ToolError
from autoagent_notify.settings import NotifySettings
from autoagent_notify.text import body_of, title_of


async def tell(ctx: HookContext, report: Report) -> None:
    """Send the report to every address. Raises `ToolError` that says which did not take it."""
    settings = ctx.settings
    assert isinstance(settings, NotifySettings)
    if report.kind not in settings.on or (report.is_seen and report.kind != "question"):
        return
    secret = ctx.secrets.get(settings.urls_env)
    addresses = [] if secret is None else secret.get_secret_value().split()
    if not addresses:
        raise NotDone(
            f"the variable {settings.urls_env} isn't set; put the addresses into it, spaces between them"
        )
    with needs("notify"):
        from autoagent_notify.sending import send
    title = title_of(report, settings.name or platform.node())
    sent = (asyncio.to_thread(send, url, title, body_of(report), is_good(report)) for url in addresses)
    failed = [f"the {_nth(n)}, {why}" for n, why in enumerate(await asyncio.gather(*sent), 1) if why]
    if failed:
        raise ToolError(f"of {len(addresses)} addresses in {settings.urls_env}: {'; '.join(failed)}")


def is_good(report: Report) -> bool:
    """Whether the run came to what was wanted."""
    return report.exit_code == 0


def _nth(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


plugin = Plugin(
    name="notify",
    settings=NotifySettings,
    hooks=Hooks(report=tell),
)
