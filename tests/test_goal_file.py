from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.errors import GoalError
from autoagent.goal import (
    Allow,
    FileCriterion,
    Goal,
    HumanCriterion,
    JudgeCriterion,
    Limits,
    RoleModels,
    RunCriterion,
    SubTask,
)
from autoagent.goal.file import GIT, dump, from_text, goal_digest, load, protected, template, understand

WHOLE = """\
goal: >
  Find which services failed in logs/ on 20 November and why.
  Write report.md with one section a service.
done_when:
  - file: report.md
    contains: [payments, OOMKilled]
  - run: python check_report.py          # in a clean sandbox
  - judge: Every failing service is named with its cause.
  - human: The report reads well.
allow:
  read:  [.]
  write: [.]
  run:   sandbox
  web:   ["*.wikipedia.org", "127.0.0.1:8080"]
  send:  {mail: [anna@example.org]}
  secrets: {SMTP_PASSWORD: mail.example.org}
private: [notes/]
yours: [logs]
protect: [tests/]
ask:   [plan, finish, spend:50%, every:10]
never: [shop_pay]
limits: {usd: 2.00, steps: 60, minutes: 30, tokens: 400000}
if_nobody_answers: skip
plugins: [files, python, web, mail]
parallel: 2
model: {planner: large, worker: small}
plan:
  - id: 1
    title: List the services
  - id: report
    title: Write it
    instructions: One section a service.
    depends_on: [1]
    done_when:
      - file: report.md
"""

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a goal.yaml and gives its path."""

    def write(source: str | bytes) -> Path:
        path = tmp_path / "goal.yaml"
        path.write_bytes(source if isinstance(source, bytes) else source.encode())
        return path

    return write


def refusal(path: Path) -> GoalError:
    with pytest.raises(GoalError) as caught:
        load(path)
    assert caught.value.path is not None
    return caught.value


# --- what is read ------------------------------------------------------------------------------------------


def test_every_key_is_read(write: Write) -> None:
    """The whole schema becomes one goal."""
    assert load(write(WHOLE)).goal == Goal(
        goal="Find which services failed in logs/ on 20 November and why. "
        "Write report.md with one section a service.",
        done_when=(
            FileCriterion(file="report.md", contains=("payments", "OOMKilled")),
            RunCriterion(run="python check_report.py"),
            JudgeCriterion(judge="Every failing service is named with its cause."),
            HumanCriterion(human="The report reads well."),
        ),
        allow=Allow(
            run="sandbox",
            web=("*.wikipedia.org", "127.0.0.1:8080"),
            send={"mail": ("anna@example.org",)},
            secrets={"SMTP_PASSWORD": "mail.example.org"},
        ),
        private=("notes",),
        yours=("logs",),
        protect=("tests",),
        ask=("plan", "finish", "spend:50%", "every:10"),
        never=("shop_pay",),
        limits=Limits(usd=Decimal("2.00"), steps=60, minutes=30, tokens=400_000),
        if_nobody_answers="skip",
        plugins=("files", "python", "web", "mail"),
        parallel=2,
        model=RoleModels(planner="large", worker="small"),
        plan=(
            SubTask(id="1", title="List the services"),
            SubTask(
                id="report",
                title="Write it",
                instructions="One section a service.",
                depends_on=("1",),
                done_when=(FileCriterion(file="report.md"),),
            ),
        ),
    )


def test_folder_stands_for_its_goal_file(write: Write) -> None:
    """A workspace is loaded by its folder's name."""
    path = write("goal: x")

    assert load(path.parent).path == path


def test_only_the_goal_is_required(write: Write) -> None:
    """Everything else has its default."""
    assert load(write("goal: x")).goal == Goal(goal="x")


