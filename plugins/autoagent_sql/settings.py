"""The table `[plugins.sql]` of config.toml."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

SCHEMES = ("postgresql", "postgresql+psycopg", "postgres", "sqlite")


def address(url: str) -> str:
    """A database's URL without a password. Raises `ValueError` that says what to write; never a secret."""
    parts = urlsplit(url)
    if parts.password is not None:
        raise ValueError("holds a password; put that into a variable and name it as password_env")
    if parts.scheme not in SCHEMES:
        raise ValueError("is no postgresql:// or sqlite:/// URL; other databases aren't known")
    if parts.scheme == "sqlite" and not parts.path.startswith("//"):
        raise ValueError("holds no absolute path; write sqlite:////var/data/shop.db, with four slashes")
    return url


class DatabaseSettings(BaseModel):
    """One database: a table `[plugins.sql.databases.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Annotated[str, AfterValidator(address)] | None = None
    """`postgresql://reader@db.example.org/shop`, `sqlite:////var/data/shop.db`; without a password."""
    password_env: str | None = None
    """The variable that holds the password."""
    url_env: str | None = None
    """The variable that holds the whole URL, with the password in it."""
    writable: bool = False
    """Whether rows can be changed at all; the goal has to allow it as well."""
    private: bool = False
    """What is read from it is private data: what would leave afterwards is asked about, another query too."""
    schemas: tuple[str, ...] = ()
    """Of PostgreSQL, the ones to look at; empty: the one that the role works in."""
    functions: tuple[str, ...] = ()
    """Functions of your own that queries may call: they must do nothing but compute."""

    @model_validator(mode="after")
    def _fits(self) -> DatabaseSettings:
        if (self.url is None) == (self.url_env is None):
            raise ValueError("needs either url or url_env")
        if self.url_env is not None and self.password_env is not None:
            raise ValueError("has url_env and password_env; the URL in url_env holds the password")
        return self


class SqlSettings(BaseModel):
    """Databases that runs may ask, and how much they may ask for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rows: int = Field(default=200, ge=1, le=10_000)
    """The most rows that a query gives."""
    timeout_s: float = Field(default=30, gt=0, le=600)
    """After which a query is stopped."""
    databases: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")], DatabaseSettings] = Field(
        default={}
    )
