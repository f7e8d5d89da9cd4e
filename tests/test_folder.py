"""The user's folder: what a scan sees, what a projection does and leaves alone."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoagent.errors import StoreUnavailable, Unavailable, UsageError
from autoagent.folder import LocalFolder
from autoagent.paths import from_raw
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import EMPTY, Tree, TreeEntry, WorkingCopy, diff, load_tree

NOT_ROOT = pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "workspace"
    path.mkdir()
    return path


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def folder(workspace: Path, objects: MemoryObjects) -> LocalFolder:
    return LocalFolder(workspace, objects)


class CountingObjects(MemoryObjects):
    """Tells how often content came in, so that a test sees what a scan read."""

    def __init__(self) -> None:
        super().__init__()
        self.puts: list[bytes] = []

    def put(self, data: bytes) -> str:
        self.puts.append(data)
        return super().put(data)


def age(*paths: Path) -> None:
    """Wait until files are old enough to be trusted by the cache."""
    while time.time_ns() - max(p.lstat().st_ctime_ns for p in paths) < 12_000_000:
        time.sleep(0.002)


def changed(tree: Tree, objects: MemoryObjects, **files: str | None) -> Tree:
    """`tree` with files written, or deleted where the text is `None`; `__` in a name stands for `/`."""
    copy = WorkingCopy(tree, objects)
    for name, text in files.items():
        path = name.replace("__", "/")
        if text is None:
            copy.delete(path)
        else:
            if (before := copy.stat(path)) is not None and before.kind == "folder":
                copy.delete(path)
            copy.write(path, text.encode())
    return copy.tree()


def content(workspace: Path) -> dict[str, str | None]:
    """Every path on disk; a folder is `None`."""
    return {
        str(path.relative_to(workspace)): None if path.is_dir() else path.read_text()
        for path in sorted(workspace.rglob("*"))
    }


# --- scanning -----------------------------------------------------------------------------------------------


def test_a_scan_holds_every_path(workspace: Path, objects: MemoryObjects) -> None:
    """Files, empty folders, links, hidden ones, with modes; contents are in the store."""
    (workspace / "a.txt").write_text("hello")
    (workspace / "run.sh").write_text("x")
    (workspace / "run.sh").chmod(0o4750)
    (workspace / ".git" / "empty").mkdir(parents=True)
    (workspace / "link").symlink_to("../outside")
    os.link(workspace / "a.txt", workspace / "hard")
    tree = LocalFolder(workspace, objects).scan()

    assert sorted(tree.entries) == [".git", ".git/empty", "a.txt", "hard", "link", "run.sh"]
    assert objects.get(tree.entries["a.txt"].sha256) == b"hello"
    assert tree.entries["hard"] == tree.entries["a.txt"]
    assert tree.entries["run.sh"].mode == 0o4750
    assert (tree.entries["link"].kind, objects.get(tree.entries["link"].sha256)) == ("link", b"../outside")
    assert load_tree(tree.id, objects) == tree


def test_an_empty_folder_has_the_empty_tree(folder: LocalFolder, objects: MemoryObjects) -> None:
    """And it is stored, as any other."""
    assert folder.scan() == EMPTY
    assert objects.has(EMPTY.id)


def test_names_that_are_no_utf8_are_scanned_and_projected(
    workspace: Path, tmp_path: Path, objects: MemoryObjects
) -> None:
    """Any bytes but `/` and NUL go in and come out again."""
    for name in (b"\xff\xfe.txt", b"a\nb", "ü".encode(), b"\xc3", b" "):
        Path(os.fsdecode(os.fsencode(workspace) + b"/" + name)).write_bytes(name)
    tree = LocalFolder(workspace, objects).scan()
    copy = tmp_path / "copy"
    copy.mkdir()
    LocalFolder(copy, objects).project(EMPTY, tree)

    assert from_raw(b"\xff\xfe.txt") in tree.entries
    assert {p.name for p in copy.iterdir()} == {p.name for p in workspace.iterdir()}
    assert LocalFolder(copy, objects).scan() == tree


def test_a_link_is_not_followed(workspace: Path, tmp_path: Path, folder: LocalFolder) -> None:
    """What a link leads to is not part of the tree."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    (workspace / "out").symlink_to(tmp_path / "outside")

    assert sorted(folder.scan().entries) == ["out"]


