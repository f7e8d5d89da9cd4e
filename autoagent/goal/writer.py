"""Goals as YAML text: a dump that loads to the same goal, and the commented file that `init` writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal

from pydantic import JsonValue

from autoagent.goal import Goal

_PLAIN = re.compile(r"[A-Za-z](?:[A-Za-z0-9_./@-]| (?=[A-Za-z0-9_./@-]))*")
# words that YAML readers other than ours take for a boolean or a null
_RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
_UNPRINTABLE = re.compile("[\x7f-\x9f\ufeff\ufffe\uffff\u2028\u2029]")
_WIDTH = 100

_TEMPLATE = """\
# A goal for autoagent. Lines that start with '#' and a letter are examples: remove the '#' to use one.
# 'autoagent validate' says this file back in plain English; 'autoagent run' carries it out.

{goal}

# How it is proved that the goal was reached; without this, a run can end well but never as proved.
#done_when:
#  - file: report.md                 # the file exists ...
#    contains: [payments, checkout]  # ... and holds each of these texts
#  - run: python check_report.py     # exits with status 0, in a clean sandbox, on a copy
#  - judge: Every failing service is named with its cause.    # a model judges, and must quote
#  - human: The report reads well.                            # you judge

# What it may do. Whatever isn't allowed here is denied without asking.
#allow:
#  read: [.]               # default: this folder
#  write: [.]              # default: this folder, but never this file or what 'protect' names
#  run: sandbox            # code, in a sandbox without network; default: none
#  web: ["*.wikipedia.org", "127.0.0.1:8080"]    # hosts it may read from; default: no network
#  send: {{mail: [anna@example.org]}}              # plugin: destinations; default: nothing
#  secrets: {{SMTP_PASSWORD: mail.example.org}}    # secret: the one host that it goes to

# Files by trust.
#private: [notes]          # once outside text was read too, nothing leaves without asking
#yours: [logs]             # text that you vouch for; all other files count as outside text
#protect: [check_report.py, tests]               # never written

# When it stops for you, and what it must never call.
#ask: [plan, finish]       # plan, task, send, finish, spend:50%, every:10
#never: [files_delete]
#if_nobody_answers: park   # park, skip or stop

# Where it stops by itself. 0 means none at all, never unlimited.
#limits: {{usd: 2.00, steps: 60, minutes: 30, tokens: 400000}}

#plugins: [files, memory, python]    # default: files, memory, and what 'allow' implies
#parallel: 2                         # sub-tasks side by side
#model: {{planner: large, worker: small, judge: large}}

# Sub-tasks given here are the plan, and no model plans.
#plan:
#  - id: list
#    title: List the services
#  - id: report
#    title: Write report.md
#    depends_on: [list]
"""


PLACEHOLDER = "Say here what shall be true at the end."
"""What a template says where nobody has said anything yet; no run begins with it."""


def template(text: str) -> str:
    """A goal file that loads to `text` with the defaults, and shows everything else that it may hold."""
    return _TEMPLATE.format(goal="\n".join(_lines({"goal": text.strip()})))


def dump(goal: Goal) -> str:
    """YAML that `file.load` reads as the same goal; defaults are left out."""
    fields = goal.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    for limit, value in fields.get("limits", {}).items():
        fields["limits"][limit] = _Number(format(abs(Decimal(str(value))), "f"))
    return "\n".join(_lines(fields)) + "\n"


class _Number(str):
    """Digits that stand without quotes."""


def _lines(fields: dict[str, JsonValue]) -> Iterator[str]:
    for key, value in fields.items():
        yield from _field(_scalar(key), value)


def _field(key: str, value: JsonValue) -> Iterator[str]:
    if isinstance(value, str) and _is_block(value):
        yield f"{key}: |-"
        yield from ("  " + line if line else "" for line in value.split("\n"))
    elif isinstance(value, dict) and value:
        yield f"{key}:"
        yield from ("  " + line if line else "" for line in _lines(value))
    elif isinstance(value, list) and not _fits(key, value):
        yield f"{key}:"
        for item in value:
            yield from _item(item)
    else:
        yield f"{key}: {_inline(value)}"


def _item(item: JsonValue) -> Iterator[str]:
    if not isinstance(item, dict):
        yield f"  - {_inline(item)}"
        return
    for number, line in enumerate(_lines(item)):
        yield (("    " if number else "  - ") + line) if line else ""


def _fits(key: str, items: list[JsonValue]) -> bool:
    if any(isinstance(item, dict) for item in items):
        return False
    return len(key) + len(_inline(items)) < _WIDTH


def _inline(value: JsonValue) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_inline(item)}" for key, item in value.items()) + "}"
    return _scalar(value) if isinstance(value, str) else json.dumps(value)


def _scalar(text: str) -> str:
    if isinstance(text, _Number) or (_PLAIN.fullmatch(text) and text.lower() not in _RESERVED):
        return text
    # JSON's strings are YAML's double-quoted ones, but for characters that YAML wants escaped
    return _UNPRINTABLE.sub(lambda odd: f"\\u{ord(odd[0]):04x}", json.dumps(text, ensure_ascii=False))


def _is_block(text: str) -> bool:
    """Whether a literal block shows the text exactly."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and not lines[0].startswith(" ")
        and all(line.isprintable() and line == line.rstrip() for line in lines)
        and bool(lines[0] and lines[-1])
    )
