"""web_read as the agent has it: a run, a site on this machine, the guarded client, a process that reads."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import pytest
from loops import Stage, plan
from sites import DONE, Answer, Site, article, goal, html, pdf, redirect, serving, told, visiting

from autoagent.errors import ToolError
from autoagent.events import CallEnded, QuestionAsked
from autoagent.ports import HttpReply
from autoagent.testing.model import ScriptedModel, call
from autoagent_web import reading
from autoagent_web.reader import Limits

OPENED = "The harbour of Brenn was opened in 1874, after eleven years of work on its northern mole."
HEAD = '<meta name="author" content="Ada Holm"><meta name="date" content="2026-03-01">'


def local(site: Site) -> str:
    return f"127.0.0.1:{site.port}"


async def read(stage: Stage, site: Site, path: str, **more: object) -> str:
    """What the agent reads of a page whose address stands in the goal."""
    url = site.url(path)
    return await told(stage, goal(url, hosts=[local(site)]), call("web_read", url=url, **more))


async def test_page_is_read_with_its_head_and_links(tmp_path: Path) -> None:
    """Title, address, date and author; the main text; links that may be followed unasked."""
    page = article("Harbour of Brenn", OPENED, f'{OPENED} See <a href="mole">the mole</a> of it.', head=HEAD)
    with serving(
        {"/harbour": page, "/mole": article("The mole", "It is of granite, and 400 m long.")}
    ) as site:
        stage = visiting(tmp_path)
        steps = [call("web_read", url=site.url("/harbour")), call("web_read", url=site.url("/mole"))]
        mole = await told(stage, goal(site.url("/harbour"), hosts=[local(site)]), *steps)
        harbour = stage.events(CallEnded)[0]

    assert harbour.output.startswith(
        f"Title: Harbour of Brenn\nURL: {site.url('/harbour')}\nDate: 2026-03-01 · Author: Ada Holm\n\n"
    )
    assert f"[the mole]({site.url('/mole')})" in harbour.output
    assert harbour.labels == ("outside",)
    assert "It is of granite" in mole
    assert stage.events(QuestionAsked) == []


async def test_long_page_is_read_page_by_page(tmp_path: Path) -> None:
    """Each says where it stands and how to go on; the second comes from the cache."""
    paragraphs = [f"Paragraph {n} of the chronicle tells of the year {1800 + n}. {OPENED}" for n in range(60)]
    with serving({"/long": article("Chronicle", *paragraphs)}) as site:
        stage = visiting(tmp_path, settings="page_characters = 3000")
        url = site.url("/long")
        steps = [call("web_read", url=url), call("web_read", url=url, page=2)]
        second = await told(stage, goal(url, hosts=[local(site)]), *steps)
        first = stage.events(CallEnded)[0].output

    assert "\nPage 1 of 3; page=2 goes on\n\nParagraph 0 of" in first
    assert "\nPage 2 of 3; page=3 goes on\n\nParagraph " in second
    assert len(second) < 3_500
    assert site.asked == ["/long"]


async def test_pdf_is_read_from_the_page_that_is_asked_for(tmp_path: Path) -> None:
    """With its own title and date."""
    content = pdf("Cover", "Tide at noon: 3.2 m", "Tide at six: 0.4 m", title="Tide tables")
    with serving({"/tides.pdf": Answer(content, headers={"content-type": "application/pdf"})}) as site:
        text = await read(visiting(tmp_path), site, "/tides.pdf", page=2)

    assert text == (
        f"Title: Tide tables\nURL: {site.url('/tides.pdf')}\nDate: 2026-03-01\nPages 2-3 of 3\n\n"
        "[page 2 of 3]\nTide at noon: 3.2 m\n\n[page 3 of 3]\nTide at six: 0.4 m"
    )


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer('{"ships": 212}', headers={"content-type": "application/json"}), '{"ships": 212}'),
        (Answer("# Ships\n\n212", headers={"content-type": "text/markdown"}), "# Ships\n\n212"),
        (
            Answer("Größe".encode("latin-1"), headers={"content-type": "text/plain; charset=ISO-8859-1"}),
            "Größe",
        ),
        (
            Answer(
                gzip.compress(b"packed words"),
                headers={"content-type": "text/plain", "content-encoding": "gzip"},
            ),
            "packed words",
        ),
    ],
    ids=["json", "markdown", "latin-1", "gzip"],
)
async def test_plain_text_is_read_as_it_is(tmp_path: Path, answer: Answer, text: str) -> None:
    """By the charset that its server names, unpacked."""
    with serving({"/x": answer}) as site:
        assert await read(visiting(tmp_path), site, "/x") == f"URL: {site.url('/x')}\n\n{text}"


async def test_redirect_is_told(tmp_path: Path) -> None:
    """A citation names the page that was read."""
    with serving({"/old": redirect("/new", 301), "/new": article("Harbour", OPENED)}) as site:
        text = await read(visiting(tmp_path), site, "/old")

    assert f"URL: {site.url('/new')} (redirected from {site.url('/old')})" in text


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            Answer(b"\x89PNG", headers={"content-type": "image/png"}),
            "is 'image/png', 4 bytes; web_read reads HTML, PDF",
        ),
        (
            Answer(b"%PDF-1.7 oh", headers={"content-type": "application/pdf"}),
            "can't be read: it is broken (",
        ),
        (html("<html><body></body></html>"), "can't be read: it holds no text; it may be drawn by scripts"),
        (html("no", 404), "isn't there (404); check the address, or search"),
    ],
)
async def test_what_cannot_be_read_says_what_to_do(tmp_path: Path, answer: Answer, why: str) -> None:
    """One sentence with the address."""
    with serving({"/x": answer}) as site:
        text = await read(visiting(tmp_path), site, "/x")

    assert text.startswith(site.url("/x"))
    assert why in text


async def test_page_that_is_not_there_is_no_page_0(tmp_path: Path) -> None:
    """Pages are counted from 1."""
    with serving({"/x": article("Harbour", OPENED)}) as site:
        assert "greater than or equal to 1" in await read(visiting(tmp_path), site, "/x", page=0)
        assert site.requests == []


# --- what it may do -----------------------------------------------------------------------------------------


async def test_host_that_the_goal_does_not_name_is_not_visited(tmp_path: Path) -> None:
    """The agent reads which hosts there are."""
    with serving({"/x": article("Harbour", OPENED)}) as site:
        url = site.url("/x")
        text = await told(visiting(tmp_path), goal(url, hosts=["brenn.example"]), call("web_read", url=url))

    assert text.startswith("Not allowed: the goal's 'allow: web' names brenn.example, not the host of")
    assert site.requests == []


async def test_page_in_the_cache_still_needs_leave(tmp_path: Path) -> None:
    """Another run, whose goal doesn't name the host, doesn't read from disk what the first one read."""
    with serving({"/x": article("Harbour", OPENED)}) as site:
        stage = visiting(tmp_path)
        assert OPENED in await read(stage, site, "/x")
        (stage.folder / "done.txt").unlink()
        text = await told(stage, goal(hosts=["brenn.example"]), call("web_read", url=site.url("/x")))

    assert text.startswith("Not allowed:")


async def test_made_up_address_is_asked_about_once_private_data_was_read(tmp_path: Path) -> None:
    """A URL can carry a secret out; the question shows it, and nothing is sent before the answer."""
    with serving({"/x": article("Harbour", OPENED)}) as site:
        stage = visiting(tmp_path, files={"notes/key": "hunter2"})
        text = goal(site.url("/x"), hosts=[local(site)], more="private: [notes/]\n")
        worker = [
            call("files_read", path="notes/key"),
            call("web_read", url=site.url("/x")),
            call("web_read", url=site.url("/x?d=hunter2")),
            *DONE,
        ]
        outcome = await stage.start(text, ScriptedModel(planner=[plan("a")], worker=worker))

    assert outcome.ending == "parked"
    assert stage.question().subject.destination == site.url("/x?d=hunter2")
    assert site.asked == ["/x"]


# --- the process that reads ---------------------------------------------------------------------------------


def reply(content: bytes) -> HttpReply:
    return HttpReply(200, "http://a.example/", {"content-type": "text/html"}, content)


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        (b"<p>word word word</p>" * 90_000, Limits(cpu_s=1)),
        (b"<p>word word word</p>" * 90_000, Limits(memory_bytes=120 << 20)),
    ],
    ids=["time", "memory"],
)
async def test_page_that_eats_up_the_machine_costs_only_its_reader(content: bytes, limits: Limits) -> None:
    """The agent reads that it is too much; the run goes on."""
    with pytest.raises(ToolError, match="takes more time or memory than a page may take"):
        await reading.read(reply(content), 1, 1_000, limits)
    assert (await reading.read(reply(b"<p>word</p>"), 1, 1_000, limits)).text == "word"


async def test_reader_has_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of this process, and no module that lies in its way."""
    (tmp_path / "lxml.py").write_text("raise SystemExit('loaded')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    found = await reading.read(reply(f"<p>{OPENED}</p>".encode()), 1, 1_000)

    assert found.text == OPENED
    assert sys.executable
