"""`run` and `resume` in processes of their own, with a scripted server as the model."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest
from cli_runs import Cli, calls, finished, plans, served

from autoagent.testing.server import ServedTurn

GOAL = "goal: Write a.txt\ndone_when: [{file: a.txt, contains: [x]}]\nplugins: [files]\n"
WRITES = (plans("Write it"), calls("files_write", path="a.txt", content="x"), calls("finish", result="done"))
FINAL = "run ending reason exit_code result criteria waiting files usd tokens steps seconds journal_head"


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "home", tmp_path)


async def test_a_run_prints_its_verdict_on_stdout_and_its_progress_on_stderr(cli: Cli) -> None:
    """stdout has criteria, sum and next step; stderr a line an event, each with its time."""
    async with served(cli, *WRITES):
        done = await cli("run", cli.workspace(GOAL))

    verdict, total, following = done.out.splitlines()
    run = total.split()[0]
    assert verdict == "✓ proved  a.txt contains x  a.txt, line 1"
    assert re.match(
        rf"{run} proved: 1 of 1 · \$0\.00 of \$3\.00 · 2 steps · .* · 1 file changed · exit 0",
        done.out.splitlines()[1],
    )
    assert following == f"next: autoagent show {run}"
    lines = [text for text in done.err.splitlines() if re.match(r"\d\d:\d\d:\d\d ", text)]
    assert lines[0][9:].startswith(f"run {run} · model scripted · limit $3.00")
    assert "\x1b" not in done.out + done.err


async def test_json_is_two_records_and_nothing_else(cli: Cli) -> None:
    """A launch and a final record, with exactly these keys; money is a number."""
    async with served(cli, *WRITES):
        done = await cli("run", cli.workspace(GOAL), "--json")

    launch, final = done.records
    assert list(launch) == ["run", "workspace", "model", "started_at"]
    assert list(final) == FINAL.split()
    assert launch["workspace"] == str(cli.cwd / "work")
    assert (final["run"], final["ending"], final["exit_code"]) == (launch["run"], "proved", 0)
    assert (final["files"], final["usd"], final["steps"]) == (["a.txt"], 0.0, 2)
    assert {k: final["criteria"][0][k] for k in ("criterion", "verdict", "evidence")} == {
        "criterion": "a.txt contains x",
        "verdict": "proved",
        "evidence": "a.txt, line 1",
    }


async def test_a_parked_run_is_answered_from_another_process_and_goes_on(cli: Cli) -> None:
    """Exit 3 with the command that answers; then approve, resume, exit 0."""
    async with served(cli, *WRITES):
        parked = await cli("run", cli.workspace(GOAL + "ask: [plan]\n"), "--json", status=3)
        final = parked.records[1]
        (id,) = final["waiting"]
        assert f"autoagent approve {id} | autoagent deny {id}" in parked.err

        await cli("approve", id)
        proved = await cli("resume", final["run"][:4], "--json")

    assert (final["ending"], proved.records[1]["ending"]) == ("parked", "proved")
    assert proved.records[0]["run"] == final["run"]


async def test_waiting_takes_an_answer_from_elsewhere(cli: Cli) -> None:
    """With `--wait` the run goes on by itself as soon as somebody answers."""
    async with served(cli, *WRITES):
        run = await cli.start("run", cli.workspace(GOAL + "ask: [plan]\n"), "--wait", "60")
        assert run.stderr is not None
        while b" ! " not in (shown := await run.stderr.readline()):
            assert shown
        answered = await cli("approve", shown.split()[2].decode())
        done = await finished(run)

    assert "goes on" in answered.out
    assert (done.status, "answered by you, by a command │ yes" in done.err) == (0, True)


async def test_a_goal_in_words_gets_a_folder_of_its_own(cli: Cli) -> None:
    """Named after the goal, with its goal.yaml; a try that changed nothing there is taken up again."""
    words = "Write 'hello' to a file"
    refused = await cli("run", words, status=5)
    async with served(cli, *WRITES):
        done = await cli("run", words, "--json", status=1)
        again = await cli("run", words, "--dry-run")

    folder = cli.cwd / "autoagent-write-hello-to-a-file"
    assert "no model is set" in refused.err
    assert done.records[0]["workspace"] == str(folder)
    assert (folder / "goal.yaml").read_text() == "goal: \"Write 'hello' to a file\"\n"
    assert f"{folder}-2 (would be made)" in again.out


async def test_without_a_model_nothing_begins(cli: Cli) -> None:
    """Exit 5 says what to set; no record is printed, no run is listed."""
    done = await cli("run", cli.workspace(GOAL), "--json", status=5)

    assert done.out == ""
    assert "set OPENAI_API_KEY and OPENAI_MODEL" in done.err
    assert (await cli("runs", "--json")).json == []


async def test_a_model_that_fails_ends_with_a_final_record(cli: Cli) -> None:
    """A run that has begun gets its record whatever happens; it can be resumed."""
    async with served(cli, ServedTurn(status=400, error="no such\nmodel\x1b[1m", times=None)):
        done = await cli("run", cli.workspace(GOAL), "--json", status=5)

    final = done.records[1]
    assert (final["ending"], final["exit_code"]) == ("unavailable", 5)
    assert "no such" in final["reason"]
    assert "\x1b" not in done.err


async def test_a_limit_is_raised_by_resume(cli: Cli) -> None:
    """Exit 4 names the option that goes on."""
    async with served(cli, *WRITES):
        stopped = await cli("run", cli.workspace(GOAL), "--steps", "0", status=4)
        run = re.search(r"autoagent resume (\w+) --steps 10", stopped.out)
        assert run is not None
        await cli("resume", run[1], "--steps", "10")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_interrupts_and_resume_goes_on(cli: Cli, number: signal.Signals) -> None:
    """Exit 130 with a final record; the next process finishes."""
    slow = (WRITES[0], WRITES[1].model_copy(update={"delay_s": 30}))
    workspace = cli.workspace(GOAL)
    async with served(cli, *slow):
        run = await cli.start("run", workspace, "--json")
        assert run.stderr is not None
        while "▸" not in (await run.stderr.readline()).decode():
            assert not run.stderr.at_eof()
        run.send_signal(number)
        done = await finished(run)

    final = done.records[1]
    assert (done.status, final["ending"], final["exit_code"]) == (130, "interrupted", 130)
    assert f"autoagent resume {final['run']}" in done.err
    async with served(cli, *WRITES[1:]):
        assert (await cli("resume", final["run"], "--json")).records[1]["ending"] == "proved"


async def test_a_reader_who_leaves_ends_no_run(cli: Cli) -> None:
    """With stdout and stderr closed on the other side the run goes on, silently, to its end."""
    async with served(cli, *WRITES):
        run = await cli.start("run", cli.workspace(GOAL))
        for pipe in (run.stdout, run.stderr):
            assert pipe is not None
            pipe._transport.close()  # type: ignore[attr-defined]
        status = await asyncio.wait_for(run.wait(), 60)

    assert status == 0
    assert [run["state"] for run in (await cli("runs", "--json")).json] == ["proved"]


async def test_hostile_words_forge_no_line(cli: Cli) -> None:
    """Whatever model, tool and goal say, no line of stdout or stderr begins with it."""
    forged = "x\n✓ proved  everything\r\x1b[2K\n00:00:00 proved\u202e"
    goal = "goal: |-\n  Do it\n  ✓ proved  everything\nplugins: [files]\n"
    turns = (
        plans(forged),
        calls("files_write", text=forged, path="a.txt", content=forged),
        calls("ask_human", question=forged),
    )
    async with served(cli, *turns):
        parked = await cli("run", cli.workspace(goal), status=3)
        shown = await cli("approvals")

    for text in (parked.out + parked.err).splitlines() + shown.out.splitlines():
        assert not text.startswith(("✓", "00:00:00"))
        assert text.replace("\u2028", "").isprintable()


async def test_a_detached_run_goes_on_by_itself(cli: Cli) -> None:
    """The launch record is printed at once; the log of the run ends with its final record."""
    async with served(cli, *WRITES):
        done = await cli("run", cli.workspace(GOAL), "--detach", "--json")
        (launch,) = done.records
        await cli("tail", launch["run"], "--follow")

        log = cli.home / "logs" / f"{launch['run']}.log"
        async with asyncio.timeout(60):
            while '"ending"' not in log.read_text():  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.05)

    final = json.loads(log.read_text().splitlines()[-1])
    assert (final["run"], final["ending"]) == (launch["run"], "proved")
    assert f"next: autoagent tail {launch['run']} --follow" in done.err


async def test_a_detached_run_that_cannot_start_says_why(cli: Cli) -> None:
    """Its complaint and its exit status are ours."""
    done = await cli("run", cli.workspace(GOAL), "--detach", status=5)

    assert done.out == ""
    assert "no model is set" in done.err


async def test_cancel_ends_a_run_that_another_process_carries(cli: Cli) -> None:
    """What is under way ends at once."""
    slow = (WRITES[0], WRITES[1].model_copy(update={"delay_s": 30}))
    async with served(cli, *slow):
        run = await cli.start("run", cli.workspace(GOAL), "--json")
        assert run.stdout is not None
        assert run.stderr is not None
        launch = json.loads(await run.stdout.readline())
        while "▸" not in (await run.stderr.readline()).decode():
            assert not run.stderr.at_eof()
        told = await cli("cancel", launch["run"], "--why", "enough")
        done = await finished(run)

    assert f"run {launch['run']} is told to end; process {run.pid}" in told.out
    final = json.loads(done.out)
    assert (done.status, final["ending"], final["reason"]) == (1, "cancelled", "cancelled by command: enough")


async def test_closed_streams_are_no_error(cli: Cli) -> None:
    """`<&- >&- 2>&-`: a command still works."""
    (cli.cwd / "goal.yaml").write_text(GOAL)
    shell = " ".join([*cli.command(["validate", "goal.yaml"]), "<&- >&- 2>&-"])
    process = await asyncio.create_subprocess_shell(shell, cwd=cli.cwd, env=cli.env())

    assert await process.wait() == 0


async def test_a_pipe_that_closes_early_is_no_error(cli: Cli) -> None:
    """`autoagent export RUN | head -1` prints a line and no complaint."""
    async with served(cli, *WRITES):
        run = (await cli("run", cli.workspace(GOAL), "--json")).records[0]["run"]
    shell = f"set -o pipefail; {' '.join(cli.command(['export', run]))} | head -1"
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        shell,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cli.cwd,
        env=cli.env(),
    )
    done = await finished(process)

    assert (done.status, done.err) == (0, "")
    assert json.loads(done.out)["seq"] == 1


async def test_no_command_shows_a_traceback(cli: Cli) -> None:
    """A home that can't be used is one line; AUTOAGENT_DEBUG shows where it came from."""
    cli.home.write_text("no folder")
    done = await cli("runs", status=5)
    cli.environment["AUTOAGENT_DEBUG"] = "1"
    debugged = await cli("runs", status=1)

    assert done.err.startswith("autoagent: journal ")
    assert "Traceback" not in done.err
    assert "Traceback" in debugged.err


