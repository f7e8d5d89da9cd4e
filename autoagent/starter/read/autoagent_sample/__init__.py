"""The plugin `sample`: importing this does nothing but define it."""

from __future__ import annotations

from autoagent import Plugin, ToolContext, ToolError, WorkspacePath, tool


@tool(effect="read")
async def sample_count(ctx: ToolContext, path: WorkspacePath) -> str:
    """Count the lines and words of a text file.

    Args:
        path: The file.
    """
    try:
        text = ctx.files.read(path).decode()
    except UnicodeDecodeError:
        raise ToolError(f"{path} holds no text in UTF-8; name another file") from None
    return f"{len(text.splitlines())} lines, {len(text.split())} words"


plugin = Plugin("sample", [sample_count])