@pytest.mark.parametrize(
    "written", ["no", "yes", "on", "12:30", "0777", "1e3", "2024-01-01", "null", "~", "0x1F"]
)
def test_texts_stay_as_written(write: Write, written: str) -> None:
    """YAML 1.1 makes a boolean, a time or a number of these; here they stay the author's text."""
    (criterion,) = load(
        write(f"goal: x\ndone_when:\n  - file: a\n    contains: [{written}]\n")
    ).goal.done_when

    assert criterion == FileCriterion(file="a", contains=(written,))


def test_spaces_in_a_text_that_a_file_must_hold_are_kept(write: Write) -> None:
    """A quoted text is looked for exactly as it stands."""
    (criterion,) = load(write('goal: x\ndone_when: [{file: a, contains: ["  a "]}]')).goal.done_when

    assert criterion == FileCriterion(file="a", contains=("  a ",))


def test_address_without_quotes_is_a_host(write: Write) -> None:
    """`127.0.0.1:8080` needs no quotes."""
    assert load(write("goal: x\nallow: {web: [127.0.0.1:8080, '[::1]:80']}")).goal.allow.web == (
        "127.0.0.1:8080",
        "[::1]:80",
    )


def test_zero_means_none(write: Write) -> None:
    """A limit of 0 is read as 0, never as no limit."""
    limits = load(write("goal: x\nlimits: {usd: 0, steps: 0, minutes: 0, tokens: 0}")).goal.limits

    assert limits == Limits(usd=Decimal(0), steps=0, minutes=0, tokens=0)


@pytest.mark.parametrize(
    "source", [b"\xef\xbb\xbfgoal: x\n", b"goal: x\r\nask: [plan]\r\n", b"--- # a\ngoal: x\n...\n"]
)
def test_what_editors_add_is_harmless(write: Write, source: bytes) -> None:
    """A UTF-8 byte order mark, Windows line ends and document marks are no mistakes."""
    assert load(write(source)).goal.goal == "x"


def test_json_is_a_goal_file_too(write: Write) -> None:
    """Programs may write JSON."""
    assert load(write('{"goal": "x", "limits": {"usd": 1.5}}')).goal.limits.usd == Decimal("1.5")


def test_goal_file_of_another_name_is_protected(tmp_path: Path) -> None:
    """A run may not rewrite the file that it was started with."""
    path = tmp_path / "weekly.yaml"
    path.write_text("goal: x")

    assert "weekly.yaml" in protected(load(path).goal)


def test_powers_without_a_plugin_are_noted(write: Write) -> None:
    """Allowed hosts and destinations that no plugin can use are pointed out."""
    notes = load(
        write("goal: x\nplugins: [files]\nallow: {web: [a.b], run: sandbox, send: {mail: []}}")
    ).notes

    assert [re.findall(r"allow\.\w+", note)[0] for note in notes] == ["allow.send", "allow.run", "allow.web"]


@pytest.mark.parametrize("plugin", ["web", "http", "openapi", "somebodys"])
def test_hosts_are_of_use_to_whoever_fetches(plugin: str) -> None:
    """No note where a plugin may want them."""
    goal = f"goal: x\nallow: {{web: [a.org]}}\nplugins: [files, {plugin}]\n"

    assert understand(goal)[1] == ()


