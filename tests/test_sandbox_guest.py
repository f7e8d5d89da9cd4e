"""The host's side of a sandbox's stream, against runners that lie. No engine is needed."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from autoagent.errors import SandboxUnavailable
from autoagent.ports import Job, StopScript
from autoagent.sandboxes.attached import Attached
from autoagent.sandboxes.guest import Guest
from autoagent.sandboxes.limits import Limits
from autoagent.sandboxes.protocol import is_inside
from autoagent.testing.contracts.sandbox_jobs import assert_unchanged, contents, raising, working_copy
from autoagent.trees import make_tree
from autoagent_sandbox import wire

LIMITS = Limits(workspace_mb=4, workspace_files=20)
BEFORE = {"a.txt": b"before"}
JOB = Job("python", "print(1)", timeout_s=5, output_limit_bytes=100)


def ended(**fields: object) -> bytes:
    """The last frame of a job that went well, apart from `fields`."""
    plain: dict[str, object] = {
        "how": "exited",
        "code": 0,
        "cut_bytes": 0,
        "out_of_memory": False,
        "out_of_processes": False,
        "refused": "",
        "removed": [],
        "lost": [],
        "clean": True,
    }
    return wire.pack_json(wire.ENDED, {**plain, **fields})


def members(*rows: Sequence[object], content: bytes = b"") -> bytes:
    """A frame of files with these rows, right or wrong."""
    head = json.dumps(rows).encode()
    return wire.pack(wire.MEMBERS, len(head).to_bytes(4, "big") + head + content)


def a_file(path: str, content: bytes = b"x", mode: int = 0o644) -> bytes:
    return members([path, "f", mode, len(content), 0, len(content)], content=content)


@dataclass
class Liar:
    """Plays the container: says whatever a test wants, in the engine's blocks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    guest: Guest

    def say(self, *frames: bytes) -> None:
        data = b"".join(frames)
        self.writer.write(struct.pack(">BxxxI", 1, len(data)) + data)

    def hang_up(self) -> None:
        self.writer.close()


@pytest_asyncio.fixture
async def liar() -> AsyncIterator[Liar]:
    ours, theirs = socket.socketpair()
    guest = Guest(await Attached.over(ours), LIMITS)
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    yield Liar(reader, writer, guest)
    guest.close()
    writer.close()
    await asyncio.sleep(0)


FORGED = {
    "an endless frame": wire.HEADER.pack(wire.MEMBERS, 0xFFFFFFFF),
    "an unknown kind": wire.pack(b"?", b"x"),
    "a path that climbs": a_file("../evil.txt"),
    "a path that climbs inside": a_file("a/../../evil.txt"),
    "an absolute path": a_file("/etc/passwd"),
    "the mount itself": a_file("/workspace/a.txt"),
    "the root": members([".", "d", 0o755, 0, 0, 0]),
    "an empty path": a_file(""),
    "an empty name": a_file("a//b"),
    "a path with NUL": a_file("a\0b"),
    "a name too long": a_file("n" * 256),
    "a path too long": a_file("/".join(["n" * 200] * 21)),
    "a path that is no bytes": a_file("\u4e2d"),
    "a device": members(["dev", "b", 0o644, 0, 0, 0]),
    "a FIFO": members(["pipe", "p", 0o644, 0, 0, 0]),
    "a negative size": members(["a", "f", 0o644, -1, 0, 0]),
    "a size that isn't sent": members(["a", "f", 0o644, 5, 0, 5], content=b"x"),
    "content without a name": members(content=b"xyz"),
    "half a file": members(["a", "f", 0o644, 10, 0, 1], content=b"x"),
    "a file from its middle": members(["a", "f", 0o644, 10, 5, 5], content=b"xxxxx"),
    "a folder with content": members(["a", "d", 0o755, 1, 0, 1], content=b"x"),
    "a link with NUL": members(["a", "l", 0o777, 2, 0, 2], content=b"a\0"),
    "a mode of text": members(["a", "f", "0644", 0, 0, 0]),
    "a row too short": members(["a", "f"]),
    "rows that are no JSON": wire.pack(wire.MEMBERS, b"\0\0\0\x02{x"),
    "rows that are no list": wire.pack(wire.MEMBERS, b"\0\0\0\x02{}"),
    "a frame shorter than it says": wire.pack(wire.MEMBERS, b"\0\0\xff\xff[]"),
    "a file in a file": a_file("f") + a_file("f/g"),
    "a removed path that climbs": wire.pack_json(wire.DELETE, ["../x"]),
    "more content than a workspace holds": a_file("a", bytes(3 << 20)) + a_file("b", bytes(3 << 20)),
    "more files than a workspace holds": b"".join(a_file(str(n)) for n in range(30)),
    "more output than was asked for": wire.pack(wire.OUTPUT, b"x" * 101),
    "more pictures than there may be": wire.pack(wire.IMAGE, b"\x89PNG\r\n\x1a\n") * 9,
    "a call that is no JSON": wire.pack(wire.CALL, b"{"),
    "a call of wrong types": wire.pack(wire.CALL, b'{"name": 1, "arguments": []}'),
    "a call nested too deeply": wire.pack(wire.CALL, b"[" * 100_000),
    "an ending that is no JSON": wire.pack(wire.ENDED, b"\x80\x04K\x01."),
    "an ending of a new kind": ended(how="won"),
    "an ending with more in it": ended(proved=True),
    "an impossible status": ended(code=-1),
    "removals that climb": ended(removed=["../x"]),
}


