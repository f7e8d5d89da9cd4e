"""Trees as values: names, storage, differences, merges, working copies, listings."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoagent.errors import StoreUnavailable, ToolError
from autoagent.paths import from_raw, raw
from autoagent.testing.objects import MemoryObjects
from autoagent.trees import (
    EMPTY,
    Conflict,
    Tree,
    TreeEntry,
    WorkingCopy,
    diff,
    listing,
    load_tree,
    make_tree,
    merge,
    restrict,
    store_tree,
)

HEADER = b"autoagent tree 1\n"
OBJECTS = MemoryObjects()

raw_names = st.binary(min_size=1, max_size=6).filter(
    lambda n: b"/" not in n and b"\0" not in n and n not in (b".", b"..")
)
names = st.one_of(st.sampled_from("abc"), raw_names.map(from_raw))
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def tree_of(files: dict[str, str], objects: MemoryObjects = OBJECTS) -> Tree:
    """A tree of text files; a path that ends in `/` is an empty folder."""
    copy = WorkingCopy(EMPTY, objects)
    for path, text in files.items():
        if path.endswith("/"):
            copy.make_folder(path[:-1])
        else:
            copy.write(path, text.encode())
    return copy.tree()


def files_of(tree: Tree) -> dict[str, str]:
    return {
        path: OBJECTS.get(entry.sha256).decode()
        for path, entry in tree.entries.items()
        if entry.kind == "file"
    }


@st.composite
def trees(draw: st.DrawFn, max_size: int = 8) -> Tree:
    """Any tree: odd names, empty folders, links, any mode."""
    copy = WorkingCopy(EMPTY, OBJECTS)
    for path in draw(st.lists(paths, max_size=max_size)):
        kind = draw(st.sampled_from(["file", "file", "link", "folder"]))
        content = draw(st.binary(max_size=3))
        sha256 = "" if kind == "folder" else OBJECTS.put(content)
        mode = draw(st.integers(0, 0o7777))
        try:
            copy.place(path, TreeEntry(kind, mode, len(content) if sha256 else 0, sha256))  # type: ignore[arg-type]
        except ToolError:
            continue  # beneath a file or a link
    return copy.tree()


@st.composite
def edits(draw: st.DrawFn, tree: Tree) -> Tree:
    """A tree some writes and deletions away."""
    copy = WorkingCopy(tree, OBJECTS)
    known = sorted(tree.entries)
    for _ in range(draw(st.integers(0, 4))):
        path = draw(st.sampled_from(known) if known and draw(st.booleans()) else paths)
        try:
            if draw(st.booleans()):
                copy.write(path, draw(st.binary(max_size=2)))
            else:
                copy.delete(path)
        except ToolError:
            continue
    return copy.tree()


# --- the value and the store --------------------------------------------------------------------------------


@given(trees())
def test_a_stored_tree_comes_back_the_same(tree: Tree) -> None:
    """Any names, kinds, modes and empty folders survive the store."""
    objects = MemoryObjects()
    loaded = load_tree(store_tree(tree, objects), objects)

    assert loaded == tree
    assert dict(loaded.entries) == dict(tree.entries)
    assert dict(loaded.folders) == dict(tree.folders)


@given(trees())
def test_the_id_depends_on_the_entries_only(tree: Tree) -> None:
    """The order in which a tree came to be says nothing."""
    entries = dict(reversed(list(tree.entries.items())))

    assert make_tree(entries) == tree
    assert Tree(entries, tree.id).folders == tree.folders


def test_a_tree_is_named_by_its_root_manifest() -> None:
    """The manifest's bytes are fixed: ids of old runs stay valid."""
    tree = tree_of({"a": "hello", "d/": ""})
    hello = hashlib.sha256(b"hello").hexdigest()
    empty = hashlib.sha256(HEADER).hexdigest()
    manifest = HEADER + f"f 644 5 {hello} a\0d 755 0 {empty} d\0".encode()

    assert tree.manifest("") == manifest
    assert tree.id == hashlib.sha256(manifest).hexdigest()


