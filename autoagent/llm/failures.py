"""Why a try gave no reply, whether another may, and what a person can do. Pure.

Knows HTTP statuses and what servers write; knows nothing of the client that met them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from autoagent.redact import one_line

RETRY_AFTER_LIMIT_S = 120.0
WORTH_TRYING_AGAIN = frozenset({408, 409, 425, 429})
START_IT = "check that the server runs and that its base_url is right"
WAIT_FOR_IT = "the server is overloaded or broken: resume later, or name a second model for this role"


@dataclass
class Failure(Exception):
    """One try that gave no reply."""

    what: str
    """What happened, in a clause."""
    advice: str
    """What the operator can do."""
    again: bool
    """Whether the same request may succeed later."""
    wait_s: float | None = None
    """How long the server asked to wait."""
    malformed: bool = False
    """The server answered, but with nonsense."""
    unknown_model: bool = False

    def __str__(self) -> str:
        return self.what


def refusal(
    status: int, words: str, code: str, headers: Mapping[str, str], key_env: str, now: datetime
) -> Failure:
    """The failure that an HTTP status and an error body mean."""
    what = f"it answered HTTP {status}" + (f": {one_line(words, 300)}" if words else "")
    if code == "insufficient_quota":
        return Failure(what, "the account has no credit left: pay, or name another model", again=False)
    if status in WORTH_TRYING_AGAIN or status >= 500:
        return Failure(what, WAIT_FOR_IT, again=True, wait_s=retry_after(headers, now))
    if status in (401, 403):
        return Failure(what, f"set {key_env} to a key that is valid for this server and model", again=False)
    if status == 404:
        advice = "check the model's name and that base_url ends where the server expects, often in /v1"
        return Failure(what, advice, again=False, unknown_model=True)
    return Failure(what, _advice(words.lower()), again=False)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the server asks to wait, at most `RETRY_AFTER_LIMIT_S`; `None` if it doesn't say."""
    given = headers.get("retry-after", "").strip()
    if not given:
        return None
    try:
        seconds = float(given)
    except ValueError:
        seconds = _until(given, now)
    return min(max(seconds, 0.0), RETRY_AFTER_LIMIT_S) if seconds == seconds else None


def _until(date: str, now: datetime) -> float:
    """Seconds until an HTTP date; NaN if it is none."""
    try:
        then = parsedate_to_datetime(date)
    except ValueError:
        return float("nan")
    return ((then if then.tzinfo else then.replace(tzinfo=UTC)) - now).total_seconds()


def _advice(words: str) -> str:
    if "context" in words and (
        "length" in words or "size" in words or "window" in words or "exceed" in words
    ):
        return (
            "the prompt is longer than the model can read: set context_tokens of this model, or use another"
        )
    if "tool" in words:
        return 'this server or model takes no tool calls as they were sent: set style = "code" for it'
    return "the server refuses the request as it is: check the model's settings in config.toml"