def test_odd_kinds_are_refused_by_name(workspace: Path, folder: LocalFolder) -> None:
    """A named pipe or a socket can't be kept: the error says where and what."""
    os.mkfifo(workspace / "pipe\n")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(workspace / "sock"))

        with pytest.raises(UsageError, match=r"'pipe' \(a named pipe\), 'sock' \(a socket\): only files"):
            folder.scan()


def test_a_missing_workspace_is_a_wrong_call(tmp_path: Path, objects: MemoryObjects) -> None:
    """So is a file in its place."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="does not exist"):
        LocalFolder(tmp_path / "nope", objects).scan()
    with pytest.raises(UsageError, match="is no folder"):
        LocalFolder(tmp_path / "file", objects).scan()


def test_a_large_file_goes_through_the_stores_stream(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """Its bytes are the same; more than a piece at a time is never asked for."""
    (workspace / "big").write_bytes(b"0123456789" * 500_000)
    tree = folder.scan()

    assert objects.get(tree.entries["big"].sha256) == b"0123456789" * 500_000


def test_a_1500_deep_tree_is_scanned_and_projected(workspace: Path, objects: MemoryObjects) -> None:
    """Longer than any path the kernel takes, and no recursion."""
    deep = "/".join(["deep"] * 1500)
    copy = WorkingCopy(EMPTY, objects)
    copy.write(deep + "/f", b"x")
    tree = copy.tree()
    local = LocalFolder(workspace, objects)

    assert local.project(EMPTY, tree).foreign == ()
    assert local.scan() == tree
    assert local.project(tree, EMPTY).foreign == ()
    assert list(workspace.iterdir()) == []


def test_an_unchanged_folder_gives_the_same_tree(workspace: Path, folder: LocalFolder) -> None:
    """The very same value, and nothing is read again."""
    (workspace / "d").mkdir()
    (workspace / "d" / "a").write_text("x")
    first = folder.scan()

    assert folder.scan() is first


def test_only_what_changed_is_read(workspace: Path) -> None:
    """A trusted file is known by its status."""
    objects = CountingObjects()
    folder = LocalFolder(workspace, objects)
    for name in ("a", "b"):
        (workspace / name).write_text(name)
    age(workspace / "a", workspace / "b")
    folder.scan()
    objects.puts.clear()
    (workspace / "b").write_text("new")
    folder.scan()

    assert [put for put in objects.puts if not put.startswith(b"autoagent")] == [b"new"]


def test_removed_and_renamed_paths_are_seen(workspace: Path, folder: LocalFolder) -> None:
    """Also where the number of names stays the same."""
    (workspace / "d").mkdir()
    (workspace / "d" / "a").write_text("x")
    (workspace / "gone").mkdir()
    folder.scan()
    (workspace / "d" / "a").rename(workspace / "d" / "b")
    (workspace / "gone").rmdir()

    assert sorted(folder.scan().entries) == ["d", "d/b"]


def test_a_same_size_rewrite_within_a_moment_is_seen(workspace: Path, folder: LocalFolder) -> None:
    """Even with the old mtime put back: a file too young is read again, and nobody sets ctime."""
    path = workspace / "a"
    for n in range(30):
        path.write_text(f"{n:04}")
        os.utime(path, ns=(1_000_000_000, 1_000_000_000))
        tree = folder.scan()
        assert tree.entries["a"].sha256 == changed(EMPTY, MemoryObjects(), a=f"{n:04}").entries["a"].sha256
    age(path)
    folder.scan()
    path.write_text("9999")
    os.utime(path, ns=(1_000_000_000, 1_000_000_000))

    assert folder.scan().entries["a"].sha256 == changed(EMPTY, MemoryObjects(), a="9999").entries["a"].sha256


def test_the_cache_on_disk_serves_the_next_process(workspace: Path, tmp_path: Path) -> None:
    """A new scanner with the same cache and store reads no file."""
    objects = CountingObjects()
    (workspace / "a").write_text("content")
    (workspace / "l").symlink_to("a")
    age(workspace / "a", workspace / "l")
    first = LocalFolder(workspace, objects, tmp_path / "cache").scan()
    objects.puts.clear()

    assert LocalFolder(workspace, objects, tmp_path / "cache").scan() == first
    assert not {b"content", b"a"} & set(objects.puts)


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:60] + b"\0" + b[61:]])
def test_a_damaged_cache_is_dropped(workspace: Path, tmp_path: Path, damage: object) -> None:
    """It costs time, never truth."""
    objects = CountingObjects()
    cache = tmp_path / "cache"
    (workspace / "a").write_text("content")
    age(workspace / "a")
    tree = LocalFolder(workspace, objects, cache).scan()
    cache.write_bytes(damage(cache.read_bytes()))  # type: ignore[operator]
    objects.puts.clear()

    assert LocalFolder(workspace, objects, cache).scan() == tree
    assert b"content" in objects.puts


def test_the_cache_on_disk_is_written_again_once_that_saves_time(workspace: Path, tmp_path: Path) -> None:
    """A file or two are read again faster than it is written at each step; many are not."""
    objects = CountingObjects()
    cache = tmp_path / "cache"
    folder = LocalFolder(workspace, objects, cache)

    def add(*names: str) -> bytes:
        for name in names:
            (workspace / name).write_text(f"content of {name}")
        age(*(workspace / name for name in names))
        folder.scan()
        return cache.read_bytes()

    first, with_one, with_many = add("a"), add("b"), add(*(f"c{n}" for n in range(70)))
    objects.puts.clear()

    assert first == with_one != with_many
    assert LocalFolder(workspace, objects, cache).scan() == folder.scan()
    assert not any(data.startswith(b"content") for data in objects.puts)


def test_a_cache_of_another_store_is_dropped(workspace: Path, tmp_path: Path) -> None:
    """A store that was removed gets every content again."""
    (workspace / "a").write_text("content")
    age(workspace / "a")
    LocalFolder(workspace, MemoryObjects(), tmp_path / "cache").scan()
    fresh = MemoryObjects()
    tree = LocalFolder(workspace, fresh, tmp_path / "cache").scan()

    assert fresh.get(tree.entries["a"].sha256) == b"content"


def test_a_cache_that_cannot_be_written_stops_nothing(workspace: Path, objects: MemoryObjects) -> None:
    """The scan goes on; only the next process reads more."""
    (workspace / "a").write_text("content")
    age(workspace / "a")

    assert "a" in LocalFolder(workspace, objects, workspace / "a" / "cache").scan().entries


def test_a_file_that_never_settles_is_named(workspace: Path) -> None:
    """A file that changes in each reading ends the scan with its name."""

    class Meddling(MemoryObjects):
        def put(self, data: bytes) -> str:
            with (workspace / "busy.log").open("a") as log:
                log.write("more\n")
            return super().put(data)

    (workspace / "busy.log").write_text("start\n")

    with pytest.raises(Unavailable, match=r"'busy\.log' changes all the time"):
        LocalFolder(workspace, Meddling()).scan()


def test_a_file_that_changes_once_while_it_is_read_is_read_again(workspace: Path) -> None:
    """What is stored is a whole version, never half of two."""

    class MeddlingOnce(MemoryObjects):
        done = False

        def put(self, data: bytes) -> str:
            if not self.done:
                self.done = True
                (workspace / "a").write_text("second")
            return super().put(data)

    (workspace / "a").write_text("first")
    objects = MeddlingOnce()
    tree = LocalFolder(workspace, objects).scan()

    assert objects.get(tree.entries["a"].sha256) == b"second"


def test_a_folder_swapped_for_a_link_during_a_scan_is_not_entered(workspace: Path, tmp_path: Path) -> None:
    """Between listing and opening somebody puts a link there: nothing outside is read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")

    class Swapping(MemoryObjects):
        def put(self, data: bytes) -> str:
            if (workspace / "d").is_dir() and not (workspace / "d").is_symlink():
                (workspace / "d" / "secret").unlink()
                (workspace / "d").rmdir()
                (workspace / "d").symlink_to(outside)
            return super().put(data)

    (workspace / "d").mkdir()
    (workspace / "d" / "secret").write_text("mine")
    (workspace / "trigger").write_text("x")
    objects = Swapping()
    tree = LocalFolder(workspace, objects).scan()

    assert (tree.entries["d"].kind, "d/secret" in tree.entries) == ("link", False)
    assert b"secret" not in objects.data.values()