def test_names_that_are_no_text_survive() -> None:
    """Newlines, quotes, bytes that are no UTF-8 and a `.git` are names like others."""
    odd = ["a\nb", "a'b\"", from_raw(b"\xff\xfe"), ".git/HEAD", "-rf", " ", "é", "\x1b[31m"]
    tree = tree_of({name: name if name.isprintable() else "x" for name in odd})

    assert load_tree(tree.id, OBJECTS).entries == tree.entries
    assert {p for p, e in tree.entries.items() if e.kind == "file"} == set(odd)


def test_unchanged_folders_are_stored_once() -> None:
    """Storing a tree next to a known one puts only what is new."""
    objects = MemoryObjects()
    first = tree_of({f"d{n}/f": "x" for n in range(20)}, objects)
    second = WorkingCopy(first, objects)
    before = set(objects.data)
    second.write("d3/g", b"y")
    second.tree()

    assert len(set(objects.data) - before) == 3  # the content, d3, the root


def test_store_tree_skips_what_a_known_tree_holds() -> None:
    """`known` is stored already, so its folders are not put again."""
    first = tree_of({"a/f": "x", "b/f": "y"})
    second = tree_of({"a/f": "x", "b/f": "z"})
    objects = MemoryObjects()
    store_tree(second, objects, known=first)

    assert set(objects.data) == {second.id, second.folders["b"].sha256}


def test_a_1500_deep_tree_works() -> None:
    """No depth of folders ends in a recursion error."""
    deep = "/".join(["d"] * 1500)
    tree = tree_of({deep + "/f": "x"})
    copy = WorkingCopy(load_tree(tree.id, OBJECTS), OBJECTS)
    copy.move("d/d", "e")
    copy.delete("e")

    assert copy.tree() == tree_of({"d/": ""})
    assert len(diff(tree, copy.tree()).removed) == 1500


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"autoagent tree 2\n",
        HEADER + b"f 644 5 beef a\0",
        HEADER + b"f 0644 0 " + b"0" * 64 + b" a\0",
        HEADER + b"x 644 0 " + b"0" * 64 + b" a\0",
        HEADER + b"d 755 7 " + b"0" * 64 + b" a\0",
        HEADER + b"f 644 0 " + b"0" * 64 + b" ..\0",
        HEADER + b"f 644 0 " + b"0" * 64 + b" a/b\0",
        HEADER + b"f 644 0 " + b"0" * 64 + b" a",
        HEADER + (b"f 644 0 " + b"0" * 64 + b" a\0") * 2,
        HEADER + b"".join(b"f 644 0 " + b"0" * 64 + b" " + name + b"\0" for name in (b"b", b"a")),
    ],
)
def test_a_manifest_that_is_not_canonical_is_refused(damaged: bytes) -> None:
    """What we would not have written is not read, and the error names the object."""
    objects = MemoryObjects()
    sha256 = objects.put(damaged)

    with pytest.raises(StoreUnavailable, match=f"{sha256} is no manifest of a tree"):
        load_tree(sha256, objects)


def test_a_missing_manifest_is_an_error() -> None:
    """A tree whose folder isn't in the store can't be loaded."""
    objects = MemoryObjects()
    tree = tree_of({"d/f": "x"}, objects)
    del objects.data[tree.folders["d"].sha256]

    with pytest.raises(StoreUnavailable, match="not in the store"):
        load_tree(tree.id, objects)


def test_an_entry_without_its_folder_is_our_bug() -> None:
    """`make_tree` refuses a path whose folder isn't an entry."""
    entry = TreeEntry("file", 0o644, 0, OBJECTS.put(b""))

    with pytest.raises(ValueError, match="folder 'a' is missing"):
        make_tree({"a/b": entry})


# --- differences --------------------------------------------------------------------------------------------


def test_diff_names_each_path_once() -> None:
    """Added, changed and removed paths, sorted; a file in place of a folder is changed."""
    old = tree_of({"a": "1", "b": "1", "d/x": "1", "same/f": "1"})
    new = tree_of({"a": "2", "c": "1", "d": "file", "same/f": "1"})
    changes = diff(old, new)

    assert (changes.added, changes.changed, changes.removed) == (("c",), ("a", "d"), ("b", "d/x"))
    assert changes.paths == ("a", "b", "c", "d", "d/x")


