"""Replies while they come in: what goes over a run's socket, who may hear it, and that no run minds."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cli_runs import Cli, Terminal, calls, finished
from hypothesis import given
from hypothesis import strategies as st
from live_runs import AT, Gate, Watcher, coming, watching
from loops import Stage, finish, write
from test_secrecy import CANARY, SECRETS, WAYS

from autoagent.live import serving
from autoagent.live.place import connect, take_seat
from autoagent.live.replies import TAIL_CHARS, Replies, heard
from autoagent.live.serving import MOST_WATCHERS
from autoagent.live.veil import Veil
from autoagent.live.wire import (
    LINE_BYTES,
    PIECE_CHARS,
    Hello,
    Lines,
    ReplyBegun,
    ReplyGrew,
    ReplyOver,
    TryFailed,
    written,
)
from autoagent.ports import NOBODY, Onlookers
from autoagent.secrecy import Strike
from autoagent.testing.contracts.onlookers import OnlookersContract
from autoagent.testing.model import ScriptedModel
from autoagent.testing.onlookers import Overheard
from autoagent.testing.server import ScriptedServer, ServedTurn

GOAL = "goal: Write a.txt\ndone_when: [{file: a.txt}]\nplugins: [files]\nplan: [{id: a, title: write}]\n"
RUN = "k3f9"
NO_SECRETS = Strike({})


@pytest.fixture
def home() -> Iterator[Path]:
    """A home whose path is short enough for a socket, wherever tests run."""
    with TemporaryDirectory(dir="/tmp", prefix="live-") as path:
        yield Path(path)


# --- secrets ------------------------------------------------------------------------------------------------


def shown_of(strike: Strike, pieces: Sequence[str]) -> list[str]:
    """What is shown after each piece."""
    veil, shown = Veil(strike), [""]
    for piece in pieces:
        shown.append(shown[-1] + veil.take(piece))
    return shown


class TestVeil:
    """What is shown of a text that comes in pieces."""

    @pytest.mark.parametrize("way", WAYS)
    def test_a_secret_cut_at_every_place(self, way: str) -> None:
        """Whatever was cut where, what is shown is the beginning of what will be recorded."""
        for secret in SECRETS:
            strike = Strike({"KEY": secret})
            whole = f"before {WAYS[way](secret)} after"
            recorded = strike.text(whole)
            cuts = range(1, len(whole), 1 if secret == CANARY else 7)
            for pieces in (list(whole), *([whole[:cut], whole[cut:]] for cut in cuts)):
                assert all(recorded.startswith(shown) for shown in shown_of(strike, pieces)), pieces

    @given(st.data())
    def test_secrets_that_share_their_beginnings(self, data: st.DataObject) -> None:
        """One that is the beginning of another, or ends as another begins, doesn't give the other away."""
        secrets = data.draw(st.lists(st.text("ab1", min_size=8, max_size=11), min_size=1, max_size=3))
        parts = st.sampled_from([*secrets, *(each[:5] for each in secrets), *(each[3:] for each in secrets)])
        whole = "".join(data.draw(st.lists(st.one_of(parts, st.text("ab1 ")), max_size=12)))
        strike = Strike({f"S{n}": each for n, each in enumerate(secrets)})
        size = data.draw(st.integers(1, 7))
        shown = shown_of(strike, [whole[at : at + size] for at in range(0, len(whole), size)])

        assert all(strike.text(whole).startswith(each) for each in shown)

    def test_prose_comes_at_once(self) -> None:
        """No more is held back than what begins as a secret does."""
        strike = Strike({"KEY": "sk-proj-" + "Ab3_x9" * 26, "MAIL": "hunter2 & more/so"})
        text = "It asks for the task's risk, 50% & more. " * 3

        shown = shown_of(strike, list(text))

        assert max(n - len(each) for n, each in enumerate(shown)) <= 8
        assert shown[-1] == text

    def test_after_a_secret_it_goes_on(self) -> None:
        """What is certainly none is shown soon."""
        shown = shown_of(Strike({"KEY": CANARY}), [f"key {CANARY} and then {'more ' * 20}"])

        assert shown[-1].startswith("key [KEY] and then more")

    def test_without_secrets_nothing_is_held(self) -> None:
        """Not even what looks like half an escape."""
        assert shown_of(NO_SECRETS, ["a\\", "u00", "%"])[-1] == "a\\u00%"


# --- the wire -----------------------------------------------------------------------------------------------