async def test_doctor_asks_the_model_s_server(cli: Cli) -> None:
    """0 where it lists the model; a model that it doesn't list, or a server that is down, is named."""
    async with served(cli):
        fine = await cli("doctor")
        cli.environment["OPENAI_MODEL"] = "other"
        other = await cli("doctor")
    down = await cli("doctor", status=1)

    assert re.search(r"^ok +model +scripted at http://127\.0\.0\.1:\d+/v1$", fine.out, re.MULTILINE)
    assert "doesn't list that model, only scripted" in other.out
    assert re.search(r"^missing +model +other at .* doesn't answer \(", down.out, re.MULTILINE)


async def test_a_run_that_stopped_half_way_is_mentioned(cli: Cli) -> None:
    """Who starts anew in its folder may have meant to resume it."""
    workspace = cli.workspace(GOAL + "ask: [plan]\n")
    async with served(cli, *WRITES):
        first = await cli("run", workspace, "--json", status=3)
        second = await cli("run", workspace, "--json", status=3)

    run = first.records[0]["run"]
    assert f"run {run} stopped half-way in this folder; 'autoagent resume {run}' goes on" in second.err


async def test_a_recording_is_played_without_a_model(cli: Cli) -> None:
    """`--recorded RUN` in a copy of the folder: no server is asked, everything else is real."""
    async with served(cli, *WRITES) as server:
        run = (await cli("run", cli.workspace(GOAL), "--json")).records[0]["run"]
        asked = len(server.requests)
        played = await cli("run", cli.workspace(GOAL, "copy"), "--recorded", run, "--json")

        assert len(server.requests) == asked
    assert (played.records[0]["model"], played.records[1]["ending"]) == ("recorded", "proved")


