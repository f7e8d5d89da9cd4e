"""Tool calls written as text."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.llm.rescue import rescue
from autoagent.ports import ToolSchema

READ = ToolSchema(
    "files_read", "Read.", {"type": "object", "properties": {"path": {}, "offset": {}, "limit": {}}}
)
WRITE = ToolSchema("files_write", "Write.", {"type": "object", "properties": {"path": {}, "content": {}}})
FINISH = ToolSchema("finish", "Finish.", {"type": "object", "properties": {"result": {}}})
OFFERED = (READ, WRITE, FINISH)

CALL = '{"name": "files_read", "arguments": {"path": "a.txt"}}'
WANTED = [("files_read", {"path": "a.txt"})]


def calls(text: str, *, python: bool = True) -> list[tuple[str, object]]:
    rescued = rescue(text, OFFERED, python=python)
    return [(c.name, json.loads(c.arguments)) for c in rescued.calls] if rescued else []


@pytest.mark.parametrize(
    "text",
    [
        CALL,
        f"\n  {CALL}\n",
        f"```json\n{CALL}\n```",
        f"```\n{CALL}\n```",
        f"```json\n{CALL}```",
        f"Let me look at the file first.\n\n```json\n{CALL}\n```\n",
        f"<tool_call>\n{CALL}\n</tool_call>",
        f"I'll read it. <tool_call>{CALL}</tool_call> Then I go on.",
        f"<tool_call>\n{CALL}",
        f"<tool_call>\n```json\n{CALL}\n```\n</tool_call>",
        '{"name": "files_read", "parameters": {"path": "a.txt"}}',
        '{"tool": "files_read", "args": {"path": "a.txt"}}',
        '{"function": "files_read", "arguments": {"path": "a.txt"}}',
        '{"type": "function", "function": {"name": "files_read", "arguments": {"path": "a.txt"}}}',
        '{"function": {"name": "files_read", "arguments": "{\\"path\\": \\"a.txt\\"}"}}',
        '{"tool_calls": [{"function": {"name": "files_read", "arguments": {"path": "a.txt"}}}]}',
        f"[{CALL}]",
        "{'name': 'files_read', 'arguments': {'path': 'a.txt'}}",
        'files_read(path="a.txt")',
        'files_read("a.txt")',
        '```python\nfiles_read(path="a.txt")\n```',
    ],
)
def test_a_call_written_as_text_is_a_call(text: str) -> None:
    """Each way in which models write a call as text is understood."""
    assert calls(text) == WANTED


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "The report is done.",
        f"You could send {CALL} to read the file.",
        f"```json\n{CALL}\n```\nThis is how a call looks; shall I make it?",
        '{"name": "rm_rf", "arguments": {}}',
        f'{CALL}\n{{"name": "rm_rf", "arguments": {{}}}}',
        '{"name": "files_read"}',
        '{"name": "Anna", "age": 7}',
        '{"name": "files_read", "arguments": [1]}',
        '{"name": "files_read", "arguments": "not json"}',
        '{"name": 7, "arguments": {}}',
        '{"name": "files_read", "arguments": {"path": ',
        "files_read",
        "files_read(path=secret)",
        'files_read(path="a.txt"); import os',
        "files_read(**{'path': 'a.txt'})",
        "files_read(1, 2, 3, 4)",
        'files_read("a.txt", path="b.txt")',
        "files_read(path=b'a.txt')",
        'os.files_read(path="a.txt")',
        'x = files_read(path="a.txt")',
        f"```yaml\n{CALL}\n```",
        f"```json\n{CALL}",
    ],
)
def test_anything_else_is_prose(text: str) -> None:
    """Text that mentions a call, names an unknown tool, or isn't certain, is left alone."""
    assert calls(text) == []


@pytest.mark.parametrize(
    "text",
    [
        f'{CALL}\n{{"name": "finish", "arguments": {{"result": "ok"}}}}',
        f'{CALL}, {{"name": "finish", "arguments": {{"result": "ok"}}}}',
        f'[{CALL}, {{"name": "finish", "arguments": {{"result": "ok"}}}}]',
        f'```json\n{CALL}\n```\n\n```json\n{{"name": "finish", "arguments": {{"result": "ok"}}}}\n```',
        f"<tool_call>{CALL}</tool_call>\n<tool_call>"
        '{"name": "finish", "arguments": {"result": "ok"}}</tool_call>',
        'files_read("a.txt")\nfinish(result="ok")',
    ],
)
def test_several_calls_keep_their_order(text: str) -> None:
    """Calls that follow one another are all taken, in order."""
    assert calls(text) == [*WANTED, ("finish", {"result": "ok"})]


@pytest.mark.parametrize(
    ("text", "prose"),
    [
        (CALL, ""),
        (f"Let me look.\n\n```json\n{CALL}\n```", "Let me look."),
        (
            f"For example:\n```py\nx = 1\n```\nNow:\n```json\n{CALL}\n```",
            "For example:\n```py\nx = 1\n```\nNow:",
        ),
        (f"First <tool_call>{CALL}</tool_call> then more.", "First  then more."),
    ],
)
def test_prose_around_calls_is_kept(text: str, prose: str) -> None:
    """What stands beside the calls stays text, without them."""
    rescued = rescue(text, OFFERED)

    assert rescued is not None
    assert rescued.prose == prose


def test_a_script_is_no_call_for_a_model_that_writes_scripts() -> None:
    """In code style a Python block stays a script, and JSON is still a call."""
    assert calls('```python\nfiles_read(path="a.txt")\n```', python=False) == []
    assert calls(CALL, python=False) == WANTED


def test_no_arguments_are_an_empty_object() -> None:
    """A call whose arguments are null or empty text has none."""
    assert calls('{"name": "finish", "arguments": null}') == [("finish", {})]
    assert calls('{"name": "finish", "arguments": ""}') == [("finish", {})]


def test_invalid_escapes_in_python_do_not_warn() -> None:
    r"""A `\d` in foreign text is no warning of ours."""
    assert calls(r'files_write(path="a", content="\d")') == [("files_write", {"path": "a", "content": "\\d"})]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"name":' * 20_000,
        "files_read(" + "-" * 50_000 + "1)",
        "files_read(" + "[" * 300 + "]" * 300 + ")",
        '{"name": "finish", "arguments": {"result": ' + "9" * 10_000 + "}}",
        "```\na```b\n" * 20_000,
        "<tool_call>" * 15_000,
    ],
    ids=["lists", "objects", "signs", "nested", "number", "fences", "tags"],
)
def test_hostile_text_is_prose(text: str) -> None:
    """Text made to break a parser ends as prose, in linear time."""
    assert calls(text) == []


PIECES = st.sampled_from(
    [
        CALL,
        "```",
        "```json\n",
        "\n```",
        "<tool_call>",
        "</tool_call>",
        "files_read(",
        ")",
        "{",
        "}",
        '"',
        "\\",
    ]
)


@given(st.lists(PIECES | st.text(max_size=8), max_size=12).map("".join), st.booleans())
def test_no_text_raises(text: str, python: bool) -> None:
    """Whatever the text is, every call found names an offered tool and holds a JSON object."""
    rescued = rescue(text, OFFERED, python=python)

    for call in rescued.calls if rescued else ():
        assert call.name in {"files_read", "files_write", "finish"}
        assert isinstance(json.loads(call.arguments), dict)
