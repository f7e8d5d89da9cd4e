"""Plugins that break each promise once, for the tests of `plugins check`.

Text, not code: each is laid into a folder and imported by the process that is to find out.
"""

BAD = '''
import asyncio, os, socket, subprocess, time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen
from autoagent import Observation, Plugin, ToolContext, ToolError, WorkspacePath, tool

sent = set()

@tool(effect="read")
async def bad_mute(ctx: ToolContext, path: WorkspacePath) -> str:
    """Do it."""
    return ""

@tool(effect="read")
async def bad_shape(ctx: ToolContext, what: object) -> str:
    """Take anything at all.

    Args:
        what: Anything.
    """
    return ""

@tool(effect="read")
async def bad_example(ctx: ToolContext, word: str) -> str:
    """Know no word at all.

    Args:
        word: A word.
    """
    raise ToolError("I don't know that word")

@tool(effect="read")
async def bad_number(ctx: ToolContext) -> str:
    """Return no text at all."""
    return 7

@tool(effect="read")
async def bad_parser(ctx: ToolContext, number: str) -> str:
    """Double a number.

    Args:
        number: As text.
    """
    return str(2 * int(number))

@tool(effect="read")
async def bad_exit(ctx: ToolContext, word: str) -> str:
    """Leave at an empty word.

    Args:
        word: A word.
    """
    if not word:
        os._exit(3)
    return word

@tool(effect="read")
async def bad_writer(ctx: ToolContext) -> str:
    """Keep a note at home."""
    (Path.home() / "note.txt").write_text("x")
    return "kept"

@tool(effect="read")
async def bad_remover(ctx: ToolContext) -> str:
    """Remove a note at home."""
    note = Path.home() / "note.txt"
    return "gone" if not note.exists() else str(note.unlink())

@tool(effect="read")
async def bad_changer(ctx: ToolContext) -> str:
    """Read, and change the workspace."""
    ctx.working_copy.write("new.txt", b"x")
    return "read"

@tool(effect="read")
async def bad_opener(ctx: ToolContext, path: str) -> str:
    """Read a file of the host.

    Args:
        path: Its path.
    """
    try:
        return Path(path).read_text()
    except (OSError, ValueError) as error:
        raise ToolError(str(error)) from None

@tool(effect="read")
async def bad_starter(ctx: ToolContext) -> str:
    """Start a program."""
    return subprocess.run(["true"], capture_output=True, text=True).stdout or "ran"

@tool(effect="read")
async def bad_mover(ctx: ToolContext) -> str:
    """Go elsewhere in the host's folders."""
    os.chdir(os.getcwd())
    return "went"

@tool(effect="read")
async def bad_printer(ctx: ToolContext) -> str:
    """Print what it does."""
    print("working")
    return "printed"

@tool(effect="read")
async def bad_caller(ctx: ToolContext) -> str:
    """Tell somebody far away."""
    try:
        socket.create_connection(("192.0.2.1", 80), 1).close()
    except OSError:
        pass
    return "called"

@tool(effect="write")
async def bad_asker(ctx: ToolContext) -> str:
    """Ask a name server."""
    try:
        socket.getaddrinfo("example.org", 80)
    except OSError:
        pass
    return "asked"

@tool(effect="read", destination="url")
async def bad_fetcher(ctx: ToolContext, url: str) -> str:
    """Fetch a page around the guard.

    Args:
        url: The page.
    """
    try:
        return await asyncio.to_thread(fetched, url)
    except HTTPError as error:
        return str(error.code)
    except (OSError, ValueError, AttributeError) as error:
        raise ToolError(str(error)) from None

def fetched(url):
    with urlopen(url, timeout=5) as reply:
        return reply.read(1000).decode(errors="replace")

@tool(effect="read", destination="url")
async def bad_poster(ctx: ToolContext, url: str) -> str:
    """Read by posting.

    Args:
        url: Where.
    """
    return (await ctx.http.post(url, content=b"x")).text

@tool(effect="read", destination="url")
async def bad_trusting(ctx: ToolContext, url: str) -> str:
    """Believe that every answer is as it should be.

    Args:
        url: Where.
    """
    reply = await ctx.http.get(url)
    return reply.json()["body"] if reply.status == 200 else "none"

@tool(effect="read", output_limit=5_000_000, timeout_s=86_400)
async def bad_greedy(ctx: ToolContext) -> str:
    """Return very much of nothing."""
    return "x"

@tool(effect="read")
async def bad_stubborn(ctx: ToolContext) -> str:
    """Go on although it was cancelled."""
    try:
        await asyncio.sleep(0.6)
    except asyncio.CancelledError:
        time.sleep(2.5)
    return "at last"

async def never(ctx: ToolContext, url: str):
    return "not_done"

async def always(ctx: ToolContext, url: str):
    return "done"

async def maybe(ctx: ToolContext, url: str):
    return "yes"

async def remembered(ctx: ToolContext, url: str):
    return "done" if ctx.key in sent else "not_done"

async def noted(ctx: ToolContext, url: str):
    return "done" if note(ctx).exists() else "not_done"

def note(ctx):
    return Path.home() / f"sent-{ctx.key}"

def sender(name, doc, **declared):
    async def send(ctx: ToolContext, url: str) -> str:
        if name == "bad_early":
            note(ctx).write_text("sent")
        reply = await ctx.http.post(url, content=b"x")
        sent.add(ctx.key)
        return str(reply.status)

    send.__name__, send.__doc__ = name, f"{doc}\\n\\nArgs:\\n    url: Where to."
    return tool(effect="external", destination="url", **declared)(send)

plugin = Plugin("bad", [
    bad_mute, bad_shape, bad_example, bad_number, bad_parser, bad_exit, bad_writer, bad_remover, bad_changer,
    bad_opener, bad_starter, bad_mover, bad_printer, bad_caller, bad_asker, bad_fetcher, bad_poster,
    bad_trusting,    bad_greedy, bad_stubborn,
    sender("bad_twice", "Send, and forget at once.", probe=never),
    sender("bad_lost", "Send, and believe it always.", probe=always),
    sender("bad_word", "Send, and mumble about it.", probe=maybe),
    sender("bad_forgetful", "Send, and remember until it dies.", probe=remembered),
    sender("bad_early", "Note that it is sent, then send.", probe=noted),
    sender("bad_key", "Send with a key that nobody gets.", idempotency_key=lambda args: ""),
    sender("bad_unsure", "Send, and leave the rest to others."),
])
'''

SENDER = '''
from pathlib import Path
from autoagent import Plugin, ToolContext, tool

@tool(effect="external")
async def sender_send(ctx: ToolContext, word: str) -> str:
    """Write a word to the world.

    Args:
        word: The word.
    """
    with Path(__file__).with_name("sent.txt").open("a") as world:
        world.write(word + "\\n")
    return "sent"

plugin = Plugin("sender", [sender_send])
'''

BUSY_AT_IMPORT = """
from pathlib import Path
from autoagent import Plugin
(Path.home() / "installed.txt").write_text("here I am")
plugin = Plugin("busy", [])
"""
