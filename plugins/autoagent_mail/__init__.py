"""Mail by SMTP, from the address in config.toml.

A message is a pure function of its call: arguments and files from the record, the Message-ID from the call's
key, the date of its first try. So every try hands over the same bytes. Not every mailbox drops a second mail
with a Message-ID that it has: what becomes of a mail that a crash left open is the person's to say, unless
`after_crash` in the settings says it for good.
"""

from __future__ import annotations

import asyncio
import os
from imaplib import IMAP4
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from autoagent.door.hooks import Hooks
from autoagent.door.tools import NotDone, Plugin, ToolContext, WorkspaceFile, tool
from autoagent_mail.allowance import count, within_limit
from autoagent_mail.delivery import Delivery
from autoagent_mail.message import Letter, addresses, message_id, one_line_only, sendable
from autoagent_mail.sent_folder import holds
from autoagent_mail.settings import MailSettings

_TIMEOUT_S = 600
"""For the whole of it; each word of the server has the settings' own `timeout_s`."""

_MOST_BYTES = 50_000_000
"""Of attachments; a mail is held in memory, a third larger."""

Recipients = Annotated[
    list[str],
    BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    AfterValidator(addresses),
    Field(min_length=1),
]


async def look_up(
    ctx: ToolContext, to: list[str], subject: str, body: str, attachments: list[WorkspaceFile]
) -> Literal["done", "unknown", "ask"]:
    """Whether the mail is among those that were sent. Not to find it is no proof: the settings say."""
    settings = _settings(ctx)
    password = ctx.secrets.get(settings.password_env or "")
    if settings.imap_host is not None and password is not None:
        sought = message_id(ctx.key, settings.sender)
        try:
            if await asyncio.to_thread(holds, settings, password.get_secret_value(), sought):
                return "done"
        except (OSError, IMAP4.error) as error:
            ctx.log.warning("sent mail can't be looked up at %s: %s", settings.imap_host, error)
    return "unknown" if settings.after_crash == "send again" else "ask"


@tool(
    effect="external",
    destination="to",
    probe=look_up,
    idempotency_key=lambda args: "",  # the run's own key; the Message-ID is made of it
    timeout_s=_TIMEOUT_S,
)
async def mail_send(
    ctx: ToolContext,
    to: Recipients,
    subject: Annotated[str, AfterValidator(one_line_only)],
    body: Annotated[str, AfterValidator(sendable)],
    attachments: list[WorkspaceFile] = [],  # noqa: B006 (a tool's default is read, never changed)
) -> str:
    """Send a mail in plain text, all recipients seeing each other. It can't be taken back.

    Args:
        to: The addresses, like anna@example.org, without names.
        subject: One line.
        body: The text.
        attachments: Paths of files in the workspace.
    """
    settings = _settings(ctx)
    if ctx.began_at is None:
        raise NotDone("nothing was sent: this call has no start on record")
    letter = Letter(
        sender=settings.sender,
        name=settings.name,
        to=tuple(to),
        subject=subject,
        body=body,
        attachments=_contents(ctx, attachments),
        key=ctx.key,
        at=ctx.began_at,
    )
    password = None if settings.password_env is None else ctx.secret(settings.password_env)
    accepted = await _carried_out(Delivery(settings, password, letter))
    enclosed = f" with {', '.join(file.path for file in attachments)}" if attachments else ""
    return (
        f"{settings.host} took the mail to {', '.join(to)}{enclosed} ({accepted}). It will deliver it, or "
        f"tell {settings.sender} by mail that it can't. Message-ID {letter.message_id}"
    )


def _contents(ctx: ToolContext, files: list[WorkspaceFile]) -> tuple[tuple[str, bytes], ...]:
    """Path and bytes of each. Raises `NotDone` where they are more than a mail is for."""
    total = 0
    for file in files:
        with ctx.open_file(file) as content:
            total += content.seek(0, os.SEEK_END)
    if total > _MOST_BYTES:
        raise NotDone(
            f"nothing was sent: the attachments have {total / 1e6:.0f} MB, and a mail takes "
            f"{_MOST_BYTES / 1e6:.0f} MB; send less"
        )
    return tuple((file.path, ctx.read_file(file)) for file in files)


async def _carried_out(delivery: Delivery) -> str:
    """In a thread; where the call is stopped, the line to the server is cut at once."""
    try:
        return await asyncio.to_thread(delivery.carry_out)
    except asyncio.CancelledError:
        delivery.stop()
        raise


def _settings(ctx: ToolContext) -> MailSettings:
    assert isinstance(ctx.settings, MailSettings)
    return ctx.settings


plugin = Plugin(
    name="mail",
    tools=[mail_send],
    settings=MailSettings,
    hooks=Hooks(pre_call=within_limit, post_call=count),
)
