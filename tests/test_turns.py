"""What was said in a lane, and how a model reads it again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoagent.growing import Log
from autoagent.messages import Message, Reply, RequestedCall
from autoagent.turns import SCRIPT, Style, Transcript, Turn, messages_of, requested_calls, script_in


def fenced(code: str, language: str = "python", fence: str = "```") -> str:
    return f"{fence}{language}\n{code}\n{fence}"


REPORT = '''
text = """# Report

```
log line
```
"""
open("r.md", "w").write(text)
finish("done")
'''.strip()


KINDS = st.sampled_from(["reply", "result"])
STYLES = st.sampled_from(["tools", "code"])


class TestScriptIn:
    """Which part of a reply is the script."""

    @pytest.mark.parametrize(
        "text",
        [
            fenced("a = 1"),
            fenced("a = 1", "Python"),
            fenced("a = 1", "py"),
            fenced("a = 1", "python3"),
            fenced("a = 1", "python title=x.py"),
            fenced("a = 1", " python"),
            fenced("a = 1", fence="````"),
            fenced("a = 1", fence="~~~"),
            fenced("a = 1", ""),
            f"I think.\n{fenced('a = 1')}\nThat was it: don't worry.",
            f"  {fenced('a = 1')}",
            f"{fenced('ls -l', 'bash')}\nthen\n{fenced('a = 1')}",
            f"{fenced('x: 1', '')}\n{fenced('a = 1')}",
            f"{fenced('b = 2', '')}\n{fenced('a = 1')}",
            f"{fenced('')}\n{fenced('a = 1')}",
            f"{fenced('a = 1')}\nor\n{fenced('b = 2')}",
            "```python\na = 1",
            fenced("a = 1").replace("\n", "\r\n"),
        ],
    )
    def test_the_first_block_of_python(self, text: str) -> None:
        """Named blocks first, however they are fenced, closed or not."""
        code = script_in(text)

        assert code is not None
        assert code.strip() == "a = 1"

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "no code",
            "`a = 1`",
            fenced("ls", "bash"),
            fenced("", "python"),
            fenced("not python!", ""),
            "```",
        ],
    )
    def test_no_script(self, text: str) -> None:
        """Text, other languages, empty blocks, and unnamed ones that are no Python."""
        assert script_in(text) is None

    @pytest.mark.parametrize(
        "code",
        [
            REPORT,
            REPORT.replace('"""', "'''"),
            "print(\"```\")\n# ```\nprint('''\n```\n''')",
            'a = "it\'s"\nb = """\n```\n"""',
        ],
    )
    def test_a_fence_in_a_string_ends_nothing(self, code: str) -> None:
        """Reports in Markdown are written by scripts."""
        found = script_in(f"Here:\n{fenced(code)}\nIt's done, isn't it?")

        assert found == code + "\n"

    def test_a_string_that_never_ends_hides_no_fence(self) -> None:
        """A slip of the model gives an error of Python, not a script of prose."""
        assert script_in(fenced("a = '''1") + "\nThat is all.") == "a = '''1\n"

    def test_an_odd_escape_is_no_warning(self) -> None:
        """Python's doubts about an unnamed block are not shown to anybody."""
        assert script_in(fenced('print("\\d")', "")) == 'print("\\d")\n'

    @given(st.text(st.sampled_from("`~ \n\r\t'\"\\#apython:=("), max_size=60))
    def test_no_text_breaks_it(self, text: str) -> None:
        """Any text gives a script that isn't empty, or none."""
        for reply in (text, f"```python\n{text}\n```", f"{text}```"):
            code = script_in(reply)
            assert code is None or code.strip()

    def test_a_reply_of_fences_alone_takes_no_time(self) -> None:
        """Some models repeat themselves until they are cut."""
        assert script_in("```\n" * 5000) is None
        assert script_in("'''\\" * 5000) is None


