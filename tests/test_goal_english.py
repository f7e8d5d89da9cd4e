from __future__ import annotations

import pytest

from autoagent.goal import (
    Allow,
    FileCriterion,
    Goal,
    HumanCriterion,
    JudgeCriterion,
    Limits,
    RunCriterion,
    SubTask,
)
from autoagent.goal.english import explain


def section(goal: Goal, title: str) -> list[str]:
    """The lines below a title."""
    for block in explain(goal).split("\n\n"):
        head, *lines = block.split("\n")
        if head == title:
            return [line.strip() for line in lines]
    return []


def test_plain_goal_is_said_back() -> None:
    """The defaults, whole."""
    assert explain(Goal(goal="Tidy the invoices.")) == (
        "Goal\n"
        "  Tidy the invoices.\n"
        "\n"
        "Proved when\n"
        "  you haven't said. It can finish, but it can't end as proved, and the exit code is 1.\n"
        "  It will propose criteria for 'done_when' at the end; with 'ask: [plan]', before it starts.\n"
        "\n"
        "It may\n"
        "  read   all files of its folder\n"
        "  write  all files of its folder, except goal.yaml\n"
        "  use    the plugins files and memory\n"
        "\n"
        "It can't\n"
        "  run any code\n"
        "  reach the network\n"
        "  send anything to anybody\n"
        "  do anything else that isn't listed above: it is denied without asking\n"
        "\n"
        "It asks you\n"
        "  nothing, unless it is stuck\n"
        "\n"
        "If nobody answers\n"
        "  the run parks; answer when you can, and 'autoagent resume' goes on\n"
        "\n"
        "It stops at\n"
        "  3 USD, 100 steps, 60 minutes of work (waiting for you doesn't count) or 1,000,000 tokens, "
        "whichever comes first"
    )


def test_each_kind_of_proof_says_who_checks() -> None:
    """A file, a command, a model, a person."""
    criteria = (
        FileCriterion(file="a.md"),
        FileCriterion(file="b.md", contains=("x", "y z")),
        RunCriterion(run="python check.py"),
        JudgeCriterion(judge="It is\nclear."),
        HumanCriterion(human="It reads well."),
    )

    assert section(Goal(goal="x", done_when=criteria), "Proved when") == [
        "1. a.md exists",
        '2. b.md holds "x" and "y z"',
        "3. this command exits with 0, in a clean sandbox, on a copy: python check.py",
        "4. a model judges, and quotes the files: It is",
        "clear.",
        "5. you say so: It reads well.",
    ]


def test_powers_name_hosts_destinations_and_secrets() -> None:
    """Everything that can leave is named with where to."""
    allow = Allow(
        read=("logs",),
        write=("out", "tmp"),
        run="sandbox",
        web=("a.org", "*.b.org"),
        send={"mail": ("anna@example.org",)},
        secrets={"KEY": "a.org"},
    )

    assert section(Goal(goal="x", allow=allow, protect=("out/keep",)), "It may") == [
        "read   logs",
        "write  out and tmp, except out/keep and goal.yaml",
        "run    code, in a sandbox without network",
        "fetch  pages from a.org and *.b.org",
        "send   with mail to anna@example.org",
        "use    the secret KEY, at a.org alone",
        "use    the plugins files, memory, python, web and mail",
    ]


def test_what_it_asks_is_listed() -> None:
    """The chosen checkpoints, and the questions that the powers bring with them."""
    goal = Goal(
        goal="x",
        ask=("plan", "task", "send", "finish", "spend:50%", "every:10"),
        allow=Allow(web=("*.b.org",), send={"mail": ()}),
        private=("notes",),
        done_when=(HumanCriterion(human="good"),),
    )

    assert section(goal, "It asks you") == [
        "for your yes to the plan, before it starts",
        "before each sub-task",
        "before each sending, also to those whom you named",
        "before it ends",
        "when 50% of the money or of the tokens is spent",
        "every 10 steps",
        "before each destination that mail sends to, because you name none",
        "before it fetches an address at *.b.org that stands neither in the goal nor in what it read",
        "before anything leaves, once it has read text from outside and notes",
        "before a file of these leaves, once it has read text from outside",
        "for your verdict on the criteria that are yours",
    ]


def test_fixed_plan_is_shown() -> None:
    """Sub-tasks with what they wait for."""
    plan = (SubTask(id="a", title="Read"), SubTask(id="b", title="Write", depends_on=("a",)))

    assert section(Goal(goal="x", plan=plan, parallel=2), "Plan") == [
        "yours, as it stands; no model plans:",
        "- a: Read",
        "- b: Write, after a",
        "up to 2 sub-tasks side by side, each on a copy of the folder",
    ]


@pytest.mark.parametrize(
    ("goal", "words"),
    [
        (Goal(goal="x", done_when=(JudgeCriterion(judge="a"),)), "costs a model call"),
        (Goal(goal="x", done_when=(RunCriterion(run="python a.py"),)), "need a sandbox"),
        (Goal(goal="x", done_when=(RunCriterion(run="pytest"),)), "'pytest' names no file that could be"),
        (
            Goal(goal="x", done_when=(FileCriterion(file="a/b"),), allow=Allow(write=("c",))),
            "it isn't under 'allow.write': this run can't make it",
        ),
        (Goal(goal="x", done_when=(FileCriterion(file="a/b"),), protect=("a",)), "it is protected"),
        (Goal(goal="x", allow=Allow(web=("*",))), "may follow any link"),
        (Goal(goal="x", private=("a",)), "'private' changes nothing"),
        (
            Goal(goal="x", allow=Allow(web=("b",), secrets={"A": "b"})),
            "what it reads at b with the secret A counts as private",
        ),
        (Goal(goal="x", yours=(".",)), "trusted as if they were your own"),
        (Goal(goal="x", allow=Allow(run="sandbox"), plugins=("files",)), "no plugin 'python'"),
        (Goal(goal="x", limits=Limits(usd=0)), "models that cost nothing"),
        (Goal(goal="x", limits=Limits(steps=0)), "stops before it starts"),
    ],
)
def test_surprises_are_pointed_out(goal: Goal, words: str) -> None:
    """What follows from a goal, and isn't obvious, is said."""
    assert words in "\n".join(section(goal, "Worth knowing"))


@pytest.mark.parametrize(("answer", "words"), [("park", "resume"), ("skip", "a no"), ("stop", "unproved")])
def test_absence_is_explained(answer: str, words: str) -> None:
    """What happens while nobody is there."""
    goal = Goal.model_validate({"goal": "x", "if_nobody_answers": answer})

    assert words in section(goal, "If nobody answers")[0]


def test_hidden_signs_are_spelled_out() -> None:
    """A goal file from somebody else can't hide a host or repaint the terminal."""
    goal = Goal(goal="a\x1b[2J", allow=Allow(web=("a\u202eb",)), done_when=(JudgeCriterion(judge="\x07"),))

    assert all(line.isprintable() for line in explain(goal).split("\n"))
