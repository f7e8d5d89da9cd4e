"""The table `[plugins.mail]` of config.toml."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from autoagent_mail.message import address, one_line_only

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class MailSettings(BaseModel):
    """By which server mail goes out, and from whom."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    host: str = Field(min_length=1)
    """The SMTP server that takes your mail."""
    sender: Annotated[str, AfterValidator(address)] = Field(alias="from")
    name: Annotated[str, AfterValidator(one_line_only)] = ""
    """Shown with the address."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """How the line is encrypted; `none` is for a server on this machine."""
    unencrypted_is_fine: bool = False
    """Allows `tls = "none"` to another machine: whoever is on the way reads mail and password."""
    ca_file: str | None = None
    """Certificates to trust in place of the system's."""
    port: int | None = Field(default=None, ge=1, le=65_535)
    """`None`: 587, 465 or 25, after `tls`."""
    user: str | None = None
    """`None`: without logging in."""
    password_env: str | None = None
    """The variable that holds the password."""
    timeout_s: float = Field(default=30, gt=0, le=600)
    """How long each word of the server may take."""
    after_crash: Literal["ask", "send again"] = "ask"
    """What becomes of a mail that may have been sent already when the process died."""
    at_most_a_day: int | None = Field(default=None, ge=0)
    """Recipients within 24 hours, over all runs; a mail to three counts three. `None`: no such limit."""
    imap_host: str | None = None
    """Where sent mail can be looked up, so that one that is found there is never asked about."""
    imap_port: int | None = Field(default=None, ge=1, le=65_535)
    """`None`: 993; 143 with `tls = "none"`."""
    imap_folder: Annotated[str, AfterValidator(one_line_only)] = Field(default="Sent", min_length=1)
    """In IMAP's own spelling, for example `[Gmail]/Sent Mail`."""

    @model_validator(mode="after")
    def _fits(self) -> MailSettings:
        if (self.user is None) != (self.password_env is None):
            raise ValueError("user and password_env go together; give both, or none")
        if self.tls == "none" and not self.unencrypted_is_fine and not _is_here(self.host):
            raise ValueError(
                f'tls is "none", and {self.host!r} is another machine; write tls = "starttls" or "tls", '
                "or unencrypted_is_fine = true"
            )
        if self.imap_host is not None and self.user is None:
            raise ValueError("imap_host needs user and password_env, to log in there")
        imap_host = self.imap_host or "localhost"
        if self.tls == "none" and not self.unencrypted_is_fine and not _is_here(imap_host):
            raise ValueError(f'tls is "none", and imap_host {imap_host!r} is another machine')
        return self

    @property
    def used_port(self) -> int:
        return self.port or _PORTS[self.tls]

    @property
    def used_imap_port(self) -> int:
        return self.imap_port or (143 if self.tls == "none" else 993)


def _is_here(host: str) -> bool:
    """Whether it is this machine, by its literal address or the one name that always means it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