# --- what is refused, with its line ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("goal: x\nlimit: {}", 2, "no field 'limit'; did you mean 'limits'?"),
        ("goal: x\nlimits:\n  dollars: 1", 3, "limits has no field 'dollars'"),
        ("goal: x\nask: []\ngoal: y", 3, "'goal' stands here and in line 1"),
        ("ask: []", 1, "lacks the field 'goal'"),
        ("goal:", 1, "goal is an empty text"),
        ("goal: ~", 1, "goal is empty"),
        ("goal: [x]", 1, "goal is a list; expected a text"),
        ("- goal: x", 1, "is a list; expected fields"),
        ("find it", 1, "is the text 'find it'; expected fields"),
        ("", None, "is empty"),
        ("# nothing\n", None, "is empty"),
        ("goal: x\n---\ngoal: y", 2, "second document"),
        ("goal: x\nprotect:\n", 2, "protect is empty; expected a list"),
        ("goal: x\nprotect: a.py", 2, "expected a list: protect: [a.py]"),
        ("goal: x\nprotect: [/etc]", 2, "relative to the goal file's folder"),
        ("goal: x\nprotect: [~/a]", 2, "relative to the goal file's folder"),
        ("goal: x\nallow:\n  read: [a/../../b]", 3, "leaves the workspace"),
        ('goal: x\nallow:\n  read: ["*.log"]', 3, "patterns"),
        ('goal: x\nallow:\n  read: ["a\\tb"]', 3, "invisible character"),
        ("goal: x\nallow:\n  run: yes", 3, "expected none or sandbox"),
        ("goal: x\nallow:\n  web: [https://a.org/x]", 3, "expected the host alone: a.org"),
        ("goal: x\nallow:\n  web: ['a.*.org']", 3, "a star stands alone or in front"),
        ("goal: x\nallow:\n  web: [a.org:99999]", 3, "expected a host with or without a port"),
        ("goal: x\nallow:\n  web: [münchen.de]", 3, "xn--"),
        ("goal: x\nallow:\n  web: [*.a.org]", 3, 'in quotes, for example "*.example.org"'),
        ("goal: x\nallow:\n  send: [mail]", 3, "{mail: [anna@example.org]}"),
        ("goal: x\nallow:\n  send: {mail: anna@example.org}", 3, "allow.send.mail: [anna@example.org]"),
        ("goal: x\nallow:\n  send: {mail: ['Anna <a@b.org>']}", 3, "write the bare address, a@b.org"),
        ("goal: x\nallow:\n  secrets: {A: '*'}", 3, "allow.secrets.A"),
        ("goal: x\nask: [every: 10]", 2, "write spend:50% or every:10"),
        ("goal: x\nask: [spend:100%]", 2, "spend:N% (1 to 99)"),
        ("goal: x\nask: [start]", 2, "expected plan, task, send, finish"),
        ("goal: x\nnever: [files.delete]", 2, "expected a name"),
        ("goal: x\nif_nobody_answers: wait", 2, "expected park, skip or stop"),
        ("goal: x\nparallel: 0", 2, "a whole number from 1 to 16"),
        ("goal: x\nmodel: gpt", 2, "{worker: gpt}"),
        ("goal: x\nmodel: {critic: gpt}", 2, "model has no field 'critic'"),
        ("goal: x\nlimits: {usd: 1e400}", 2, "limits.usd is '1e400'"),
        ("goal: x\nlimits: {usd: .inf}", 2, "limits.usd is '.inf'"),
        ("goal: x\nlimits: {usd: .nan}", 2, "limits.usd is '.nan'"),
        ("goal: x\nlimits: {usd: -1}", 2, "expected a number from 0"),
        ("goal: x\nlimits: {usd: $2}", 2, "without a unit"),
        ("goal: x\nlimits: {usd: 1000001}", 2, "from 0 to 1000000"),
        (f"goal: x\nlimits: {{steps: {'9' * 5000}}}", 2, "limits.steps is '999"),
        ("goal: x\nlimits: {steps: 1.5}", 2, "expected a whole number"),
        ("goal: x\nlimits: {minutes: 1:30}", 2, "limits.minutes is '1:30'"),
        ("goal: x\ndone_when:\n  - It works.", 3, "'judge: It works.' (a model) or 'human: It works.' (you)"),
        ("goal: x\ndone_when:\n  - file: a\n    judge: b", 3, "both 'file' and 'judge'"),
        ("goal: x\ndone_when:\n  - contains: [a]", 3, "neither file, run, judge nor human"),
        ("goal: x\ndone_when:\n  - run: a\n    contains: [b]", 4, "'contains' belongs to a 'file' criterion"),
        ("goal: x\ndone_when:\n  - file: a\n    containz: []", 4, "did you mean 'contains'?"),
        ("goal: x\ndone_when:\n  - file: a\n    contains: ['']", 4, "empty text"),
        ('goal: x\ndone_when:\n  - run: "a\\0b"', 3, "NUL"),
        (f"goal: x\ndone_when:\n  - run: {'a' * 4001}", 3, "put it into a script"),
        (
            "goal: x\nplan:\n  - id: a\n    title: A\n  - id: a\n    title: B",
            5,
            "two sub-tasks have the id 'a'",
        ),
        ("goal: x\nplan:\n  - id: a\n    title: A\n    depends_on: [b]", 3, "'b', which isn't in the plan"),
        ("goal: x\nplan: [{id: a, title: A, depends_on: [a]}]", 2, "depends on itself"),
        ("goal: x\nplan: [{id: a b, title: A}]", 2, "plan.id is 'a b'"),
        ("goal: x\nplan: [{id: a}]", 2, "lacks the field 'title'"),
    ],
)
def test_mistakes_are_named_with_their_line(write: Write, source: str, line: int | None, words: str) -> None:
    """What is so, what was expected, and where."""
    error = refusal(write(source))

    assert words in error.problem
    assert error.line == line


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("goal: &a x\nprivate: [*a]", 1, "&a is an anchor"),
        ("goal: *a", 1, "*a is an alias"),
        ("goal: x\n<<: {ask: []}", 2, "merge keys"),
        ("goal: !!python/object/apply:os.system [id]", 1, "tags aren't read"),
        ("goal: !x y", 1, "tags aren't read"),
        ("goal: x\n? [a]\n: b", 2, "a key is a word"),
        ("goal: " + "[" * 50_000, 1, "nested deeper than 12"),
        ("- " * 50_000, 1, "nested deeper than 12"),
        ("goal: x\nask: [" + "plan," * 21_000 + "]", 2, "more than 20000 values"),
        ("goal:\n\tx", 2, "with spaces, not with tabs"),
        ("goal: a: b", 1, "written in quotes"),
        ("goal: x\nask: '[plan]\nnever: []", 2, "a quote that opens here"),
        ("goal: {x\n", 2, "isn't YAML"),
        ('goal: "\\UFFFFFFFF"', 1, "isn't YAML"),
        ('goal: "\\ud800"', 1, "character"),
        ("goal: x\nask: [plan]\x00", 2, "U+0000"),
        ("goal: a\x1b[2Jb", 1, "U+001B"),
        ("goal: x\n\ufeffask: []", 2, "U+FEFF"),
        (b"goal: x\nask: \xff", 2, "the byte 0xff, which isn't UTF-8"),
        ("goal: x".encode("utf-16"), None, "UTF-16"),
        (f"goal: {'x' * 60_000}", 1, "50000 is the most"),
    ],
)
def test_hostile_yaml_is_refused(write: Write, source: str | bytes, line: int | None, words: str) -> None:
    """Nothing is expanded, constructed or followed, and the error says what to change."""
    error = refusal(write(source))

    assert words in error.problem
    assert error.line == line
    assert str(error).isprintable()


