"""Taking a secret out of stored bodies. Pure.

A body is JSON, so it is taken apart, and each text in it is searched for the secret as it is, in base64, hex
and percent-encoded, and for what JSON makes of these: a text may hold JSON by itself, as the arguments of a
call do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from autoagent.errors import StoreDamaged, UsageError
from autoagent.journal.codec import Codec, Stored, dumps
from autoagent.secrecy import spellings

MASK = "█blanked█"
"""What stands in a secret's place."""
SHORTEST = 4
"""Characters of a secret: a shorter one stands everywhere."""
_NESTED = 3
"""JSON in JSON in JSON: deeper than anything that a tool's call holds."""


def forms_of(secret: str) -> tuple[str, ...]:
    """The secret, in base64, hex and percent-encoded too, and how JSON spells each; longest first.

    Raises `UsageError`.
    """
    if len(secret) < SHORTEST:
        raise UsageError(f"a secret of less than {SHORTEST} characters stands everywhere; give all of it")
    forms = layer = {secret, *spellings(secret)}
    for _ in range(_NESTED):
        layer = {spelled for form in layer for spelled in _spelled(form)}
        forms = forms | layer
    return tuple(sorted(forms, key=len, reverse=True))


def _spelled(text: str) -> tuple[str, ...]:
    """A text inside the quotes of JSON, in each way that programs write it."""
    plain, escaped = (json.dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (False, True))
    upper = re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), escaped)
    return (plain, escaped, upper, *(form.replace("/", "\\/") for form in (plain, escaped)))


def masked(stored: Stored, codec: Codec[Any], forms: Sequence[str], number: int) -> Stored | None:
    """The row without the secret; `None` where it doesn't hold it.

    Raises `UsageError` where the secret is a word that the row can't be read without.
    """
    body: JsonValue = json.loads(stored.body)
    without = _mask(body, forms)
    if without == body:
        return None
    assert isinstance(without, dict)
    new = Stored(stored.kind, stored.version, dumps(without, stored.kind))
    try:
        codec.decode(new, "", number)
    except StoreDamaged as error:
        raise UsageError(
            f"{codec.noun} {number}, of kind {stored.kind!r}, can't be read without this text; "
            "nothing was changed: give a longer part of the secret"
        ) from error
    return new


def _mask(value: JsonValue, forms: Sequence[str]) -> JsonValue:
    match value:
        case str():
            for form in forms:
                value = value.replace(form, MASK)
            return value
        case list():
            return [_mask(item, forms) for item in value]
        case dict():
            return {str(_mask(key, forms)): _mask(item, forms) for key, item in value.items()}
        case bool() | None:
            return value
        case _:
            return MASK if any(form in json.dumps(value) for form in forms) else value
