"""The pages of the documentation, taken apart: fenced blocks, sections, tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_OURS = ("README.md", "CHANGELOG.md", "SECURITY.md")
_PATTERNS = (*_OURS, "docs/*.md", "docs/plugins/*.md", "workspaces/*/README.md")
PAGES = [page for pattern in _PATTERNS for page in sorted(ROOT.glob(pattern))]
_FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(language: str) -> list[Block]:
    """All blocks in a language."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page, line, match[1].strip(), match[2]))
    return [block for block in found if block.language == language]


def each(language: str) -> pytest.MarkDecorator:
    """A test for each block in a language."""
    found = blocks(language)
    assert found, f"no page holds {language}"
    return pytest.mark.parametrize("block", found, ids=str)


def section(page: str, title: str) -> str:
    """What stands under a heading, up to the next one."""
    after = re.split(rf"^#+ {re.escape(title)}$", read(page), maxsplit=1, flags=re.MULTILINE)[1]
    return re.split(r"^#+ ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in a text, without their heads; `\\|` is a bar in a cell."""
    found: list[list[str]] = []
    for line in text.split("\n"):
        if re.fullmatch(r"\|[-|]+\|", line):
            found.pop()
        elif line.startswith("|"):
            cells = re.split(r"(?<!\\)\|", line)[1:-1]
            found.append([cell.strip().replace("\\|", "|") for cell in cells])
    return found


def named(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)