@NOT_ROOT
def test_what_cannot_be_read_is_named(workspace: Path, folder: LocalFolder) -> None:
    """Nothing is left out silently."""
    (workspace / "locked").write_text("x")
    (workspace / "locked").chmod(0)

    with pytest.raises(Unavailable, match=r"can't read 'locked' in the workspace: Permission denied"):
        folder.scan()


# --- projecting ---------------------------------------------------------------------------------------------


def test_a_projection_makes_the_folder_hold_the_tree(workspace: Path, objects: MemoryObjects) -> None:
    """Written, changed, removed, with folders and modes; the paths done are told."""
    (workspace / "d").mkdir()
    (workspace / "d" / "old").write_text("1")
    (workspace / "keep").write_text("1")
    local = LocalFolder(workspace, objects)
    old = local.scan()
    copy = WorkingCopy(old, objects)
    copy.delete("d")
    copy.write("keep", b"2")
    copy.write("n/m/run.sh", b"3", 0o755)
    copy.link("l", b"keep")
    copy.make_folder("empty")
    new = copy.tree()
    projection = local.project(old, new)

    assert projection.written == ("d", "d/old", "empty", "keep", "l", "n", "n/m", "n/m/run.sh")
    assert projection.foreign == ()
    assert local.scan() == new
    assert (workspace / "n/m/run.sh").stat().st_mode & 0o777 == 0o755