def test_large_file_is_refused_unread(tmp_path: Path) -> None:
    """100 MB are refused by their size alone."""
    path = tmp_path / "goal.yaml"
    with path.open("wb") as stream:
        stream.truncate(100_000_000)

    assert "larger than 128 KiB" in refusal(path).problem


def test_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    """Nobody writes into this FIFO, and loading returns all the same."""
    path = tmp_path / "goal.yaml"
    os.mkfifo(path)

    assert "is a FIFO" in refusal(path).problem


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_device_is_refused(path: str) -> None:
    """A device is never opened."""
    assert "is a device" in refusal(Path(path)).problem


def test_circle_of_links_is_refused(tmp_path: Path) -> None:
    """A link to itself is an error like others."""
    (tmp_path / "goal.yaml").symlink_to(tmp_path / "goal.yaml")

    assert "can't be read" in refusal(tmp_path).problem


@pytest.mark.parametrize("name", ["nowhere.yaml", "a\0b.yaml", "x" * 5000])
def test_missing_file_is_an_error_for_people(tmp_path: Path, name: str) -> None:
    """No path ends in a traceback."""
    assert refusal(tmp_path / name).problem


def test_folder_without_goal_says_how_to_get_one(tmp_path: Path) -> None:
    """The way out is named."""
    assert "'autoagent init'" in refusal(tmp_path).problem


