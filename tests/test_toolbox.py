"""Whatever a plugin's code does, its call ends with an observation, and the next call works."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from autoagent.door.tools import Observation, Tool, ToolContext, ToolError, tool
from autoagent.errors import StoreUnavailable
from autoagent.loop.toolbox import ToolOutcome, ToolThread, hop
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, WorkingCopy

CONTEXT = ToolContext("r", "c1", "main", "key", "read", WorkingCopy(EMPTY, MemoryObjects()))
Body = Callable[[], Awaitable[Any]]


@pytest.fixture
async def thread() -> AsyncIterator[ToolThread]:
    thread = ToolThread(grace_s=0.05)
    yield thread
    thread.close()


def doing(body: Body, *, timeout_s: float = 30, output_limit: int = 16_000) -> Tool:
    """A tool that does what `body` does."""

    @tool(effect="read", timeout_s=timeout_s, output_limit=output_limit)
    async def odd(ctx: ToolContext) -> str:
        """Do something odd."""
        result: str = await body()
        return result

    return odd


def returning(value: object) -> Body:
    async def body() -> object:
        return value

    return body


def raising(error: BaseException) -> Body:
    async def body() -> None:
        raise error

    return body


async def called(thread: ToolThread, made: Tool, **args: Any) -> ToolOutcome:
    return await thread.run(made, CONTEXT, made.check(args), {})


async def assert_next_call_works(thread: ToolThread) -> None:
    assert await called(thread, doing(returning("fine"))) == ToolOutcome(True, "fine")


class BadlyBroken(Exception):
    """An error whose own text can't be made."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class TestReturns:
    """What a tool returns."""

    async def test_text_is_the_observation(self, thread: ToolThread) -> None:
        """A text is taken as it is."""
        assert await called(thread, doing(returning("12 rows"))) == ToolOutcome(True, "12 rows")

    async def test_labels_come_with_an_observation(self, thread: ToolThread) -> None:
        """An `Observation` says where its text is from."""
        observed = Observation(text="a page", labels=("outside",))

        assert await called(thread, doing(returning(observed))) == ToolOutcome(True, "a page", ("outside",))

    @pytest.mark.parametrize(
        "value", [None, float("nan"), b"bytes", 3, ["a"], {"a": 1}, object(), Observation]
    )
    async def test_anything_but_text_is_an_error(self, thread: ToolThread, value: object) -> None:
        """No other value is taken for a text."""
        outcome = await called(thread, doing(returning(value)))

        assert not outcome.ok
        assert outcome.text == f"odd returned {type(value).__name__}, not text: the plugin is broken"
        await assert_next_call_works(thread)

    async def test_a_hundred_megabytes_are_cut(self, thread: ToolThread) -> None:
        """The middle of a long text is left out."""
        outcome = await called(thread, doing(returning("x" * 100_000_000), output_limit=1000))

        assert outcome.ok
        assert len(outcome.text) < 1100
        assert "99999000 characters left out" in outcome.text

    async def test_a_long_observation_is_cut_too(self, thread: ToolThread) -> None:
        """The limit holds for `Observation` as for text."""
        outcome = await called(thread, doing(returning(Observation(text="x" * 50_000)), output_limit=100))

        assert len(outcome.text) < 200

    async def test_a_lone_surrogate_is_kept(self, thread: ToolThread) -> None:
        """Half a character (an odd file name) passes; the journal can hold it."""
        assert (await called(thread, doing(returning("a\udcffb")))).text == "a\udcffb"


class TestRaises:
    """What a tool raises."""

    async def test_a_tool_error_speaks_for_itself(self, thread: ToolThread) -> None:
        """Its text is what the model reads."""
        outcome = await called(thread, doing(raising(ToolError("there is no row 7"))))

        assert outcome == ToolOutcome(False, "there is no row 7")

    @pytest.mark.parametrize(
        "error",
        [
            ValueError("no"),
            TimeoutError("no"),
            MemoryError("no"),
            RecursionError("no"),
            SystemExit("no"),
            KeyboardInterrupt("no"),
            GeneratorExit("no"),
            asyncio.CancelledError("no"),
            BaseExceptionGroup("no", [SystemExit(3)]),
        ],
        ids=lambda error: type(error).__name__,
    )
    async def test_any_other_error_is_named(self, thread: ToolThread, error: BaseException) -> None:
        """Even what would end a process or cancel a task ends only the call."""
        outcome = await called(thread, doing(raising(error)))

        assert not outcome.ok
        assert outcome.text.startswith(f"odd failed: {type(error).__name__}: no")
        await assert_next_call_works(thread)

    async def test_a_stop_iteration_is_an_error_like_others(self, thread: ToolThread) -> None:
        """Python makes it a `RuntimeError`."""
        assert "RuntimeError" in (await called(thread, doing(raising(StopIteration("no"))))).text

    async def test_a_huge_error_is_cut(self, thread: ToolThread) -> None:
        """The limit holds for errors too."""
        for error in (ValueError("x" * 1_000_000), ToolError("x" * 1_000_000)):
            assert len((await called(thread, doing(raising(error), output_limit=200))).text) < 300

    async def test_an_error_without_a_text_is_an_error(self, thread: ToolThread) -> None:
        """Neither an empty text nor one that can't be made leaves the model without a word."""
        assert (await called(thread, doing(raising(ToolError())))).text == "odd failed and didn't say why"
        broken = await called(thread, doing(raising(BadlyBroken())))
        assert broken.text == "odd failed: BadlyBroken: (its message can't be read)"

    async def test_an_error_for_the_operator_is_raised(self, thread: ToolThread) -> None:
        """What the model can do nothing about stops the run."""
        with pytest.raises(StoreUnavailable, match="disk full"):
            await called(thread, doing(raising(StoreUnavailable("disk full"))))
        await assert_next_call_works(thread)

    async def test_a_task_left_behind_ends_nothing(self, thread: ToolThread) -> None:
        """`sys.exit()` in a background task of a tool neither ends its thread nor a later call."""

        async def body() -> str:
            asyncio.get_running_loop().call_soon(raising_now, SystemExit(1))
            await asyncio.sleep(0.01)
            return "went on"

        def raising_now(error: BaseException) -> None:
            raise error

        assert (await called(thread, doing(body))).text == "went on"
        await assert_next_call_works(thread)


