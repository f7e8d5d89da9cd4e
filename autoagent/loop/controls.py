"""The calls that steer a lane itself: finish, give up, ask a person, read a shortened result again."""

from __future__ import annotations

from typing import Any

from autoagent.ports import ToolSchema


def _schema(name: str, about: str, parameter: str, meaning: str) -> ToolSchema:
    properties: dict[str, Any] = {parameter: {"type": "string", "description": meaning}}
    parameters = {"type": "object", "properties": properties, "required": [parameter]}
    return ToolSchema(name, about, parameters)


FINISH = _schema(
    "finish",
    "Call this when the sub-task is done. Its criteria are then checked; if one fails you are told why.",
    "result",
    "What was done and found, in a few sentences, for the sub-tasks that build on it.",
)
GIVE_UP = _schema(
    "give_up",
    "Call this only when the sub-task can't be done with these tools.",
    "reason",
    "Why it can't be done.",
)
ASK_HUMAN = _schema(
    "ask_human", "Ask the person one question that only they can answer.", "question", "The question."
)
READ_AGAIN = _schema(
    "read_again",
    "Read a result again that was shortened to a handle.",
    "handle",
    "The handle, as it stands in the shortened result.",
)

CONTROLS = {schema.name: schema for schema in (FINISH, GIVE_UP, ASK_HUMAN, READ_AGAIN)}
ALWAYS = (FINISH, GIVE_UP, ASK_HUMAN)