def test_a_folders_own_mode_is_a_change() -> None:
    """A folder differs by its mode, never because of what it holds."""
    old = tree_of({"d/f": "1"})
    copy = WorkingCopy(old, OBJECTS)
    copy.set_mode("d", 0o700)
    copy.write("d/f", b"2")

    assert diff(old, copy.tree()).changed == ("d", "d/f")


@given(st.data())
def test_diff_tells_exactly_what_differs(data: st.DataObject) -> None:
    """Its three lists are what comparing every path gives."""
    old = data.draw(trees())
    new = data.draw(st.one_of(trees(), edits(old)))
    changes = diff(old, new)
    both = old.entries.keys() & new.entries.keys()

    assert set(changes.added) == new.entries.keys() - old.entries.keys()
    assert set(changes.removed) == old.entries.keys() - new.entries.keys()
    assert set(changes.changed) == {p for p in both if old.entries[p] != new.entries[p]}


# --- merges -------------------------------------------------------------------------------------------------


def test_changes_of_different_paths_merge() -> None:
    """Both sides' writes and deletions are in the result."""
    base = tree_of({"a": "1", "b": "1", "c": "1"})
    ours = tree_of({"a": "2", "b": "1", "c": "1", "n/x": "new"})
    theirs = tree_of({"a": "1", "b": "2", "n/y": "new"})
    merged = merge(base, ours, theirs, OBJECTS)

    assert isinstance(merged, Tree)
    assert files_of(merged) == {"a": "2", "b": "2", "n/x": "new", "n/y": "new"}
    assert load_tree(merged.id, OBJECTS) == merged


def test_both_changing_a_path_differently_is_a_conflict() -> None:
    """Nothing is merged inside a file; the paths are named."""
    base = tree_of({"a": "1", "b": "1", "c": "1"})
    ours = tree_of({"a": "2", "b": "2", "c": "1"})
    theirs = tree_of({"a": "3", "c": "2"})

    assert merge(base, ours, theirs, OBJECTS) == Conflict(("a", "b"))


def test_both_changing_a_path_alike_is_none() -> None:
    """The same result on both sides stands."""
    base, same = tree_of({"a": "1", "b": "1"}), tree_of({"a": "2"})

    assert merge(base, same, same, OBJECTS) == same


def test_a_file_in_the_place_of_a_folder_in_use_is_a_conflict() -> None:
    """One made `d` a file, the other wrote into the folder `d`."""
    base = tree_of({"d/": ""})

    assert merge(base, tree_of({"d": "file"}), tree_of({"d/x": "1"}), OBJECTS) == Conflict(("d", "d/x"))


def test_a_removed_folder_stays_where_the_other_side_put_something() -> None:
    """Only what was there at the base is removed."""
    base = tree_of({"d/e/old": "1"})
    ours, theirs = tree_of({"d/e/old": "1", "d/e/new": "2"}), tree_of({"a": "3"})

    for sides in ((ours, theirs), (theirs, ours)):
        merged = merge(base, *sides, OBJECTS)
        assert isinstance(merged, Tree)
        assert files_of(merged) == {"d/e/new": "2", "a": "3"}


@given(st.data())
@settings(max_examples=200)
def test_merging_has_no_preferred_side(data: st.DataObject) -> None:
    """Swapping the sides gives the same tree, or the same conflict."""
    base = data.draw(trees())
    ours, theirs = data.draw(edits(base)), data.draw(edits(base))

    assert merge(base, ours, theirs, OBJECTS) == merge(base, theirs, ours, OBJECTS)


@given(st.data())
def test_merging_an_unchanged_side_gives_the_other(data: st.DataObject) -> None:
    """With one side as the base was, there is nothing to conflict with."""
    base = data.draw(trees())
    side = data.draw(st.one_of(edits(base), trees()))

    assert merge(base, side, base, OBJECTS) == side
    assert merge(base, base, side, OBJECTS) == side
    assert merge(base, side, side, OBJECTS) == side


