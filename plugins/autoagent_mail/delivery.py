"""Hands one mail over to an SMTP server, and says exactly what is known when that fails.

All or nothing: where one recipient is refused the mail is handed over for none. Up to the line that ends the
message nothing is sent, whatever happens; from there on only the server's answer says whether it took it.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator

from autoagent.door.tools import NotDone, ToolError
from autoagent.redact import one_line
from autoagent_mail.message import Letter
from autoagent_mail.settings import MailSettings

_TAKEN, _GO_ON = (250, 251, 252), 354


class Delivery:
    """One try. Runs in a thread; `stop` may be called from another."""

    def __init__(self, settings: MailSettings, password: str | None, letter: Letter) -> None:
        self._settings = settings
        self._password = password
        self._letter = letter
        self._smtp: smtplib.SMTP | None = None
        self._is_stopped = False

    def carry_out(self) -> str:
        """The server's word that it took the mail. Raises `NotDone`; `ToolError` where nobody can know."""
        try:
            with self._nothing_sent():
                smtp = self._connected()
                self._log_in(smtp)
                self._address(smtp)
                self._talk(smtp.docmd("DATA"), "the message", _GO_ON)
                smtp.send(re.sub(rb"(?m)^\.", b"..", self._letter.data))
                self._look_whether_stopped()
            with self._unknown():
                smtp.send(b".\r\n")
                answer = smtp.getreply()
                if not 400 <= answer[0] < 600 and answer[0] not in _TAKEN:  # neither a yes nor a no
                    raise smtplib.SMTPResponseException(*answer)
            return self._talk(answer, "the message")
        finally:
            if self._smtp is not None:
                self._smtp.close()

    def stop(self) -> None:
        """Cut the line: what hasn't been handed over never will be."""
        self._is_stopped = True
        line = self._smtp.sock if self._smtp is not None else None
        if line is not None:
            with contextlib.suppress(OSError):  # it is down already
                line.shutdown(socket.SHUT_RDWR)

    # --- up to the message ----------------------------------------------------------------------------------

    def _connected(self) -> smtplib.SMTP:
        """A line to the server, encrypted as the settings want it."""
        settings = self._settings
        where, name = (
            (settings.host, settings.used_port),
            self._letter.message_id.strip("<>").partition("@")[2],
        )
        if settings.tls == "tls":
            context = ssl.create_default_context(cafile=settings.ca_file)
            self._smtp = smtplib.SMTP_SSL(*where, name, timeout=settings.timeout_s, context=context)
        else:
            self._smtp = smtplib.SMTP(*where, name, timeout=settings.timeout_s)
        if settings.tls == "starttls":
            self._smtp.starttls(context=ssl.create_default_context(cafile=settings.ca_file))
        self._look_whether_stopped()
        return self._smtp

    def _log_in(self, smtp: smtplib.SMTP) -> None:
        smtp.ehlo_or_helo_if_needed()
        if self._settings.user is None or self._password is None:
            return
        try:
            smtp.login(self._settings.user, self._password)
        except smtplib.SMTPAuthenticationError as error:
            # its words may hold what we sent
            raise NotDone(
                f"nothing was sent: {self._settings.host} refuses user or password ({error.smtp_code}); "
                f"the person must correct [plugins.mail], or {self._settings.password_env}"
            ) from None

    def _address(self, smtp: smtplib.SMTP) -> None:
        """Sender and recipients; all of them are wanted."""
        letter, options = self._letter, []
        if smtp.has_extn("size"):
            options.append(f"size={len(letter.data)}")
        if letter.needs_utf8:
            if not smtp.has_extn("smtputf8"):
                host = self._settings.host
                raise NotDone(f"nothing was sent: {host} takes only addresses of ASCII letters (no SMTPUTF8)")
            options += ["SMTPUTF8", "BODY=8BITMIME"]
            smtp.command_encoding = "utf-8"
        self._talk(smtp.mail(letter.sender, options), f"mail from {letter.sender}")
        refused = [(to, answer) for to in letter.to if (answer := smtp.rcpt(to))[0] not in _TAKEN]
        if refused:
            said = "; ".join(f"{to} ({_words(answer)})" for to, answer in refused)
            others = len(letter.to) - len(refused)
            rest = (
                f", but would take {'the other' if others == 1 else f'the {others} others'}" if others else ""
            )
            raise NotDone(f"nothing was sent, to nobody: {self._settings.host} refuses {said}{rest}")

    # --- what is known --------------------------------------------------------------------------------------

    def _talk(self, answer: tuple[int, bytes], what: str, *wanted: int) -> str:
        """The server's answer, where it is the wanted one. Raises `NotDone`."""
        if answer[0] not in (wanted or _TAKEN):
            raise NotDone(f"nothing was sent: {self._settings.host} refuses {what} ({_words(answer)})")
        return _words(answer)

    def _look_whether_stopped(self) -> None:
        if self._is_stopped:
            raise NotDone("nothing was sent: it was stopped before")

    @contextlib.contextmanager
    def _nothing_sent(self) -> Iterator[None]:
        """What goes wrong in here, goes wrong before the server has a whole message."""
        settings = self._settings
        try:
            yield
        except (OSError, smtplib.SMTPException) as error:
            where = f"{settings.host}:{settings.used_port}"
            raise NotDone(f"nothing was sent: no mail can be given to {where} ({_problem(error)})") from error

    @contextlib.contextmanager
    def _unknown(self) -> Iterator[None]:
        try:
            yield
        except (OSError, smtplib.SMTPException) as error:
            raise ToolError(
                f"{self._settings.host} has the whole mail and didn't say whether it took it "
                f"({_problem(error)}): nobody knows whether it is sent. Message-ID {self._letter.message_id}"
            ) from error


def _words(answer: tuple[int, bytes]) -> str:
    """The server's answer on one line."""
    code, said = answer
    later = ", for now: later it may work" if 400 <= code < 500 else ""
    return f"{code} {one_line(said.decode('utf-8', 'replace'), 200)}{later}"


def _problem(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        return _words((error.smtp_code, said if isinstance(said, bytes) else said.encode()))
    return one_line(f"{type(error).__name__}: {error}", 200)