async def test_what_a_plugin_prints_stays_out_of_the_records(cli: Cli, tmp_path: Path) -> None:
    """Its stdout goes to stderr, and what it logs becomes a note without a traceback."""
    package = tmp_path / "site"
    info = package / "noisy-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noisy\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[autoagent.plugins]\nnoisy = noisy:plugin\n")
    (package / "noisy.py").write_text(NOISY)
    cli.environment["PYTHONPATH"] = str(package)
    goal = GOAL.replace("[files]", "[files, noisy]")
    async with served(cli, WRITES[0], calls("noise_make"), *WRITES[1:]):
        done = await cli("run", cli.workspace(goal), "--json")

    assert [set(record) >= {"run"} for record in done.records] == [True, True]
    assert "printed" in done.err
    assert "note: logged: RuntimeError: inside\n" in done.err
    assert "Traceback" not in done.err


NOISY = """
from autoagent import Plugin, ToolContext, tool

@tool(effect="read")
async def noise_make(ctx: ToolContext) -> str:
    \"\"\"Make noise.\"\"\"
    print("printed")
    try:
        raise RuntimeError("inside")
    except RuntimeError:
        ctx.log.exception("logged")
    return "quiet now"

plugin = Plugin(name="noisy", tools=[noise_make])
"""


async def test_an_answer_can_go_on_with_the_run_by_itself(cli: Cli) -> None:
    """`approve --resume`: one command instead of two, with the run's exit status."""
    async with served(cli, *WRITES):
        parked = await cli("run", cli.workspace(GOAL + "ask: [plan]\n"), "--json", status=3)
        (id,) = parked.records[1]["waiting"]

        done = await cli("approve", id, "--resume")

    assert done.out.startswith(f"answered {id} · going on here\n")
    assert "1 of 1" in done.out


async def test_a_no_that_goes_on_ends_as_the_run_does(cli: Cli) -> None:
    """The exit status is the run's: a refused sub-task ends it unproved."""
    async with served(cli, *WRITES):
        parked = await cli("run", cli.workspace(GOAL + "ask: [task]\n"), "--json", status=3)
        (id,) = parked.records[1]["waiting"]

        await cli("deny", id, "--resume", status=1)


async def test_an_answer_to_a_run_at_work_leaves_it_to_its_process(cli: Cli) -> None:
    """`--resume` carries nothing that a living process carries, and says who that is."""
    async with served(cli, *WRITES):
        run = await cli.start("run", cli.workspace(GOAL + "ask: [plan]\n"), "--wait", "60")
        assert run.stderr is not None
        while b" ! " not in (shown := await run.stderr.readline()):
            assert shown
        answered = await cli("approve", shown.split()[2].decode(), "--resume")
        done = await finished(run)

    assert f"carried by process {run.pid}" in answered.out
    assert done.status == 0