BEGUN = ReplyBegun(reply="a.1", lane="a", role="worker", number=1, at=AT)
FAILED = TryFailed(reply="a.1", tries=2, why="HTTP 500", again_at=AT)
MESSAGES = [
    Hello(run=RUN),
    BEGUN,
    FAILED,
    ReplyGrew(reply="a.1", text="Grüße\n🙂"),
    ReplyOver(reply="a.1", entry=9),
]


class TestWire:
    """Lines of JSON."""

    @pytest.mark.parametrize("size", [1, 7, 10_000])
    def test_messages_come_back(self, size: int) -> None:
        """However the bytes are cut."""
        data, lines = b"".join(map(written, MESSAGES)), Lines()

        found = [m for at in range(0, len(data), size) for m in lines.take(data[at : at + size])]

        assert found == MESSAGES

    @pytest.mark.parametrize(
        "bad",
        [
            b"\n",
            b"\xff\xfe\n",
            b"not json\n",
            b"[1, 2]\n",
            b'{"kind": "begun"}\n',
            b'{"kind": "from a later version", "reply": "a.1"}\n',
            b'{"kind": "over", "reply": "a.1", "entry": "nine"}\n',
            b"[" * 50_000 + b"\n",
            b"x" * (LINE_BYTES + 1) + b"\n",
            b"x" * (3 * LINE_BYTES) + b"\n",
        ],
    )
    def test_what_is_no_message_is_left_out(self, bad: bytes) -> None:
        """And the next one is heard."""
        assert [*Lines().take(bad + written(BEGUN))] == [BEGUN]

    def test_an_endless_line_is_not_kept(self) -> None:
        """However much of it comes."""
        lines = Lines()
        for _ in range(100):
            assert [*lines.take(b"x" * LINE_BYTES)] == []

        assert [*lines.take(b"\n" + written(BEGUN))] == [BEGUN]

    def test_no_piece_makes_a_line_too_long(self) -> None:
        """Whatever JSON makes of its characters."""
        assert len(written(ReplyGrew(reply="a.1", text="\x1b" * PIECE_CHARS))) < LINE_BYTES


class TestReplies:
    """What one who watches knows."""

    @staticmethod
    def told(*messages: Hello | ReplyBegun | ReplyGrew | ReplyOver) -> Replies:
        replies: Replies = {}
        for message in messages:
            replies = heard(replies, message)
        return replies

    def test_the_last_words_are_kept(self) -> None:
        """Of a million characters no more than a screen can show."""
        grew = [ReplyGrew(reply="a.1", text=f"{n:>99} ") for n in range(10_000)]

        reply = self.told(BEGUN, *grew)["a.1"]

        assert TAIL_CHARS <= len(reply.tail) <= 2 * TAIL_CHARS
        assert reply.tail.endswith(" 9999 ")
        assert reply.chars == 1_000_000

    def test_a_call_takes_the_place_of_the_text(self) -> None:
        """With its tool."""
        more = [
            ReplyGrew(reply="a.1", text="I write it."),
            ReplyGrew(reply="a.1", text="{", call=0, tool="x"),
        ]

        reply = self.told(BEGUN, *more, ReplyGrew(reply="a.1", text="}", call=0))["a.1"]

        assert (reply.call, reply.tool, reply.tail) == (0, "x", "{}")

    def test_begun_anew_it_is_empty(self) -> None:
        """What was heard of it is void."""
        assert self.told(BEGUN, ReplyGrew(reply="a.1", text="x"), BEGUN)["a.1"].tail == ""

    def test_what_fits_nothing_changes_nothing(self) -> None:
        """A reply that never began has no words and no end."""
        assert self.told(ReplyGrew(reply="b.1", text="x"), ReplyOver(reply="b.1", entry=3)) == {}

    def test_so_many_at_a_time(self) -> None:
        """Who serves nonsense doesn't fill our memory."""
        many = [BEGUN.model_copy(update={"reply": f"a.{n}", "lane": f"{n}"}) for n in range(1_000)]

        assert len(self.told(*many)) < 100


# --- where it lies ------------------------------------------------------------------------------------------


