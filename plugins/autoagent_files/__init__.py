"""Files of the workspace: list, read, search, write, edit, move, delete.

The tools see a working copy of the lane's files, never a disk. What they return is plain text that can be
copied back: no line numbers in a file's content, paths relative to the workspace.
"""

from __future__ import annotations

from autoagent.door.tools import FilesView, Plugin, ToolContext, ToolError, WorkspacePath, tool
from autoagent.paths import spelled, workspace_path
from autoagent.trees import listing
from autoagent_files import edit, search, text

_LISTED = 300
"""Lines of a listing."""
_EDITED_BYTES = 32_000_000
"""A larger file isn't taken into memory to be edited."""


@tool(effect="read")
async def files_list(ctx: ToolContext, path: WorkspacePath = ".") -> str:
    """List a folder with everything beneath it: paths with sizes in bytes.

    Args:
        path: A folder; `.` is the whole workspace.
    """
    tree = ctx.files.tree()
    path = _there(ctx.files, path)
    folder = "" if path == "." else path
    if folder and folder not in tree.folders:
        kind = tree.entries[folder].kind
        return f"{spelled(path)} is a {kind}, not a folder" + (
            "; files_read reads it" if kind == "file" else ""
        )
    return listing(tree, _LISTED, folder)


@tool(effect="read")
async def files_read(
    ctx: ToolContext, path: WorkspacePath, offset: int = 1, limit: int = text.PAGE_LINES
) -> str:
    """Read a text file, as it is. A long file comes in pages; the last line says how to go on.

    Args:
        path: The file.
        offset: The first line to read, counted from 1. -20 means the last 20 lines.
        limit: How many lines at most.
    """
    path = _there(ctx.files, path)
    return text.page(ctx.files, path, offset, limit)


@tool(effect="read", timeout_s=search.TIMEOUT_S + 30)
async def files_search(ctx: ToolContext, pattern: str, path: WorkspacePath = ".") -> str:
    """Find the lines of files that match. Answers with `path:line number: line`.

    Args:
        pattern: A text, or a Python regular expression.
        path: A file, or a folder to search with everything in it.
    """
    return await search.found(ctx.files, pattern, _there(ctx.files, path))


@tool(effect="write")
async def files_write(ctx: ToolContext, path: WorkspacePath, content: str) -> str:
    """Write a whole file: make it, or replace all that it held. Folders on the way are made.

    Args:
        path: The file.
        content: All of its text.
    """
    path = workspace_path(path)
    data = text.encoded(content, "content")
    before = ctx.staging.stat(path)
    ctx.staging.write(path, data)
    did = "Wrote" if before is None else "Replaced"
    lines = text.counted(len(content.splitlines()), "line")
    return f"{did} {spelled(path)}: {lines}, {text.counted(len(data), 'byte')}"


@tool(effect="write")
async def files_edit(ctx: ToolContext, path: WorkspacePath, old: str, new: str) -> str:
    """Replace one piece of a file by another. The piece must stand in the file exactly once.

    Args:
        path: The file.
        old: The text to replace, letter by letter as in the file, with enough around it to be unique.
        new: What stands there afterwards; empty removes it.
    """
    path = _there(ctx.files, path)
    entry = ctx.staging.stat(path)
    if entry is not None and entry.size > _EDITED_BYTES:
        raise ToolError(f"{spelled(path)} has {entry.size} bytes, too many to edit; change it with a script")
    done = edit.replace(path, ctx.staging.read(path), old, new)
    ctx.staging.write(path, done.data)
    return f"Edited {spelled(path)}: {done.what}"


@tool(effect="write")
async def files_move(ctx: ToolContext, path: WorkspacePath, to: WorkspacePath) -> str:
    """Move or rename a file or a folder. Nothing is overwritten.

    Args:
        path: What to move.
        to: Its new path, with the name.
    """
    path, to = _there(ctx.files, path), workspace_path(to)
    there = ctx.staging.stat(to)
    if there is not None and there.kind == "folder" and path != to:
        inside = spelled((f"{to}/" if to != "." else "") + path.rpartition("/")[2])
        raise ToolError(f"{spelled(to)} is a folder; to move it in there, write the whole path: {inside}")
    ctx.staging.move(path, to)
    return f"Moved {spelled(path)} to {spelled(to)}"


@tool(effect="write")
async def files_delete(ctx: ToolContext, path: WorkspacePath) -> str:
    """Delete a file, or a folder with everything in it.

    Args:
        path: What to delete.
    """
    path = _there(ctx.files, path)
    inside = sum(1 for _ in ctx.staging.beneath(path))
    ctx.staging.delete(path)
    return f"Deleted {spelled(path)}" + (f" with {text.counted(inside, 'path')} in it" if inside else "")


def _there(files: FilesView, path: str) -> str:
    """The path that is meant: an odd name may be given as a listing spells it, `\\\\xff` for a byte."""
    path = workspace_path(path)
    if files.stat(path) is not None:
        return path
    for other in files.paths() if "\\" in path else ():
        if spelled(other) == path:
            return other
    files.read(path)  # raises: its error says what there is instead
    return path


plugin = Plugin(
    name="files",
    tools=[files_list, files_read, files_search, files_write, files_edit, files_move, files_delete],
)