def test_other_ending_is_pointed_out(tmp_path: Path) -> None:
    """goal.yml isn't the protected name."""
    (tmp_path / "goal.yml").write_text("goal: x")

    assert "rename it to goal.yaml" in refusal(tmp_path).problem


def test_error_text_hides_nothing(write: Write) -> None:
    """Signs that a terminal would obey are spelled out."""
    assert "\\u202e" in str(refusal(write("goal: x\nallow: {web: ['a\u202egro.b']}")))


@given(st.text(alphabet=st.sampled_from("goal: x\n-[]{}'\"&*!|>%@#\t,?~0aé\\"), max_size=60))
def test_any_text_is_a_goal_or_an_error(source: str) -> None:
    """No text makes anything but a goal or a `GoalError`."""
    with contextlib.suppress(GoalError):
        assert isinstance(understand("goal: x\n" + source)[0], Goal)


# --- AutoGPT -----------------------------------------------------------------------------------------------


def test_autogpt_settings_become_a_goal(tmp_path: Path) -> None:
    """An old ai_settings.yaml is understood, and its budget kept."""
    (tmp_path / "ai_settings.yaml").write_text(
        "ai_goals:\n- Find three cafés\n- Output: a table in cafes.md\nai_name: Scout\n"
        "ai_role: a travel writer\napi_budget: 1.5\n"
    )
    loaded = load(tmp_path)

    assert loaded.goal.goal == (
        "You are Scout, a travel writer\n- Find three cafés\n- Output: a table in cafes.md"
    )
    assert loaded.goal.limits.usd == Decimal("1.5")
    assert "ai_settings.yaml" in loaded.goal.protect
    assert loaded.notes[0] == "converted from AutoGPT's settings"


def test_autogpt_budget_of_zero_gets_the_default_limit(tmp_path: Path) -> None:
    """0 meant unlimited there and means nothing here, so it is neither."""
    path = tmp_path / "ai_settings.yaml"
    path.write_text("ai_goals: [a]\napi_budget: 0.0")
    loaded = load(path)

    assert loaded.goal.limits == Limits()
    assert "meant no limit" in loaded.notes[-1]


@pytest.mark.parametrize(
    ("source", "words"),
    [("ai_name: A\nai_goal: []", "did you mean 'ai_goals'?"), ("ai_goals: []", "holds no goal")],
)
def test_autogpt_mistakes_are_named(tmp_path: Path, source: str, words: str) -> None:
    """The old format is read as strictly as ours."""
    path = tmp_path / "ai_settings.yaml"
    path.write_text(source)

    assert words in refusal(path).problem


def test_goal_file_wins_over_autogpt_settings(write: Write) -> None:
    """A folder with both has moved on."""
    path = write("goal: ours")
    (path.parent / "ai_settings.yaml").write_text("ai_goals: [theirs]")

    assert load(path.parent).goal.goal == "ours"


# --- texts, templates, dumps -------------------------------------------------------------------------------


def test_text_is_a_goal() -> None:
    """`autoagent run "text"` has the defaults."""
    assert from_text("  Tidy up \n") == Goal(goal="Tidy up")


@pytest.mark.parametrize("text", ["", " \n", "\udcff"])
def test_text_without_words_is_refused(text: str) -> None:
    """Nothing, or bytes that are no text, is no goal."""
    with pytest.raises(GoalError):
        from_text(text)