class TestForgedFrames:
    """What breaks the protocol ends the job, and the container is thrown away."""

    @pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED.keys())
    async def test_a_forged_frame_changes_nothing(self, liar: Liar, forged: bytes) -> None:
        """The result is `killed`, the files are as they were, the container is unfit."""
        files = working_copy(dict(BEFORE))
        liar.say(a_file("a.txt", b"evil"), forged, ended())
        result = await liar.guest.run(JOB, files, (), None)

        assert result.ended == "killed"
        assert_unchanged(result, files, BEFORE)
        assert not liar.guest.is_alive()

    async def test_a_container_that_dies_is_a_result(self, liar: Liar) -> None:
        """What was printed before is kept; the files are as they were."""
        files = working_copy(dict(BEFORE))
        liar.say(wire.pack(wire.OUTPUT, b"so far"), a_file("a.txt", b"new"))
        liar.hang_up()
        result = await liar.guest.run(JOB, files, (), None)

        assert (result.ended, result.output) == ("killed", "so far")
        assert_unchanged(result, files, BEFORE)

    async def test_garbage_instead_of_blocks_is_not_believed(self, liar: Liar) -> None:
        """Bytes that don't even keep to the engine's blocks end the job."""
        liar.writer.write(b"HTTP/1.1 500 no\r\n\r\n")
        liar.hang_up()

        assert (await liar.guest.run(JOB, working_copy(), (), None)).ended == "killed"

    async def test_a_runner_that_never_answers_is_given_up(
        self, liar: Liar, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After the job's time and a grace the container is unfit."""
        monkeypatch.setattr("autoagent.sandboxes.guest.KILL_GRACE_S", 0.05)
        result = await liar.guest.run(Job("python", "", timeout_s=0.05), working_copy(), (), None)

        assert result.ended == "timeout"
        assert not liar.guest.is_alive()

    async def test_a_runner_that_goes_on_after_a_stop_is_not_believed(self, liar: Liar) -> None:
        """Where a tool stopped the script, nothing is kept, whatever the runner says."""
        files = working_copy(dict(BEFORE))
        call = wire.pack_json(wire.CALL, {"name": "lookup", "arguments": {}})
        liar.say(call, a_file("a.txt", b"evil"), ended())
        stop = raising(StopScript("a person is asked"))
        result = await liar.guest.run(JOB, files, (), stop)

        assert result.ended == "killed"
        assert_unchanged(result, files, BEFORE)

    async def test_set_uid_bits_are_not_taken(self, liar: Liar) -> None:
        """A file never gets more than the nine plain bits."""
        files = working_copy()
        liar.say(a_file("tool", b"x", 0o6755), ended())
        await liar.guest.run(JOB, files, (), None)
        entry = files.stat("tool")

        assert entry is not None
        assert entry.mode == 0o755

    async def test_no_mode_locks_the_user_out(self, liar: Liar) -> None:
        """A file that its owner can't read would stop the next scan of the workspace."""
        files = working_copy()
        liar.say(a_file("tool", b"x", 0), members(["d", "d", 0, 0, 0, 0]), ended())
        await liar.guest.run(JOB, files, (), None)

        assert [entry and entry.mode for entry in map(files.stat, ("tool", "d"))] == [0o600, 0o700]

    async def test_a_removed_path_that_never_was_is_no_error(self, liar: Liar) -> None:
        """Lies about the guest's own files hurt nobody."""
        files = working_copy(dict(BEFORE))
        liar.say(ended(removed=["never"]))

        assert (await liar.guest.run(JOB, files, (), None)).ok
        assert contents(files) == BEFORE

    async def test_a_runner_that_can_not_take_the_files_is_no_sandbox(self, liar: Liar) -> None:
        """The operator reads what the runner said, and what to set."""
        liar.say(ended(how="unfit", refused="No space left on device", clean=False))
        with pytest.raises(SandboxUnavailable, match=r"No space left on device.*workspace_mb"):
            await liar.guest.run(JOB, working_copy(), (), None)


NAMES = st.sampled_from(["a", "b", "c", "..", ".", "", "d"])
FOLDERS = ["", "a", "a/b", "a/b/c"]


class TestLinks:
    """Links may point around inside a workspace, and nowhere else."""

    @settings(max_examples=60, deadline=None)
    @given(
        st.dictionaries(
            st.tuples(st.sampled_from(FOLDERS), st.sampled_from(["d", "e", "f"])), st.lists(NAMES)
        )
    )
    def test_accepted_links_lead_nowhere_outside(self, links: dict[tuple[str, str], list[str]]) -> None:
        """Whatever set of links is accepted: following any of them stays inside."""
        with tempfile.TemporaryDirectory() as root:
            top = Path(root).resolve() / "x" / "y" / "workspace"
            (top / "a/b/c").mkdir(parents=True)
            paths = []
            for (folder, name), parts in links.items():
                path, target = f"{folder}/{name}".lstrip("/"), "/".join(parts)
                if is_inside(path, target.encode()):
                    (top / path).symlink_to(target)
                    paths.append(path)

            for path in paths:
                with suppress(OSError, RuntimeError):  # it leads nowhere, or in a circle
                    assert (top / path).resolve(strict=True).is_relative_to(top)

    @pytest.mark.parametrize(
        ("path", "target", "inside"),
        [
            ("l", b"a.txt", True),
            ("l", b"a/b/../c", False),
            ("l", b"..", False),
            ("d/l", b"../a.txt", True),
            ("d/l", b"../../a.txt", False),
            ("l", b"/workspace/a.txt", False),
            ("l", b"", False),
        ],
    )
    def test_which_links_are_inside(self, path: str, target: bytes, inside: bool) -> None:
        """Relative, climbing only at the beginning and no higher than the root."""
        assert is_inside(path, target) is inside


async def test_a_tree_too_large_is_refused_before_anything_is_sent(liar: Liar) -> None:
    """Number of paths, size of a file, size of all: the error names each, and the setting."""
    many = working_copy({str(n): "" for n in range(21)})
    with pytest.raises(SandboxUnavailable, match="21 paths and the sandbox takes 20"):
        await liar.guest.run(JOB, many, (), None)
    large = working_copy({str(n): bytes(900_000) for n in range(5)})
    with pytest.raises(SandboxUnavailable, match="needs 4 MB and the sandbox has 4"):
        await liar.guest.run(JOB, large, (), None)


async def test_any_name_goes_over_the_wire(liar: Liar) -> None:
    """Names that are no UTF-8 come in as the tree spells them."""
    files = working_copy()
    liar.say(a_file(b"odd\xff\xe4".decode("latin-1")), ended())
    await liar.guest.run(JOB, files, (), None)

    assert contents(files) == {"odd\udcff\udce4": b"x"}
    assert make_tree(files.tree().entries).id == files.tree().id