class TestRequestedCalls:
    """What a reply wants done."""

    def test_calls_are_named_after_their_reply(self) -> None:
        """Servers use the same ids in each reply; ours are unique in a run."""
        reply = Reply(calls=tuple(RequestedCall(id="call_0", name=n, arguments="{}") for n in "ab"))

        assert [(c.id, c.name) for c in requested_calls(reply, "tools", "main.3")] == [
            ("main.3.1", "a"),
            ("main.3.2", "b"),
        ]

    def test_a_script_is_one_call(self) -> None:
        """In code style the block is the argument of one call."""
        (made,) = requested_calls(Reply(text=fenced("a = 1")), "code", "main.3")

        assert (made.id, made.name) == ("main.3.1", SCRIPT)
        assert json.loads(made.arguments) == {"code": "a = 1\n"}

    def test_a_cut_script_is_not_run(self) -> None:
        """The server says that the reply was cut: what is missing nobody knows."""
        assert requested_calls(Reply(text=fenced("a = 1"), finish_reason="length"), "code", "m") == ()

    def test_text_is_no_call_in_tools_style(self) -> None:
        """A block is just text there; and native calls are taken in code style too."""
        assert requested_calls(Reply(text=fenced("a = 1")), "tools", "m") == ()
        native = Reply(text=fenced("a = 1"), calls=(RequestedCall(id="", name="finish", arguments="{}"),))
        assert [c.name for c in requested_calls(native, "code", "m")] == ["finish"]


def reply(*names: str, style: Style = "tools", text: str = "", arguments: str = "{}") -> Turn:
    calls = tuple(
        RequestedCall(id=f"r.{n}", name=name, arguments=arguments) for n, name in enumerate(names, 1)
    )
    return Turn("reply", text, style, calls=calls)


def result(call_id: str = "r.1", text: str = "ok", style: Style = "tools", **fields: Any) -> Turn:
    return Turn("result", text, style, call_id, **fields)


def note(text: str = "a note") -> Turn:
    return Turn("note", text)


class TestMessages:
    """Turns as the model reads them."""

    def test_tools_style_speaks_in_roles(self) -> None:
        """Calls stand in the assistant's message, results in messages of tools."""
        told = messages_of([reply("look", text="hm"), result(), note()])

        assert [m.role for m in told] == ["assistant", "tool", "user"]
        assert told[0].calls[0].name == "look"
        assert told[1].call_id == "r.1"

    def test_code_style_speaks_in_text(self) -> None:
        """Nothing but user and assistant: any server takes that."""
        told = messages_of(
            [
                reply(SCRIPT, style="code", text="```python\n1\n```"),
                result(style="code", text="3", tool=SCRIPT),
                result(style="code", text="no", tool=SCRIPT, ok=False),
                result(style="code", text="there", tool="finish"),
            ]
        )

        assert [m.role for m in told] == ["assistant", "user", "user", "user"]
        assert [m.text for m in told[1:]] == ["Output:\n3", "It failed:\nno", "finish: Output:\nthere"]
        assert not any(m.calls for m in told)

    def test_results_stand_right_behind_their_calls(self) -> None:
        """A note that came between a call and its result is told after the last result of that reply."""
        turns = [
            reply("a", "b"),
            result("r.1"),
            note("meanwhile"),
            result("r.2"),
            note("later"),
            reply(text="x"),
        ]

        assert [m.text for m in messages_of(turns)] == ["", "ok", "ok", "meanwhile", "later", "x"]

    @given(st.lists(st.sampled_from(["reply", "note"]), max_size=8), st.randoms(use_true_random=False))
    def test_any_order_of_notes_is_one_that_servers_take(self, kinds: list[str], random: Any) -> None:
        """Behind each message with calls come exactly its results; nothing is lost."""
        turns: list[Turn] = []
        for number, kind in enumerate(kinds):
            if kind == "note":
                turns.append(note(f"n{number}"))
                continue
            made = Turn("reply", "", calls=tuple(_call(f"{number}.{n}") for n in range(random.randint(0, 3))))
            turns.append(made)
            for one in made.calls:
                turns += [note()] * random.randint(0, 2) + [result(one.id)]

        told = messages_of(turns)
        assert len(told) == len(turns)
        for at, message in enumerate(told):
            behind = told[at + 1 : at + 1 + len(message.calls)]
            assert [m.call_id for m in behind] == [c.id for c in message.calls]

    @given(
        st.lists(
            st.tuples(st.sampled_from(["reply", "result", "note", "reset"]), st.integers(0, 12)), max_size=20
        )
    )
    def test_a_transcript_that_grew_is_one_made_at_once(self, steps: list[tuple[str, int]]) -> None:
        """Whatever was added, shortened or begun anew since its messages were last asked for."""
        grown, turns, compacted = Transcript(), Log[Turn](), 0
        for number, (kind, upto) in enumerate(steps):
            match kind:
                case "reply":
                    made = reply("a", "b", text=f"{number} " + "long " * 200)
                case "result":
                    made = result(f"r.{number % 2 + 1}", text=f"{number} " + "long " * 200)
                case _:
                    made = note(str(number))
            turns = Log([made]) if kind == "reset" else turns.plus(made)
            compacted = max(compacted if kind != "reset" else 0, min(upto, len(turns)))

            told = [(m.role, m.text) for m in grown.messages(turns, compacted)]
            assert told == [(m.role, m.text) for m in Transcript().messages(turns, compacted)]

    def test_a_transcript_shortens_the_first_turns(self) -> None:
        """As many as it is told to; the others stay whole."""
        turns = Log([result(text="x" * 1000), result(text="y" * 1000)])
        first, second = Transcript().messages(turns, 1)

        assert "read_again" in first.text
        assert second.text == "y" * 1000

    @pytest.mark.parametrize("arguments", ["", "not json", "[1]", "3", '{"a": ', "[" * 100_000])
    def test_arguments_that_are_no_object_are_not_sent_back(self, arguments: str) -> None:
        """Servers refuse such a history; the result quotes what was wrong."""
        assert reply("look", arguments=arguments).message.calls[0].arguments == "{}"

    def test_a_turn_s_message_is_made_once(self) -> None:
        """And so are its bytes, shortened or not."""
        turn = result(text="x" * 5000)

        assert turn.message is turn.message
        assert turn.message.wire is turn.message.wire
        assert turn.shortened is turn.shortened

    def test_odd_texts_have_bytes(self) -> None:
        """A lone surrogate (an odd file name) is sent as an escape."""
        assert json.loads(note("a\udcff").message.wire) == {"role": "user", "content": "a\udcff"}


