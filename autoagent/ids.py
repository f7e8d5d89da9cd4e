"""Names of runs, calls and questions. Owns their alphabet; knows nothing of what they name."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid

# No vowels and no look-alikes (0 o 1 l i): ids are read aloud, typed, and never spell a word.
ALPHABET = "23456789bcdfghjkmnpqrstvwxz"
NAMESPACE = uuid.UUID("6f1d4a52-8c1e-5b0e-9d53-2f7f6c1e9a10")


def new_id(length: int = 8) -> str:
    """A random id; 8 letters hold 38 bits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def memory_id(run_id: str, key: str) -> str:
    """The id of a memory point: the same outcome always has the same id, so indexing twice is once."""
    return str(uuid.uuid5(NAMESPACE, f"{run_id}/{key}"))


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of a JSON value: what an approval is bound to."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(text: str) -> str:
    """A short name of any text, the same in every process (Python's own `hash` isn't)."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
