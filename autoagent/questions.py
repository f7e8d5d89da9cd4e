"""A question to a person: one kind of thing, whatever it is about. Pure data.

Its digest covers everything that the answer authorises; a question whose digest changed is asked anew.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from autoagent.grants import Rule
from autoagent.ids import digest
from autoagent.messages import Frozen

QuestionKind = Literal[
    "call", "plan", "task", "finish", "spend", "criterion", "question", "recovery", "folder"
]

YES_NO = ("yes", "no")
GIVE_UP = "give up"
"""The answer of a person that ends a sub-task which is stuck."""
HAPPENED = "done"
"""The answer to a recovery that rests on the person's word alone."""
_ANSWERERS = {
    "terminal": "you",
    "command": "you, by a command",
    "approver": "the program that carried the run",
    "nobody": "nobody: as the goal says for then",
    "rule": "your yes to the next N",
    "grant": "an always of yours",
}


def answerer(by: str) -> str:
    """Who answered, in words, from what an answer says of it."""
    return _ANSWERERS.get(by, by)


class Subject(Frozen):
    """What a question is about, exactly: the part that its digest covers."""

    run: str
    kind: QuestionKind
    call: str | None = None
    tool: str | None = None
    plugin_hash: str | None = None
    """Content hash of the plugin that holds the tool."""
    destination: str | None = None
    args: JsonValue = None
    """The exact arguments, plan, criterion or text."""
    files: dict[str, str] = Field(default_factory=dict)
    """Files to be sent: path -> SHA-256."""
    tree: str | None = None
    """The lane's tree, where code runs or a criterion is judged."""
    labels: tuple[str, ...] = ()
    """`outside`, `private`: what the run has read."""
    rules: str = ""
    """Digest of the goal's powers as they are."""
    start: int | None = None
    """Of a recovery: the entry of the start that was never reported back."""


class Explained(Frozen):
    """What a person is told about a subject so that they can judge it. Follows from its hashes."""

    sizes: dict[str, int] = Field(default_factory=dict)
    """Path -> bytes, of files to be sent."""
    always: Rule | None = None
    """What an *always* would cover; `None` where none can be given."""
    note: str = ""
    """What the person should know of the *always* that they gave: it has ended, it can't be read."""


class Question(Frozen):
    """A durable record; blocks only its lane."""

    id: str
    subject: Subject
    why: str
    """Why it is asked, in our words, never the model's."""
    choices: tuple[str, ...] = YES_NO
    """Empty: any text is an answer."""
    lane: str | None = None
    sub_task: str | None = None
    expires_at: datetime | None = None
    explained: Explained = Explained()

    @property
    def digest(self) -> str:
        """What an answer is bound to: the subject and its expiry."""
        expiry = None if self.expires_at is None else self.expires_at.isoformat()
        return digest({"subject": self.subject.model_dump(mode="json"), "expires_at": expiry})

    @property
    def is_yes_no(self) -> bool:
        return self.choices == YES_NO

    def is_expired(self, now: datetime) -> bool:
        """Whether it is too late for an answer."""
        return self.expires_at is not None and now >= self.expires_at


def answering(question: Question) -> tuple[str, ...]:
    """The commands that answer a question, one for each answer; `"…"` stands for words of the person's."""
    if question.is_yes_no:
        return f"autoagent approve {question.id}", f'autoagent deny {question.id} --why "…"'
    return tuple(f"autoagent answer {question.id} {_quoted(c)}" for c in question.choices or ("…",))


def _quoted(choice: str) -> str:
    return choice if choice.isalnum() else f'"{choice}"'