class TestPlace:
    """The socket of a run."""

    def test_it_is_the_persons_alone(self, home: Path) -> None:
        """Folder and socket."""
        seat = take_seat(home, RUN)

        assert stat.S_IMODE(seat.path.parent.stat().st_mode) == 0o700
        assert stat.S_IMODE(seat.path.stat().st_mode) == 0o600
        assert seat.path == home / "live" / f"{RUN}.sock"
        seat.leave()
        assert [*seat.path.parent.iterdir()] == []

    def test_a_long_home_has_it_elsewhere(self, home: Path) -> None:
        """Where a socket's path may not be so long; both sides find it there."""
        long = home / ("x" * 100)
        long.mkdir()
        seat = take_seat(long, RUN)
        line = connect(long, RUN)

        assert seat.path.parent == Path(f"/tmp/autoagent-{os.geteuid()}")
        assert line is not None
        line.close()
        assert connect(home, RUN) is None
        seat.leave()

    def test_a_dead_ones_is_replaced(self, home: Path) -> None:
        """A process that was killed leaves its socket, which answers nobody."""
        dead = take_seat(home, RUN)
        dead.listening.close()
        assert connect(home, RUN) is None

        seat = take_seat(home, RUN)
        line = connect(home, RUN)

        assert line is not None
        line.close()
        dead.leave()  # a thawed process doesn't take away what is another's now
        assert seat.path.exists()
        seat.leave()

    def test_what_killed_processes_left_is_swept(self, home: Path) -> None:
        """Also of runs that nobody goes on with; but not what listens, nor what may be about to."""
        left, new, alive = (take_seat(home, name) for name in ("left", "new", "alive"))
        left.listening.close()
        new.listening.close()
        for old in (left, alive):
            os.utime(old.path, (0, 0))

        seat = take_seat(home, RUN)

        assert {path.stem for path in (home / "live").iterdir()} == {"new", "alive", RUN}
        for each in (alive, seat):
            each.leave()

    def test_a_folder_that_others_can_write_is_refused(self, home: Path) -> None:
        """They could answer in our place: it isn't asked, and nothing is put there."""
        seat = take_seat(home, RUN)
        seat.path.parent.chmod(0o777)

        assert connect(home, RUN) is None
        seat.leave()

    def test_nowhere(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without Unix sockets there is none, and the error says so."""
        monkeypatch.delattr(socket, "AF_UNIX")

        with pytest.raises(OSError, match="no Unix sockets"):
            take_seat(home, RUN)


# --- the port -----------------------------------------------------------------------------------------------


class TestNobody(OnlookersContract):
    @pytest.fixture
    def onlookers(self) -> Onlookers:
        return NOBODY


class TestOverheard(OnlookersContract):
    @pytest.fixture
    def onlookers(self) -> Onlookers:
        return Overheard(lambda lane, piece: None)


class TestUnwatched(OnlookersContract):
    @pytest.fixture
    async def onlookers(self, home: Path) -> AsyncIterator[Onlookers]:
        with serving.served(home, RUN, Strike({"KEY": CANARY})) as onlookers:
            yield onlookers


class TestWatched(OnlookersContract):
    @pytest.fixture
    async def onlookers(self, home: Path) -> AsyncIterator[Onlookers]:
        with serving.served(home, RUN, Strike({"KEY": CANARY})) as onlookers:
            async with watching(home, RUN) as watcher:
                await watcher.until(lambda: watcher.messages)
                yield onlookers
                last = onlookers.reply(coming("z.1", "z"))
                last.text("all is well")
                await watcher.until(lambda: watcher.text("z.1") == "all is well")


# --- who watches --------------------------------------------------------------------------------------------


class TestServing:
    """Replies, and those who hear them."""

    async def test_who_comes_late_hears_all_so_far(self, home: Path) -> None:
        """Then what comes, then that it is over."""
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            reply = onlookers.reply(coming())
            reply.text("Once upon ")
            reply.text("a time")
            async with watching(home, RUN) as late:
                await late.until(lambda: late.text("a.1") == "Once upon a time")
                reply.text(" there was")
                await late.until(lambda: late.text("a.1") == "Once upon a time there was")
                reply.over(48)
                await late.until(lambda: late.messages[-1] == ReplyOver(reply="a.1", entry=48))

        assert late.messages[:2] == [Hello(run=RUN), BEGUN]

    async def test_calls_are_heard_by_themselves(self, home: Path) -> None:
        """With the tool's name, though no argument has come yet."""
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            async with watching(home, RUN) as watcher:
                reply = onlookers.reply(coming())
                reply.text("Now.")
                reply.call(0, "files_write", "")
                await watcher.until(lambda: watcher.replies.get("a.1") and watcher.replies["a.1"].tool)
                assert watcher.replies["a.1"].tool == "files_write"
                for piece in ('{"pa', 'th": "a"}'):
                    reply.call(0, "files_write", piece)
                reply.call(1, "finish", "{}")
                await watcher.until(lambda: watcher.text("a.1", 1) == "{}")

        assert watcher.text("a.1") == "Now."
        assert watcher.text("a.1", 0) == '{"path": "a"}'

    async def test_lanes_have_their_own(self, home: Path) -> None:
        """Side by side."""
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            async with watching(home, RUN) as watcher:
                a, b = onlookers.reply(coming()), onlookers.reply(coming("b.1", "b"))
                for n in range(50):
                    a.text(f"a{n} ")
                    b.text(f"b{n} ")
                a.over(7)
                await watcher.until(lambda: watcher.text("b.1").endswith("b49 "))
                a2 = onlookers.reply(coming("a.2", "a", 2))
                a2.text("again")
                await watcher.until(lambda: watcher.text("a.2") == "again")

        assert watcher.text("b.1") == "".join(f"b{n} " for n in range(50))
        assert {reply.lane for reply in watcher.replies.values()} == {"a", "b"}

    async def test_a_retry_begins_anew(self, home: Path) -> None:
        """For who has heard the first try, and for who comes after."""
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            async with watching(home, RUN) as early:
                reply = onlookers.reply(coming())
                reply.text("half a sen")
                await early.until(lambda: early.text("a.1") == "half a sen")
                reply.anew()
                reply.text("A whole sentence.")
                await early.until(lambda: early.text("a.1") == "A whole sentence.")
                async with watching(home, RUN) as late:
                    await late.until(lambda: late.text("a.1") == "A whole sentence.")

        assert sum(message.kind == "begun" for message in early.messages) == 2
        assert sum(message.kind == "begun" for message in late.messages) == 1

    async def test_why_a_try_failed_is_told(self, home: Path) -> None:
        """To who comes after too, and while the next one goes on; without secrets."""
        with serving.served(home, RUN, Strike({"KEY": CANARY})) as onlookers:
            reply = onlookers.reply(coming())
            reply.failed("no connection", 0.5)
            reply.anew()
            reply.failed(f"HTTP 500: {CANARY}", 20)
            async with watching(home, RUN) as late:
                await late.until(lambda: "a.1" in late.replies and late.replies["a.1"].tries == 2)
                reply.anew()
                reply.text("At last.")
                await late.until(lambda: late.text("a.1") == "At last.")

        assert (late.replies["a.1"].tries, late.replies["a.1"].why) == (2, "HTTP 500: [KEY]")

    async def test_one_that_is_stuck_holds_nobody_up(self, home: Path) -> None:
        """Another hears a reply of a million characters whole, and the stuck one catches up when it reads."""
        words = [f"{n:>99} " for n in range(10_000)]
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            async with watching(home, RUN) as good, watching(home, RUN) as stuck:
                stuck.reader._transport.pause_reading()  # type: ignore[attr-defined]
                reply = onlookers.reply(coming())
                for word in words:
                    reply.text(word)
                await good.until(lambda: len(good.text("a.1")) == 1_000_000)
                stuck.reader._transport.resume_reading()  # type: ignore[attr-defined]
                await stuck.until(lambda: len(stuck.text("a.1")) == 1_000_000)

        assert good.text("a.1") == stuck.text("a.1") == "".join(words)

    async def test_one_that_is_behind_is_spared_what_is_over(self, home: Path) -> None:
        """It hears the end, and the next reply."""
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            async with watching(home, RUN) as stuck:
                reply = onlookers.reply(coming())
                reply.text("x")
                await stuck.until(lambda: stuck.text("a.1"))
                stuck.reader._transport.pause_reading()  # type: ignore[attr-defined]
                async with watching(home, RUN) as good:
                    reply.text("y" * 1_000_000)
                    await good.until(lambda: len(good.text("a.1")) == 1_000_001)
                reply.over(5)
                stuck.reader._transport.resume_reading()  # type: ignore[attr-defined]
                onlookers.reply(coming("a.2", "a", 2)).text("next")
                await stuck.until(lambda: stuck.text("a.2") == "next")

        assert ReplyOver(reply="a.1", entry=5) in stuck.messages
        assert len(stuck.text("a.1")) < 1_000_001

    async def test_so_many_may_watch(self, home: Path) -> None:
        """One more is refused while all of them listen; none that listens is sent away."""
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            lines = [connect(home, RUN) for _ in range(MOST_WATCHERS // 2)]
            watchers = [await welcomed(line) for line in lines]
            watchers += [await welcomed(connect(home, RUN)) for _ in range(MOST_WATCHERS // 2)]
            refused = await joined(connect(home, RUN))
            onlookers.reply(coming()).text("x")

            assert await refused.gone()
            for watcher in watchers:
                await watcher.until(lambda watcher=watcher: watcher.text("a.1") == "x")
            for watcher in (*watchers, refused):
                watcher.writer.close()

    async def test_who_talks_is_sent_away(self, home: Path) -> None:
        """Nobody who watches has anything to say."""
        with serving.served(home, RUN, NO_SECRETS):
            async with watching(home, RUN) as watcher:
                watcher.writer.write(b"GET / HTTP/1.1\r\n\r\n")

                assert await watcher.gone()

    async def test_no_secret_is_heard(self, home: Path) -> None:
        """Though the model writes it in pieces, in its text, a tool's name and arguments."""
        strike = Strike({"KEY": CANARY})
        with serving.served(home, RUN, strike) as onlookers:
            async with watching(home, RUN) as watcher:
                reply = onlookers.reply(coming())
                for number, text in ((None, f"it is {CANARY}. So"), (0, json.dumps({"text": CANARY}))):
                    for piece in (text[at : at + 3] for at in range(0, len(text), 3)):
                        if number is None:
                            reply.text(piece)
                        else:
                            reply.call(number, CANARY, piece)
                        await asyncio.sleep(0.011)
                reply.text(" it goes on, and on, and on")
                await watcher.until(lambda: watcher.text("a.1").endswith("and on"))

        assert watcher.text("a.1").startswith("it is [KEY]. So it goes on")
        heard_whole = "".join(message.model_dump_json() for message in watcher.messages)
        assert not any(CANARY[at : at + 6] in heard_whole for at in range(len(CANARY) - 6))

    async def test_half_characters_are_heard(self, home: Path) -> None:
        """A model may write some; they break nothing."""
        with serving.served(home, RUN, NO_SECRETS) as onlookers:
            async with watching(home, RUN) as watcher:
                onlookers.reply(coming()).text("a\ud800b")
                await watcher.until(lambda: watcher.text("a.1") == "a?b")

    async def test_while_nobody_watches_nothing_is_looked_at(self, home: Path) -> None:
        """Neither for secrets nor anything else."""
        looked = []

        class Looking(Strike):
            def settled(self, text: str) -> int:
                looked.append(text)
                return super().settled(text)

        with serving.served(home, RUN, Looking({"KEY": CANARY})) as onlookers:
            reply = onlookers.reply(coming())
            for _ in range(100):
                reply.text("word ")
                await asyncio.sleep(0)
            await asyncio.sleep(2 * serving.TICK_S)
            assert looked == []
            async with watching(home, RUN) as watcher:
                await watcher.until(lambda: watcher.text("a.1") == "word " * 100)

        assert looked


async def joined(line: socket.socket | None) -> Watcher:
    assert line is not None
    return Watcher(*await asyncio.open_unix_connection(sock=line))


async def welcomed(line: socket.socket | None) -> Watcher:
    watcher = await joined(line)
    await watcher.until(lambda: watcher.messages)
    return watcher


# --- whole runs ---------------------------------------------------------------------------------------------

LATE = """
import sys, time
from pathlib import Path
from autoagent.live.attending import Attendant
said = []
attendant = Attendant(Path(sys.argv[1]), lambda live: said.append(live))
attendant.start()
attendant.attend(sys.argv[2])
until = time.monotonic() + 30
while time.monotonic() < until:
    if said and any(r.tail.endswith(sys.argv[3]) for r in said[-1].replies.values()):
        print(*(f"{r.lane} {r.role} {r.number} {r.tool} {r.tail}" for r in said[-1].replies.values()))
        break
    time.sleep(0.02)
attendant.stop()
"""


class TestRuns:
    """Processes that carry a run, a model that streams, and others that watch."""

    async def test_attended_late_by_another_process(self, home: Path, tmp_path: Path) -> None:
        """It hears what the model has said so far; at the end the socket is gone."""
        cli, gate = Cli(home, tmp_path), Gate()
        said = ServedTurn(text="I compare the two kills, then", pieces=6)
        turns = [said, calls("files_write", path="a.txt", content="x"), calls("finish", result="ok")]
        async with ScriptedServer(turns, gate=gate) as server:
            cli.environment |= model_at(server)
            process = await cli.start("run", cli.workspace(GOAL), "--json")
            run = await launched(process)
            gate.let(4)
            late = await asyncio.create_subprocess_exec(
                sys.executable, "-c", LATE, str(home), run, "two k", stdout=subprocess.PIPE
            )
            out, _ = await asyncio.wait_for(late.communicate(), 60)
            gate.open()
            done = await finished(process)

        assert out.decode() == "a worker 1  I compare the two k\n"
        assert done.status == 0, done.err
        assert [*(home / "live").iterdir()] == []

    async def test_killed_and_gone_on_with(self, home: Path, tmp_path: Path) -> None:
        """`kill -9` leaves a socket; who goes on with the run replaces it, and it can be watched again."""
        cli, gate = Cli(home, tmp_path), Gate()
        say = ServedTurn(text="It is so, I think, that", pieces=4, times=2)
        turns = [say, calls("files_write", path="a.txt", content="x"), calls("finish", result="ok")]
        async with ScriptedServer(turns, gate=gate) as server:
            cli.environment |= model_at(server)
            process = await cli.start("run", cli.workspace(GOAL), "--json")
            run = await launched(process)
            async with watching(home, run) as first:
                gate.let(2)
                await first.until(lambda: first.text("a.1"))
                process.send_signal(signal.SIGKILL)
                assert await first.gone()
            await finished(process)
            assert connect(home, run) is None
            resumed = await cli.start("resume", run, "--json")
            async with watching(home, run) as second:
                gate.let(3)
                await second.until(lambda: any(second.text(f"a.{n}") for n in (1, 2)))
                gate.open()
                done = await finished(resumed)

        assert done.status == 0, done.err
        assert [*(home / "live").iterdir()] == []

    async def test_tail_at_a_terminal(self, home: Path, tmp_path: Path) -> None:
        """The last line grows, and is gone once the reply is recorded."""
        cli, gate = Cli(home, tmp_path), Gate()
        said = ServedTurn(text="I compare the two \x1b[31mkills", pieces=2)
        turns = [said, calls("files_write", path="a.txt", content="x"), calls("finish", result="ok")]
        async with ScriptedServer(turns, gate=gate) as server:
            cli.environment |= model_at(server)
            process = await cli.start("run", cli.workspace(GOAL), "--json")
            run = await launched(process)
            terminal = await Terminal.start(cli, "tail", run, "--follow")
            gate.let(2)
            await terminal.until(" │ \x1b[0m\x1b[2mI compare the two \\x1b[31mkills\x1b[0m")
            gate.open()
            status = await terminal.end()
            await finished(process)

        assert status == 0
        assert not any("▸ 1/1 model" in line for line in terminal.lines)
        assert any("files_write a.txt" in line for line in terminal.lines)

    async def test_run_at_a_terminal(self, home: Path, tmp_path: Path) -> None:
        """The run's own terminal is one that watches: its last line ends with the last words."""
        cli, gate = Cli(home, tmp_path), Gate()
        said = ServedTurn(text="I compare the two kills", pieces=2)
        turns = [said, calls("files_write", path="a.txt", content="x"), calls("finish", result="ok")]
        async with ScriptedServer(turns, gate=gate) as server:
            cli.environment |= model_at(server)
            terminal = await Terminal.start(cli, "run", cli.workspace(GOAL))
            gate.let(2)
            await terminal.until("compare the two kills")
            gate.open()
            status = await terminal.end()

        assert status == 0
        assert not any("compare" in line for line in terminal.lines)

    async def test_a_run_that_nobody_can_watch_goes_on(
        self, home: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It says so once, and ends as it would have."""

        @contextmanager
        def without_sockets(run: str, strike: Strike) -> Iterator[Onlookers]:
            with ExitStack() as stack:
                with pytest.MonkeyPatch.context() as here:
                    here.delattr(socket, "AF_UNIX")
                    onlookers = stack.enter_context(serving.served(home, run, strike))
                yield onlookers

        stage = Stage.at(tmp_path, onlookers=without_sockets)

        outcome = await stage.start(GOAL, ScriptedModel(worker=[write("a.txt", "x"), finish()]))

        assert outcome.ending == "proved"
        assert [record.name for record in caplog.records] == ["autoagent.live.serving"]


def model_at(server: ScriptedServer) -> dict[str, str]:
    return {"OPENAI_BASE_URL": server.base_url, "OPENAI_MODEL": "scripted", "OPENAI_API_KEY": "none"}


async def launched(process: asyncio.subprocess.Process) -> str:
    """The run, once its launch record is there."""
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), 60)
    return str(json.loads(line)["run"])