@given(st.data())
@settings(max_examples=200)
def test_a_merge_holds_both_sides_changes(data: st.DataObject) -> None:
    """Each path is as the side that changed it left it; a folder may stay for what is in it."""
    base = data.draw(trees())
    ours, theirs = data.draw(edits(base)), data.draw(edits(base))
    merged = merge(base, ours, theirs, OBJECTS)
    if isinstance(merged, Conflict):
        return

    assert make_tree(merged.entries) == merged
    for path in base.entries.keys() | ours.entries.keys() | theirs.entries.keys():
        was, our, their = (t.entries.get(path) for t in (base, ours, theirs))
        expected = our if their == was else their
        entry = merged.entries.get(path)
        stays = (
            expected is None and entry is not None and entry.kind == "folder" and any(merged.beneath(path))
        )
        assert entry == expected or stays


# --- parts --------------------------------------------------------------------------------------------------


def test_restrict_keeps_what_is_beneath_the_roots_and_the_way_there() -> None:
    """Folders above a root stay, what else they hold doesn't."""
    tree = tree_of(
        {"notes/a.md": "1", "notes/b.txt": "1", "src/x/y.py": "1", "src/z.txt": "1", "top.md": "1"}
    )

    assert files_of(restrict(tree, ["notes/", "src/**/*.py"])).keys() == {
        "notes/a.md",
        "notes/b.txt",
        "src/x/y.py",
    }
    assert files_of(restrict(tree, ["*.md"])).keys() == {"top.md"}
    assert restrict(tree, ["."]) is tree
    assert restrict(tree, []) == EMPTY


# --- working copies -----------------------------------------------------------------------------------------


def test_reads_see_earlier_writes_and_the_tree_stays() -> None:
    """A working copy changes nothing but itself."""
    tree = tree_of({"a": "old"})
    copy = WorkingCopy(tree, OBJECTS)
    copy.write("a", b"new")
    copy.write("x/y/z", b"")

    assert copy.read("a") == b"new"
    assert copy.names("x") == ("y",)
    assert list(copy.paths()) == ["a", "x", "x/y", "x/y/z"]
    assert files_of(tree) == {"a": "old"}


def test_reading_in_part() -> None:
    """Offset and size are bytes; past the end there is nothing, small file or large."""
    copy = WorkingCopy(EMPTY, OBJECTS)
    copy.write("small", b"0123456789")
    copy.write("large", b"0123456789" * 200_000)

    assert copy.read("small", 2, 3) == b"234"
    assert copy.read("small", 8, 5) == b"89"
    assert copy.read("small", 99) == b""
    assert copy.read("large", 1_999_995) == b"56789"
    assert copy.read("large", 10, 4) == b"0123"


def test_an_existing_file_keeps_its_mode() -> None:
    """Only a new file gets the usual mode; a run can't set the bits that lend rights."""
    copy = WorkingCopy(EMPTY, OBJECTS)
    copy.write("run.sh", b"1", 0o6755)
    copy.write("run.sh", b"2")
    copy.write("plain", b"1")

    assert [copy.tree().entries[p].mode for p in ("run.sh", "plain")] == [0o755, 0o644]


def test_what_is_written_stays_within_the_users_reach() -> None:
    """A mode that locks the user out would stop every later scan; a read-only file stays one when edited."""
    copy = WorkingCopy(EMPTY, OBJECTS)
    copy.write("new", b"1", mode=0)
    copy.write("old", b"1")
    copy.set_mode("old", 0)
    copy.make_folder("d")
    copy.set_mode("d", 0o055)
    copy.place("kept", TreeEntry("file", 0o444, 1, OBJECTS.put(b"1")))
    copy.write("kept", b"2")

    modes = {path: entry.mode for path, entry in copy.tree().entries.items()}
    assert modes == {"new": 0o600, "old": 0o600, "d": 0o755, "kept": 0o444}


def test_moving_a_folder_takes_everything_along() -> None:
    """What was beneath is beneath the new place, made where it was missing."""
    copy = WorkingCopy(tree_of({"a/b/c": "1", "a/d": "2", "a/e/": ""}), OBJECTS)
    copy.move("a", "n/m")

    assert copy.tree() == tree_of({"n/m/b/c": "1", "n/m/d": "2", "n/m/e/": ""})