@given(st.text(max_size=200))
def test_template_holds_its_goal(text: str) -> None:
    """What `init` writes loads to the goal that was asked for, whatever it holds."""
    if not text.strip() or text.strip() in ("~", "null"):
        return
    assert understand(template(text))[0] == from_text(text)


def test_examples_of_the_template_are_right(write: Write) -> None:
    """With every example switched on it still loads, and every key is in it."""
    source = re.sub(r"^#(?! )|^#(?=  )", "", template("x"), flags=re.M)
    goal = load(write(source)).goal

    assert goal.model_fields_set == set(Goal.model_fields)
    assert len(goal.done_when) == 4


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,12}", fullmatch=True)
WORDS = st.text(max_size=30).map(str.strip).filter(lambda text: bool(text) and text not in ("~", "null"))
LINES = st.from_regex(r"[!-~äß漢][ -~äß漢]{0,20}", fullmatch=True).map(str.strip).filter(bool)
PATHS = st.lists(
    st.from_regex(r"[a-z#'\": -][a-z.: ]{0,6}[a-z]", fullmatch=True), min_size=1, max_size=3
).map(lambda parts: "/".join(part.strip() for part in parts))
CRITERIA = st.one_of(
    st.builds(
        FileCriterion,
        file=PATHS,
        contains=st.lists(st.text(min_size=1, max_size=9).filter(str.strip), max_size=3).map(tuple),
    ),
    st.builds(RunCriterion, run=WORDS.filter(lambda text: "\0" not in text)),
    st.builds(JudgeCriterion, judge=WORDS),
    st.builds(HumanCriterion, human=WORDS),
)
GOALS = st.builds(
    Goal,
    goal=WORDS,
    done_when=st.lists(CRITERIA, max_size=3).map(tuple),
    allow=st.builds(
        Allow,
        read=st.lists(PATHS, max_size=3).map(tuple),
        run=st.sampled_from(["none", "sandbox"]),
        web=st.lists(st.sampled_from(["*", "*.a.org", "a.org:80", "[::1]:8"]), max_size=2).map(tuple),
        send=st.dictionaries(NAMES, st.lists(LINES, max_size=2).map(tuple), max_size=2),
        secrets=st.dictionaries(NAMES, st.just("a.org:1"), max_size=2),
    ),
    private=st.lists(PATHS, max_size=2).map(tuple),
    ask=st.lists(st.sampled_from(["plan", "task", "spend:5%", "every:3"]), max_size=2).map(tuple),
    never=st.lists(NAMES, max_size=2).map(tuple),
    limits=st.builds(
        Limits,
        usd=st.decimals(0, 1000, places=3),
        steps=st.integers(0, 1000),
        minutes=st.floats(0, 1000, allow_subnormal=False).map(lambda minutes: round(minutes, 4)),
        tokens=st.integers(0, 10**10),
    ),
    if_nobody_answers=st.sampled_from(["park", "skip", "stop"]),
    plugins=st.none() | st.lists(NAMES, max_size=2).map(tuple),
    parallel=st.integers(1, 16),
    model=st.builds(RoleModels, planner=st.none() | LINES, worker=st.none() | LINES, judge=st.none()),
    plan=st.lists(
        st.builds(
            SubTask,
            id=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,5}", fullmatch=True),
            title=WORDS,
            instructions=st.just("") | WORDS,
            done_when=st.lists(CRITERIA, max_size=2).map(tuple),
        ),
        max_size=3,
        unique_by=lambda sub_task: sub_task.id,
    ).map(tuple),
)


@given(GOALS)
def test_dump_loads_to_the_same_goal(goal: Goal) -> None:
    """A goal written out is the goal read in, digest included."""
    again = understand(dump(goal))[0]
    assert again == goal
    assert goal_digest(again) == goal_digest(goal)