def test_projecting_twice_is_projecting_once(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """What holds the new content already is not touched."""
    new = changed(EMPTY, objects, a="1", d__b="2")
    folder.project(EMPTY, new)
    before = (workspace / "a").stat()

    assert folder.project(EMPTY, new).written == ()
    after = (workspace / "a").stat()  # it was read, so its time of access may differ
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )


def test_a_persons_edit_is_left_alone(workspace: Path, folder: LocalFolder, objects: MemoryObjects) -> None:
    """Edited, deleted, made or put in the way: foreign, and everything else is done."""
    for name in ("edited", "deleted", "removed", "fine", "linked"):
        (workspace / name).write_text("old")
    old = folder.scan()
    new = changed(
        old, objects, edited="new", deleted="new", removed=None, fine="new", linked="new", made="new"
    )
    (workspace / "edited").write_text("person")
    (workspace / "deleted").unlink()
    (workspace / "removed").write_text("person")
    (workspace / "made").write_text("person")
    (workspace / "linked").unlink()
    (workspace / "linked").symlink_to("fine")
    projection = folder.project(old, new)

    assert projection.foreign == ("deleted", "edited", "linked", "made", "removed")
    assert projection.written == ("fine",)
    assert content(workspace) == {
        "edited": "person", "removed": "person", "made": "person", "fine": "new", "linked": "new"
    }  # fmt: skip
    assert (workspace / "linked").is_symlink()


