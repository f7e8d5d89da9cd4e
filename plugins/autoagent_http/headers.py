"""Which headers a model may write. Pure.

Secrets are attached by the client alone, the receiver is the one of the URL, and how a body is framed is the
client's affair: a header that would say otherwise is refused, not dropped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
_VALUE = re.compile(r"[\x20-\x7e\t]*")
_MOST, _LONGEST = 40, 4_000
_OF_THE_LINE = (
    *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "expect"),
    *("http2-settings", "content-length", "accept-encoding"),
)
_ATTACHED = "secrets are attached for you, where the person allows it"
_REFUSED = {
    "host": "the URL says who is asked",
    "authorization": _ATTACHED,
    "cookie": _ATTACHED,
    "cookie2": _ATTACHED,
    "idempotency-key": "it is set for you, where the person says that the host honours it",
} | dict.fromkeys(_OF_THE_LINE, "it is about the line, not about the request")
_USUAL = re.compile(
    r"(\*/\*|application/(json|xml|yaml|pdf|octet-stream|zip)|image/\*"
    r"|text/(plain|html|csv|xml|markdown|\*))"
)
"""Too few to say anything with."""


def allowed(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers as they will be sent. Raises `ValueError` that names the one that can't be."""
    if len(headers) > _MOST or sum(len(name) + len(value) for name, value in headers.items()) > _LONGEST:
        raise ValueError(f"at most {_MOST} headers, {_LONGEST} characters together")
    if len({name.lower() for name in headers}) < len(headers):
        raise ValueError("a header is there twice; names don't differ by upper and lower case")
    for name, value in headers.items():
        _check(name, value)
    return {name: value.strip() for name, value in headers.items()}


def _check(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:60]!r} is no header's name")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of {name!r} holds a line break, a control character or no ASCII")
    low = name.lower()
    if low.startswith("proxy-") or low in _REFUSED:
        why = _REFUSED.get(low, "it is about the line, not about the request")
        raise ValueError(f"leave {name!r} out: {why}")


def tell_nothing(headers: Mapping[str, str]) -> bool:
    """Whether these headers carry no words of the agent's own to the receiver."""
    return all(name.lower() == "accept" and _USUAL.fullmatch(value) for name, value in headers.items())