def test_dump_is_readable() -> None:
    """Defaults are left out, texts of several lines stand as they are."""
    goal = Goal(goal="First.\nThen.", limits=Limits(usd=Decimal("2.50")), allow=Allow(web=("a.org:80",)))

    assert dump(goal) == ('goal: |-\n  First.\n  Then.\nallow:\n  web: ["a.org:80"]\nlimits:\n  usd: 2.50\n')


def test_digest_survives_the_journal() -> None:
    """A goal read back from JSON has the digest that it had."""
    goal = Goal(goal="x")

    assert goal_digest(Goal.model_validate_json(goal.model_dump_json())) == goal_digest(goal)


# --- protected ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("python check.py", ("check.py",)),
        ("python -m pytest tests/test_a.py::test_b -q", ("tests/test_a.py",)),
        ("./check.sh && diff a.txt want.txt", ("check.sh", "a.txt", "want.txt")),
        ("tool --config=conf/x.toml", ("conf/x.toml",)),
        ("test 1.5 -gt 1", ("1.5",)),
        ("echo 'it''s", ()),
        ("cat /etc/passwd ../x $HOME/y *.py", ()),
        ("make", ()),
        ("." * 100_000 + ":", ()),
    ],
)
def test_files_that_a_command_names_are_protected(command: str, named: tuple[str, ...]) -> None:
    """What a proof runs on can't be rewritten by the run that it proves."""
    assert protected(Goal(goal="x", done_when=(RunCriterion(run=command),))) == ("goal.yaml", *GIT, *named)


def test_file_that_the_run_must_make_is_not_protected() -> None:
    """A command that checks the wanted file doesn't forbid writing it."""
    criteria = (FileCriterion(file="out.csv"), RunCriterion(run="python check.py out.csv"))

    assert protected(Goal(goal="x", done_when=criteria)) == ("goal.yaml", *GIT, "check.py")


def test_file_that_may_be_written_by_name_is_not_protected() -> None:
    """`write: [app.py]` says that the program under test is the work itself."""
    goal = Goal(goal="x", done_when=(RunCriterion(run="python app.py"),), allow=Allow(write=("app.py",)))

    assert protected(goal) == ("goal.yaml", *GIT)


def test_file_that_was_not_there_is_not_protected() -> None:
    """A script that the run has to write first can be written."""
    goal = Goal(goal="x", protect=("a",), done_when=(RunCriterion(run="python sort.py check.py"),))

    assert protected(goal, existing={"check.py"}) == ("a", "goal.yaml", *GIT, "check.py")


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("sh check", ("check",)),
        ("python 'check it.py'", ("check it.py",)),
        ("cd tests && python check.py", ("tests/check.py",)),
        ("cd tests && cd .. && python tests/check.py", ("tests/check.py",)),
        ("make -C tests check", ("check",)),
        ("python /workspace/tests/check.py", ("tests/check.py",)),
        ("python -m tests", ("tests",)),
        ("python -m tests.check", ("tests/check.py",)),
        ("python -m unittest tests.check.Case.test_a", ("tests/check.py",)),
        ("python -c \"exec(open('check').read())\"", ("check",)),
        ("python -c 'exec(open(\"tests/check.py\").read())'", ("tests/check.py",)),
        ("python -c 'import tests'", ()),
        ("bash -lc 'cd tests && python check.py'", ("tests/check.py",)),
        ("python missing.py", ()),
        ("cd /etc; cat ../../x ~/check .", ()),
    ],
)
def test_files_that_are_there_are_found_however_a_command_names_them(
    command: str, named: tuple[str, ...]
) -> None:
    """Quoted, without dot or slash, after `cd`, as a module, in code."""
    there = {"check", "check it.py", "tests", "tests/check.py"}
    goal = Goal(goal="x", done_when=(RunCriterion(run=command),))

    found = set(protected(goal, existing=there)) - {"goal.yaml", *GIT}

    assert found == set(named)