def test_a_same_size_edit_is_a_persons_too(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """Content is compared, not size or time."""
    (workspace / "a").write_text("old")
    age(workspace / "a")
    old = folder.scan()
    (workspace / "a").write_text("own")

    assert folder.project(old, changed(old, objects, a="new")).foreign == ("a",)
    assert (workspace / "a").read_text() == "own"


def test_a_mode_that_only_a_person_changed_stays(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """A chmod is no reason to refuse new content, and is not undone."""
    (workspace / "a").write_text("old")
    old = folder.scan()
    (workspace / "a").chmod(0o600)

    assert folder.project(old, changed(old, objects, a="new")).written == ("a",)
    assert (workspace / "a").stat().st_mode & 0o777 == 0o600
    assert (workspace / "a").read_text() == "new"


def test_a_new_mode_is_projected(workspace: Path, folder: LocalFolder, objects: MemoryObjects) -> None:
    """Of files and folders, unless a person set another one meanwhile."""
    (workspace / "d").mkdir(mode=0o755)
    for name in ("a", "b"):
        (workspace / name).write_text("x")
        (workspace / name).chmod(0o644)
    old = folder.scan()
    copy = WorkingCopy(old, objects)
    for path, mode in (("a", 0o755), ("b", 0o755), ("d", 0o711)):
        copy.set_mode(path, mode)
    (workspace / "b").chmod(0o600)
    projection = folder.project(old, copy.tree())

    assert (projection.written, projection.foreign) == (("a", "d"), ("b",))
    assert [(workspace / n).stat().st_mode & 0o777 for n in "abd"] == [0o755, 0o600, 0o711]


def test_a_folder_is_removed_only_when_empty(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """A person's file in it keeps it; the next scan shows both."""
    (workspace / "d").mkdir()
    (workspace / "d" / "ours").write_text("1")
    old = folder.scan()
    (workspace / "d" / "theirs").write_text("2")
    projection = folder.project(old, EMPTY)

    assert (projection.written, projection.foreign) == (("d/ours",), ())
    assert sorted(folder.scan().entries) == ["d", "d/theirs"]


def test_kinds_change_both_ways(workspace: Path, folder: LocalFolder, objects: MemoryObjects) -> None:
    """File to folder, folder to file, file to link and back."""
    one = WorkingCopy(EMPTY, objects)
    one.write("a", b"file")
    one.write("b/x/y", b"deep")
    one.write("c", b"file")
    other = WorkingCopy(EMPTY, objects)
    other.write("a/x", b"in a")
    other.write("b", b"file")
    other.link("c", b"nowhere")
    folder.project(EMPTY, one.tree())
    for old, new in ((one.tree(), other.tree()), (other.tree(), one.tree())):
        assert folder.project(old, new).foreign == ()
        assert folder.scan() == new


def test_a_folder_with_a_persons_file_does_not_become_a_file(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """There is no place for the new file: the path is foreign."""
    (workspace / "d").mkdir()
    old = folder.scan()
    (workspace / "d" / "theirs").write_text("2")
    projection = folder.project(old, changed(old, objects, d="file"))

    assert projection.foreign == ("d",)
    assert content(workspace) == {"d": None, "d/theirs": "2"}


def test_nothing_is_written_through_a_link(workspace: Path, tmp_path: Path, objects: MemoryObjects) -> None:
    """A folder swapped for a link to outside: its paths are foreign, outside stays as it was."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_text("old")
    (workspace / "d").mkdir()
    (workspace / "d" / "a").write_text("old")
    local = LocalFolder(workspace, objects)
    old = local.scan()
    new = changed(old, objects, d__a="new", d__b="new")
    (workspace / "d").rename(tmp_path / "elsewhere")
    (workspace / "d").symlink_to(outside)
    projection = local.project(old, new)

    assert projection == type(projection)((), ("d/a", "d/b"))
    assert content(outside) == {"a": "old"}


def test_a_hard_link_outside_keeps_its_content(
    workspace: Path, tmp_path: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """Files are replaced, never written into."""
    (tmp_path / "outside").write_text("old")
    os.link(tmp_path / "outside", workspace / "a")
    old = folder.scan()
    copy = WorkingCopy(old, objects)
    copy.set_mode("a", 0o777)
    folder.project(old, copy.tree())
    folder.project(copy.tree(), changed(copy.tree(), objects, a="new"))

    assert (tmp_path / "outside").read_text() == "old"
    assert (tmp_path / "outside").stat().st_mode & 0o777 != 0o777
    assert (workspace / "a").read_text() == "new"


def test_a_person_who_is_faster_wins(workspace: Path, objects: MemoryObjects) -> None:
    """What is saved between our look and our rename is not overwritten."""

    class Racing(MemoryObjects):
        def open(self, sha256: str):  # type: ignore[no-untyped-def]
            for name in ("a", "new"):
                (workspace / name).write_text("person")
            return objects.open(sha256)

    (workspace / "a").write_text("old")
    old = LocalFolder(workspace, objects).scan()
    new = changed(old, objects, a="agent", new="agent")
    projection = LocalFolder(workspace, Racing()).project(old, new)

    assert projection.foreign == ("a", "new")
    assert content(workspace) == {"a": "person", "new": "person"}


class Killed(BaseException):
    """Ends a projection as a kill would: nothing is tidied up but by `finally`."""


def test_a_killed_projection_goes_on(workspace: Path, objects: MemoryObjects) -> None:
    """Killed after any number of files, the next call ends where one call would have ended."""

    class Dying(MemoryObjects):
        left = 0

        def open(self, sha256: str):  # type: ignore[no-untyped-def]
            if self.left == 0:
                raise Killed
            self.left -= 1
            return objects.open(sha256)

    old = changed(EMPTY, objects, a="1", b__c="1", d="1", e__f="1")
    new = changed(old, objects, a="2", b="file", d=None, g__h="2", i="2")
    new = changed(new, objects, e=None)
    dying = Dying()
    for n in range(5):
        LocalFolder(workspace, objects).project(LocalFolder(workspace, objects).scan(), old)
        dying.left = n
        with contextlib.suppress(Killed):
            LocalFolder(workspace, dying).project(old, new)
        projection = LocalFolder(workspace, objects).project(old, new)

        assert projection.foreign == ()
        assert LocalFolder(workspace, objects).scan() == new


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_half_a_projection_is_never_foreign(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """From any half-way state, where each path holds old or new, the rest is done."""
    objects = MemoryObjects()
    workspace = tmp_path_factory.mktemp("w")
    folder = LocalFolder(workspace, objects)
    texts = st.dictionaries(
        st.lists(st.sampled_from("ab"), min_size=1, max_size=3).map("/".join),
        st.sampled_from(["1", "2"]),
        max_size=5,
    )
    old, half, new = (_tree(data.draw(texts), objects) for _ in range(3))
    half = _between(old, new, data.draw(st.integers(0, 8)), objects)
    folder.project(EMPTY, half)

    assert folder.project(old, new).foreign == ()
    assert folder.scan() == new


def _tree(files: dict[str, str], objects: MemoryObjects) -> Tree:
    copy = WorkingCopy(EMPTY, objects)
    for path, text in files.items():
        above = ["/".join(path.split("/")[:n]) for n in range(1, path.count("/") + 1)]
        if all((e := copy.stat(p)) is None or e.kind == "folder" for p in above) and copy.stat(path) is None:
            copy.write(path, text.encode())
    return copy.tree()


def _between(old: Tree, new: Tree, steps: int, objects: MemoryObjects) -> Tree:
    """What a projection killed after so many paths leaves: removals first, then the rest, in order."""
    copy = WorkingCopy(old, objects)
    paths = diff(old, new).paths
    for path in [*reversed(paths), *paths][:steps]:
        entry, before = new.entries.get(path), old.entries.get(path)
        gives_way = entry is not None and before is not None and entry.kind != before.kind
        if copy.stat(path) == before and before is not None and (entry is None or gives_way):
            copy.delete(path)
    for path in paths[: max(0, steps - len(paths))]:
        if (entry := new.entries.get(path)) is not None:
            copy.place(path, entry)
    return copy.tree()


class SpyingObjects(MemoryObjects):
    """Sees the names of temporary files while they stand in the folder."""

    def __init__(self, workspace: Path) -> None:
        super().__init__()
        self._workspace = workspace
        self.seen: list[str] = []

    def open(self, sha256: str):  # type: ignore[no-untyped-def]
        self.seen += [path.name for path in self._workspace.rglob(".autoagent-tmp-*")]
        return super().open(sha256)


def test_what_a_killed_projection_left_behind_goes(workspace: Path, tmp_path: Path) -> None:
    """Its temporary files are in no tree, and the next process's projection removes them."""
    objects = SpyingObjects(workspace)
    LocalFolder(workspace, objects, tmp_path / "cache").project(
        EMPTY, changed(EMPTY, objects, a="1", d__b="2")
    )
    for folder, name in zip((workspace, workspace / "d"), objects.seen, strict=True):
        (folder / name).write_text("half")
    after = LocalFolder(workspace, objects, tmp_path / "cache")
    tree = after.scan()

    assert sorted(tree.entries) == ["a", "d", "d/b"]
    after.project(tree, changed(tree, objects, a="2"))
    assert sorted(content(workspace)) == ["a", "d", "d/b"]


def test_a_name_like_a_temporary_one_hides_nothing(workspace: Path, tmp_path: Path) -> None:
    """Only names that our key has signed are ours, and folders never are: all else is seen and stays."""
    objects = SpyingObjects(workspace)
    folder = LocalFolder(workspace, objects, tmp_path / "cache")
    folder.project(EMPTY, changed(EMPTY, objects, a="1"))
    (ours,) = objects.seen
    forged = (".autoagent-tmp-0123456789abcdef", ours[:-1] + ("1" if ours[-1] == "0" else "0"))
    for name in forged:
        (workspace / name).write_text("a person's only copy")
    (workspace / ours).mkdir()
    (workspace / ours / "x").write_text("in a folder")
    tree = folder.scan()

    assert set(tree.entries) == {"a", *forged, ours, f"{ours}/x"}
    assert folder.project(tree, changed(tree, objects, a="2")).foreign == ()
    assert set(content(workspace)) == {"a", *forged, ours, f"{ours}/x"}


def test_a_workspace_that_is_replaced_is_not_touched(workspace: Path, tmp_path: Path) -> None:
    """Neither through a link in its place nor as another folder of its name."""
    objects = MemoryObjects()
    folder = LocalFolder(workspace, objects)
    old = folder.scan()
    new = changed(old, objects, a="1")
    workspace.rename(tmp_path / "first")
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "key").write_text("secret")
    workspace.symlink_to("private")
    with pytest.raises(UsageError, match="is no folder"):
        folder.project(old, new)
    workspace.unlink()
    (tmp_path / "private").rename(workspace)
    with pytest.raises(Unavailable, match="was replaced by another folder"):
        folder.scan()
    with pytest.raises(Unavailable, match="nothing was done"):
        folder.project(old, new)

    assert content(workspace) == {"key": "secret"}


def test_a_read_only_folder_is_filled_before_it_is_closed(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """A tree may hold folders that nobody may write to."""
    copy = WorkingCopy(changed(EMPTY, objects, d__e__f="x"), objects)
    copy.place("d/e", TreeEntry("folder", 0o555, 0, ""))
    copy.place("d", TreeEntry("folder", 0o555, 0, ""))

    assert folder.project(EMPTY, copy.tree()).foreign == ()
    assert folder.scan() == copy.tree()
    (workspace / "d").chmod(0o755)
    (workspace / "d" / "e").chmod(0o755)


def test_many_files_are_projected_in_bulk(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """Made durable together; a person's file among them is left alone all the same."""
    files = {f"d{n % 7}__f{n}": str(n) for n in range(700)}
    (workspace / "d3").mkdir()
    (workspace / "d3" / "f3").write_text("person")
    new = changed(EMPTY, objects, **files)
    projection = folder.project(EMPTY, new)

    assert projection.foreign == ("d3/f3",)
    assert len(projection.written) == 699 + 6
    assert diff(new, folder.scan()).paths == ("d3/f3",)
    assert folder.project(folder.scan(), EMPTY).foreign == ()
    assert content(workspace) == {}


def test_a_bulk_projection_that_fails_leaves_nothing_behind(workspace: Path, objects: MemoryObjects) -> None:
    """What had no name yet is removed; the next call does it all."""

    class Dying(MemoryObjects):
        left = 80

        def open(self, sha256: str):  # type: ignore[no-untyped-def]
            self.left -= 1
            if self.left == 0:
                raise StoreUnavailable("gone")
            return objects.open(sha256)

    new = changed(EMPTY, objects, **{f"f{n}": str(n) for n in range(100)})
    with pytest.raises(StoreUnavailable, match="gone"):
        LocalFolder(workspace, Dying()).project(EMPTY, new)

    assert list(workspace.glob(".*")) == []
    assert LocalFolder(workspace, objects).project(EMPTY, new).foreign == ()
    assert LocalFolder(workspace, objects).scan() == new


def test_a_damaged_object_never_reaches_the_folder(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """Bytes that don't match their name are an error, and the file stays as it was."""
    (workspace / "a").write_text("old")
    old = folder.scan()
    new = changed(old, objects, a="new")

    class Damaged(MemoryObjects):
        def open(self, sha256: str):  # type: ignore[no-untyped-def]
            return objects.open(old.entries["a"].sha256)

    with pytest.raises(StoreUnavailable, match="is damaged"):
        LocalFolder(workspace, Damaged()).project(old, new)
    assert content(workspace) == {"a": "old"}


@NOT_ROOT
def test_a_disk_that_refuses_is_an_error_with_advice(
    workspace: Path, folder: LocalFolder, objects: MemoryObjects
) -> None:
    """The operator reads which path, why, and that nothing is lost."""
    old = folder.scan()
    workspace.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(
            Unavailable, match=r"can't write 'a' in the workspace: Permission denied; make it"
        ):
            folder.project(old, changed(old, objects, a="1"))
    finally:
        workspace.chmod(0o755)