class TestHangs:
    """Tools that don't come back."""

    async def test_waiting_for_ever_is_stopped(self, thread: ToolThread) -> None:
        """A tool has its time; then it is cancelled, and told apart from one that failed."""
        ended = asyncio.Event()
        end = hop(_async(ended.set))

        async def body() -> str:
            try:
                await asyncio.sleep(3600)
            finally:
                await end()
            return "never"

        outcome = await called(thread, doing(body, timeout_s=0.05))

        assert outcome == ToolOutcome(False, "odd was stopped after 0.05 s without a result")
        await ended.wait()
        await assert_next_call_works(thread)

    @pytest.mark.parametrize("how", ["sleeping", "busy", "deaf"])
    async def test_a_tool_that_never_lets_go_is_left_behind(self, thread: ToolThread, how: str) -> None:
        """One that blocks its thread, or ignores that it is cancelled, costs its call and no more."""
        go_on = threading.Event()

        async def body() -> str:
            while not go_on.is_set():
                if how == "sleeping":
                    go_on.wait(10)
                elif how == "deaf":
                    try:
                        await asyncio.sleep(0.001)
                    except asyncio.CancelledError:
                        continue
            return "too late"

        outcome = await called(thread, doing(body, timeout_s=0.05))
        assert "was stopped after 0.05 s" in outcome.text
        await assert_next_call_works(thread)

        before = threading.active_count()
        go_on.set()
        while threading.active_count() >= before:  # noqa: ASYNC110 - the thread that was left ends now
            await asyncio.sleep(0.005)
        await assert_next_call_works(thread)

    async def test_cancelling_the_run_ends_the_tool_first(self, thread: ToolThread) -> None:
        """A cancelled call has stopped when `CancelledError` comes out."""
        began, steps = asyncio.Event(), []
        begin = hop(_async(began.set))

        async def body() -> str:
            try:
                await begin()
                await asyncio.sleep(3600)
            finally:
                steps.append("ended")
            return "never"

        task = asyncio.create_task(called(thread, doing(body)))
        await began.wait()
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task
        assert steps == ["ended"]
        await assert_next_call_works(thread)

    async def test_a_blocked_tool_does_not_block_the_run(self, thread: ToolThread) -> None:
        """While a tool blocks its thread, the run's own loop goes on."""
        began, go_on = threading.Event(), threading.Event()

        async def body() -> str:
            began.set()
            return "released" if go_on.wait(10) else "blocked for good"

        task = asyncio.create_task(called(thread, doing(body)))
        while not began.is_set():  # noqa: ASYNC110 - another thread sets it
            await asyncio.sleep(0)
        go_on.set()

        assert (await task).text == "released"


class TestArguments:
    """What a tool is given."""

    async def test_each_call_has_arguments_of_its_own(self, thread: ToolThread) -> None:
        """A tool that changes its arguments changes no record of them."""

        @tool(effect="read")
        async def grow(ctx: ToolContext, rows: list[str], more: dict[str, list[int]]) -> str:
            """Change the arguments."""
            rows.append("new")
            more["a"].append(2)
            return f"{rows} {more}"

        recorded = grow.check({"rows": ["old"], "more": {"a": [1]}})
        first = await thread.run(grow, CONTEXT, recorded, {})
        second = await thread.run(grow, CONTEXT, recorded, {})

        assert recorded == {"rows": ["old"], "more": {"a": [1]}}
        assert first == second == ToolOutcome(True, "['old', 'new'] {'a': [1, 2]}")

    async def test_printing_is_no_observation(
        self, thread: ToolThread, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """What a tool prints is not what it says."""

        async def body() -> str:
            print("to the screen")  # noqa: T201 - what is tested
            return "to the model"

        assert (await called(thread, doing(body))).text == "to the model"


async def test_hop_runs_on_the_loop_that_made_it(thread: ToolThread) -> None:
    """A part of the run that lives on its loop can be used from a tool's thread."""
    home = asyncio.get_running_loop()

    async def double(number: int) -> int:
        assert asyncio.get_running_loop() is home
        return 2 * number

    doubled = hop(double)

    async def body() -> str:
        assert asyncio.get_running_loop() is not home
        return str(await doubled(21))

    assert (await called(thread, doing(body))).text == "42"


async def test_an_error_hops_back(thread: ToolThread) -> None:
    """An error of the run's part comes up in the tool."""

    async def fails() -> None:
        raise ToolError("not there")

    assert (await called(thread, doing(hop(fails)))) == ToolOutcome(False, "not there")


async def test_a_closed_thread_starts_anew(thread: ToolThread) -> None:
    """Closing ends the thread; a later call gets another."""
    await assert_next_call_works(thread)
    thread.close()
    await assert_next_call_works(thread)


def _async(function: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    async def call() -> None:
        function()

    return call
