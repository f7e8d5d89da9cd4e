"""The plugin `sample`: importing this does nothing but define it."""

from __future__ import annotations

from autoagent import Plugin, ToolContext, ToolError, WorkspacePath, tool


@tool(effect="write")
async def sample_sort(ctx: ToolContext, path: WorkspacePath) -> str:
    """Sort the lines of a text file.

    Args:
        path: The file.
    """
    try:
        lines = ctx.staging.read(path).decode().splitlines()
    except UnicodeDecodeError:
        raise ToolError(f"{path} holds no text in UTF-8; nothing was changed") from None
    ctx.staging.write(path, "".join(f"{line}\n" for line in sorted(lines)).encode())
    return f"sorted {len(lines)} lines"


plugin = Plugin("sample", [sample_sort])