class TestShortened:
    """Old turns once the context is full."""

    def test_a_result_keeps_its_beginning_and_a_handle(self) -> None:
        """What stands there says how to read it again."""
        short = result("main.3.1", "x" * 1000).shortened

        assert short.text == "x" * 200 + "\n… 800 characters left out; read_again('main.3.1') shows them"
        assert short.call_id == "main.3.1"

    def test_a_script_keeps_its_beginning(self) -> None:
        """It stays a block, which the model goes on to write."""
        code = "a = 1\n" * 200
        short = reply(SCRIPT, style="code", text=f"Well.\n{fenced(code)}").shortened

        assert short.text.startswith("```python\na = 1\n")
        assert short.text.endswith("\n# … 1001 characters left out\n```")

    def test_a_call_keeps_its_short_arguments(self) -> None:
        """The path stays, the content of the file goes: the file can be read."""
        arguments = json.dumps({"path": "a.txt", "content": "x" * 5000})
        short = reply("files_write", arguments=arguments).shortened
        args = json.loads(short.calls[0].arguments)

        assert args == {"path": "a.txt", "content": "x" * 200 + "\n… 4800 characters left out"}
        assert short.message.calls[0].id == "r.1"

    @pytest.mark.parametrize(
        "turn",
        [
            note("x" * 5000),
            result(text="x" * 400),
            reply("look", text="x" * 400, arguments='{"a": 1}'),
            reply(SCRIPT, style="code", text=fenced("a = 1")),
        ],
        ids=["a note", "a short result", "a short call", "a short script"],
    )
    def test_short_turns_and_notes_stay(self, turn: Turn) -> None:
        """What a person said is never cut."""
        assert turn.shortened == turn

    @given(st.text("a`\n", max_size=3000), KINDS, STYLES)
    def test_shortening_twice_is_shortening_once(self, text: str, kind: Any, style: Style) -> None:
        """And it never makes longer."""
        turn = Turn(kind, text * 3, style, "c")

        assert len(turn.shortened.text) <= max(len(turn.text), 400)
        assert turn.shortened.shortened == turn.shortened


def _call(id: str) -> RequestedCall:
    return RequestedCall(id=id, name="look", arguments="{}")


def test_a_message_without_calls_has_its_text() -> None:
    """An empty reply is an empty text, never null: servers refuse that."""
    assert json.loads(Message("assistant", "").wire) == {"role": "assistant", "content": ""}
    assert json.loads(reply("look").message.wire)["content"] is None
