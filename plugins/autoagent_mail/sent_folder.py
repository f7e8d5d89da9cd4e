"""Looks for a mail in the folder of sent mail, by IMAP. Reads, and changes nothing there.

Some providers put a copy of each mail there that they take by SMTP, others leave that to the mail program: to
find it there is proof, not to find it is none.
"""

from __future__ import annotations

import imaplib
import ssl

from autoagent_mail.settings import MailSettings


def holds(settings: MailSettings, password: str, message_id: str) -> bool:
    """Whether a mail with this Message-ID is there. Raises `OSError`, `imaplib.IMAP4.error`."""
    assert settings.imap_host is not None
    assert settings.user is not None
    where, timeout_s = (settings.imap_host, settings.used_imap_port), settings.timeout_s
    if settings.tls == "none":
        line = imaplib.IMAP4(*where, timeout=timeout_s)
    else:
        context = ssl.create_default_context(cafile=settings.ca_file)
        line = imaplib.IMAP4_SSL(*where, ssl_context=context, timeout=timeout_s)
    with line:
        line.login(settings.user, password)
        status, said = line.select(_quoted(settings.imap_folder), readonly=True)
        if status != "OK":
            raise imaplib.IMAP4.error(f"no folder {settings.imap_folder!r}: {said!r}")
        _, found = line.uid("SEARCH", "HEADER", "Message-ID", _quoted(message_id))
        return any(ids and ids.split() for ids in found)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