def test_a_link_is_kept_and_never_followed() -> None:
    """Its target is bytes; reading, writing or walking through it is refused."""
    copy = WorkingCopy(tree_of({"real/f": "1"}), OBJECTS)
    copy.link("l", b"real")

    assert copy.read_link("l") == b"real"
    for action in (
        lambda: copy.read("l"),
        lambda: copy.write("l", b"x"),
        lambda: copy.write("l/f", b"x"),
        lambda: copy.names("l"),
    ):
        with pytest.raises(ToolError, match="link"):
            action()
    assert copy.stat("l/f") is None


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("reprot.md", r"'reprot.md' does not exist; did you mean 'report.md'\?"),
        ("x/report.md", r"'x/report.md' does not exist; there is 'report.md'"),
        ("logs/zzz", r"'logs/zzz' does not exist; 'logs' holds a.log, b.log|'a.log', 'b.log'"),
        ("report.md/x", r"'report.md/x' does not exist: 'report.md' is a file, not a folder"),
        ("logs", r"'logs' is a folder; name a file in it; 'logs' holds 'a.log', 'b.log'"),
    ],
)
def test_a_missing_path_is_answered_with_what_there_is(path: str, text: str) -> None:
    """The model reads what it may have meant."""
    copy = WorkingCopy(tree_of({"report.md": "1", "logs/a.log": "1", "logs/b.log": "1"}), OBJECTS)

    with pytest.raises(ToolError, match=text):
        copy.read(path)


@pytest.mark.parametrize(
    "path", ["", ".", "..", "a/../b", "/a", "a//b", "a/", "./a", "a\0b", "\ud83d", "\udcc3\udca9"]
)
def test_what_is_no_plain_path_is_refused(path: str) -> None:
    """A working copy takes paths in their one spelling only, also against a sandbox that lies."""
    copy = WorkingCopy(EMPTY, OBJECTS)

    with pytest.raises(ToolError):
        copy.write(path, b"")
    with pytest.raises(ToolError):
        copy.place(path, TreeEntry("folder", 0o755, 0, ""))
    assert copy.tree() is EMPTY


def test_what_fails_changes_nothing() -> None:
    """A refused move or write leaves the copy as it was."""
    tree = tree_of({"a/b": "1", "f": "2"})
    copy = WorkingCopy(tree, OBJECTS)
    for action in (
        lambda: copy.move("a", "a/c"),
        lambda: copy.move("a", "f"),
        lambda: copy.move("a", "f/x"),
        lambda: copy.move("nope", "x"),
        lambda: copy.write("a", b""),
        lambda: copy.write("f/x", b""),
        lambda: copy.make_folder("f"),
        lambda: copy.delete("."),
        lambda: copy.link("a", b"x"),
        lambda: copy.set_mode("nope", 0o600),
    ):
        with pytest.raises(ToolError):
            action()

    assert copy.tree() is tree


def test_replace_becomes_the_other_tree() -> None:
    """Earlier writes are gone."""
    other = tree_of({"b": "1"})
    copy = WorkingCopy(tree_of({"a": "1"}), OBJECTS)
    copy.write("c", b"")
    copy.replace(other)

    assert copy.tree() is other


@given(st.data())
@settings(max_examples=150)
def test_a_working_copy_behaves_like_a_dict_of_files(data: st.DataObject) -> None:
    """Whatever is written, moved and deleted, the tree holds the model's files and folders, and is stored."""
    start = data.draw(trees(max_size=4))
    copy = WorkingCopy(start, OBJECTS)
    model = dict(start.entries)
    for _ in range(data.draw(st.integers(0, 8))):
        path = data.draw(st.sampled_from(sorted(model)) if model and data.draw(st.booleans()) else paths)
        match data.draw(st.sampled_from(["write", "delete", "move", "folder", "tree"])):
            case "write":
                content = data.draw(st.binary(max_size=2))
                _try(
                    lambda p=path, c=content: copy.write(p, c), lambda p=path, c=content: _write(model, p, c)
                )
            case "delete":
                _try(lambda p=path: copy.delete(p), lambda p=path: _delete(model, p))
            case "move":
                to = data.draw(paths)
                _try(lambda p=path, t=to: copy.move(p, t), lambda p=path, t=to: _move(model, p, t))
            case "folder":
                _try(lambda p=path: copy.make_folder(p), lambda p=path: _folder(model, p))
            case "tree":
                copy.tree()

    assert dict(copy.tree().entries) == model
    assert load_tree(copy.tree().id, OBJECTS) == make_tree(model)
    assert sorted(copy.beneath(".")) == list(copy.paths()) == sorted(model)


