"""AutoGPT's `ai_settings.yaml` as a goal: its fields, and in notes what means something else here."""

from __future__ import annotations

from decimal import Decimal

from autoagent.errors import GoalError
from autoagent.goal import Goal, Limits
from autoagent.goal.values import decimal, each, record, text
from autoagent.goal.yaml import Fields, Node, Text

FILE_NAME = "ai_settings.yaml"


def is_autogpt(document: Fields) -> bool:
    return "goal" not in document.fields and any(key.startswith("ai_") for key in document.fields)


def convert(document: Fields) -> tuple[Goal, tuple[str, ...]]:
    """The goal, and what its author should know. Raises `GoalError`, without a path."""
    fields = record(document, "", _FIELDS, what="the AutoGPT settings file")
    name, role = str(fields.get("ai_name", "")), str(fields.get("ai_role", ""))
    goals = fields.get("ai_goals", ())
    assert isinstance(goals, tuple), "`_goals` reads a tuple"
    who = ", ".join(part for part in (name and f"You are {name}", role) if part)
    text_of_goal = "\n".join([who, *goals] if who else goals)
    if not text_of_goal:
        raise GoalError("holds no goal; add at least one under 'ai_goals'", line=document.line)
    budget = fields.get("api_budget", Decimal(0))
    assert isinstance(budget, Decimal), "`decimal` reads a Decimal"
    limits = Limits(usd=budget) if budget else Limits()
    return Goal(goal=text_of_goal, limits=limits), _notes(budget, limits)


def _notes(budget: Decimal, limits: Limits) -> tuple[str, ...]:
    notes = [
        "converted from AutoGPT's settings",
        "AutoGPT browsed and ran code as it liked; this goal does neither until a goal.yaml says 'allow:'",
    ]
    if not budget:
        notes.append(f"AutoGPT's api_budget of 0 meant no limit; here the limit is {limits.usd} USD")
    return tuple(notes)


def _goals(node: Node, where: str) -> tuple[str, ...]:
    return each(node, where, _one_goal)


def _one_goal(node: Node, where: str) -> str:
    """A goal with a colon in it was read as a mapping, by AutoGPT too, which put it together again."""
    if isinstance(node, Fields) and all(isinstance(value, Text) for value in node.fields.values()):
        return "- " + ", ".join(f"{key}: {text(value, where)}" for key, value in node.fields.items())
    return "- " + text(node, where)


_FIELDS = {"ai_name": text, "ai_role": text, "ai_goals": _goals, "api_budget": decimal(1_000_000, "2.50")}
