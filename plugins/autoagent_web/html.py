"""HTML to Markdown: the main text by trafilatura, with title, author, date, language and absolute links."""

from __future__ import annotations

import re
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urldefrag

import trafilatura

from autoagent_web.found import fetchable
from autoagent_web.text import Unreadable

_LONGEST = 2_000_000
"""Characters of HTML in which a main text is looked for; 8 million take 40 s."""
_MOST_LINKS = 40
_LOOKED_AT = 2_000
_LABEL = 80
_DATES = {"original_date": True, "extensive_search": False}
"""No guessing of dates: a page that declares none has none."""
_BLANK = re.compile(r"[ \t\xa0]+")


@dataclass(frozen=True)
class Article:
    """What a page says, and what it says of itself; empty where it says nothing."""

    text: str
    """Markdown."""
    title: str = ""
    author: str = ""
    date: str = ""
    """A day."""
    language: str = ""


def article(source: str, url: str) -> Article:
    """Read a page: its main text, then its other links.

    All of its text where nothing looks like a main text, and where it is too long to look for one. Raises
    `Unreadable` for what is no HTML.
    """
    tree = _parsed(source, url)
    if len(source) > _LONGEST:
        return Article(_all_text(tree), title=" ".join((tree.findtext(".//title") or "").split()))
    said = trafilatura.extract_metadata(deepcopy(tree), default_url=url, date_config=_DATES)
    main = trafilatura.extract(
        deepcopy(tree),
        url=url,
        output_format="markdown",
        include_links=True,
        include_tables=True,
        include_formatting=True,
        include_comments=False,
        with_metadata=False,
    )
    text = (main or _all_text(tree)).strip()
    links = _other_links(tree, text, url)
    return Article(
        text="\n\n".join(part for part in (text, links) if part),
        title=(said.title if said is not None else None) or "",
        author=(said.author if said is not None else None) or "",
        date=(said.date if said is not None else None) or "",
        language=(tree.get("lang") or "")[:20],
    )


def _parsed(source: str, url: str) -> Any:
    """The page's tree, its links absolute as browsers resolve them."""
    tree = trafilatura.load_html(source)
    if tree is None:  # a fragment, or nothing
        tree = trafilatura.load_html(f"<html><body>{source}</body></html>")
    if tree is None:
        raise Unreadable("it is no HTML that can be read")
    tree.make_links_absolute(url, resolve_base_href=True, handle_failures="ignore")
    return tree


def _all_text(tree: Any) -> str:
    """What a person would see, without order."""
    body = deepcopy(tree)
    for element in body.xpath("//script | //style | //noscript | //template | //head | //svg"):
        element.drop_tree()
    for element in body.xpath("//p | //div | //li | //tr | //br | //h1 | //h2 | //h3 | //h4 | //section"):
        element.tail = "\n" + (element.tail or "")
    lines = (_BLANK.sub(" ", line).strip() for line in body.text_content().splitlines())
    return "\n".join(line for line in lines if line)


def _other_links(tree: Any, text: str, url: str) -> str:
    """Links that the main text doesn't have: navigation, and pages that are nothing but links."""
    found: dict[str, str] = {}
    for anchor in islice(tree.iter("a"), _LOOKED_AT):
        target = fetchable(urldefrag(anchor.get("href") or "").url)
        if target is not None and target not in found and target != url and not _is_in(text, target):
            label = " ".join(anchor.text_content().split())[:_LABEL]
            found[target] = label.replace("[", "(").replace("]", ")") or target
    shown = [f"- [{label}]({target})" for target, label in list(found.items())[:_MOST_LINKS]]
    more = f"\n({len(found) - _MOST_LINKS} more links are not shown)" if len(found) > _MOST_LINKS else ""
    return "Other links of this page:\n" + "\n".join(shown) + more if shown else ""


def _is_in(text: str, target: str) -> bool:
    """Whether the Markdown links to it, to a part of it too."""
    return f"]({target})" in text or f"]({target}#" in text