class _Refused(Exception):
    pass


def _try(real, model) -> None:  # type: ignore[no-untyped-def]
    """Both do it or both refuse."""
    try:
        model()
    except _Refused:
        with pytest.raises(ToolError):
            real()
    else:
        real()


def _folder(model: dict[str, TreeEntry], path: str) -> None:
    parts = path.split("/")
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    if any(model[p].kind != "folder" for p in above if p in model):
        raise _Refused
    for p in above:
        model.setdefault(p, TreeEntry("folder", 0o755, 0, ""))


def _write(model: dict[str, TreeEntry], path: str, content: bytes) -> None:
    before = model.get(path)
    if before is not None and before.kind != "file":
        raise _Refused
    if "/" in path:
        _folder(model, path.rpartition("/")[0])
    mode = before.mode & 0o777 if before else 0o644
    model[path] = TreeEntry("file", mode, len(content), hashlib.sha256(content).hexdigest())


def _delete(model: dict[str, TreeEntry], path: str) -> None:
    if path not in model:
        raise _Refused
    for gone in [p for p in model if p == path or p.startswith(path + "/")]:
        del model[gone]


def _move(model: dict[str, TreeEntry], path: str, to: str) -> None:
    if path not in model:
        raise _Refused
    if path == to:
        return
    if to in model or to.startswith(path + "/"):
        raise _Refused
    moved = {to + p[len(path) :]: e for p, e in model.items() if p == path or p.startswith(path + "/")}
    if "/" in to:
        _folder(model, to.rpartition("/")[0])
    _delete(model, path)
    model.update(moved)


# --- listings -----------------------------------------------------------------------------------------------


def test_a_listing_shows_paths_and_sizes() -> None:
    """Files with bytes, folders with a slash, what is empty or hidden as such."""
    copy = WorkingCopy(
        tree_of({"logs/a.log": "12345", "e/": "", ".git/HEAD": "x", ".git/config": "x"}), OBJECTS
    )
    copy.link("l", b"/etc")

    assert listing(copy.tree()).splitlines() == [
        ".git/ (hidden folder, 2 names)",
        "e/ (empty folder)",
        "l (link)",
        "logs/",
        "logs/a.log (5 bytes)",
    ]
    assert listing(EMPTY) == "(empty)"


def test_a_large_folder_is_cut_and_says_so() -> None:
    """A folder with many files shows its first ones and how many are left out."""
    tree = tree_of({**{f"data/{n:04}.csv": "" for n in range(1000)}, "README.md": "x"})
    lines = listing(tree, limit=60).splitlines()

    assert len(lines) <= 60
    assert lines[:3] == ["README.md (1 byte)", "data/", "data/0000.csv (0 bytes)"]
    assert lines[-1] == "data/… and 950 more names here"


def test_a_listing_of_very_many_folders_keeps_the_nearest() -> None:
    """Where even first names are too many, the top is shown and the rest counted."""
    tree = tree_of({f"d{n}/e/f/g": "" for n in range(300)} | {"/".join("x" * 900): ""})
    lines = listing(tree, limit=20).splitlines()

    assert len(lines) <= 20
    assert lines[-1] == f"… and {len(tree.entries) - len(lines) + 1} more paths not shown"


def test_odd_names_are_spelled_out_in_a_listing() -> None:
    """Nothing in a name can forge a line or move a cursor."""
    tree = tree_of({"a\nb (9 bytes)": "", "\x1b[2J": "", from_raw(b"\xff"): ""})

    assert listing(tree).splitlines() == [
        "\\x1b[2J (0 bytes)",
        "a\\nb (9 bytes) (0 bytes)",
        "\\xff (0 bytes)",
    ]


@given(names)
def test_a_path_has_one_spelling(name: str) -> None:
    """Bytes to text and back gives the same, so no two paths mean one file."""
    assert from_raw(raw(name)) == name
