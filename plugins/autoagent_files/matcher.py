"""The process that matches: reads a pattern and files on stdin, writes matching lines to stdout.

Run by itself (`python -I -S matcher.py`), it imports nothing of ours. stdin: one line of JSON
`{"pattern", "sizes", "most"}`, then the contents one after the other. stdout: JSON
`{"matches": [[file number, line number, text], ...], "notes": [text, ...]}`.
"""

from __future__ import annotations

import json
import re
import sys

SHOWN_CHARS = 200
"""Of a matching line, around the match."""
MEMORY_BYTES = 1 << 30


def main() -> None:
    _limit_memory()
    head = json.loads(sys.stdin.buffer.readline())
    texts = [sys.stdin.buffer.read(size).decode("utf-8", "replace") for size in head["sizes"]]
    source, notes = head["pattern"], []
    try:
        re.compile(source)
    except (re.error, OverflowError, RecursionError) as error:
        notes.append(f"the pattern is no regular expression ({error}): searched as plain text")
        source = re.escape(source)
    matches, count = search(re.compile(source), texts, head["most"])
    if not count:
        matches, count = search(re.compile(source, re.IGNORECASE), texts, head["most"])
        if count:
            notes.append("nothing matches exactly; these match without regard to upper and lower case")
    if count > len(matches):
        notes.append(f"{count - len(matches)} more matching lines not shown")
    json.dump({"matches": matches, "notes": notes}, sys.stdout)


def search(pattern: re.Pattern[str], texts: list[str], most: int) -> tuple[list[list[object]], int]:
    """The first `most` matching lines, and how many there are."""
    matches: list[list[object]] = []
    count = 0
    for file, text in enumerate(texts):
        for number, line in enumerate(text.split("\n"), 1):
            if (match := pattern.search(line)) is not None:
                count += 1
                if len(matches) < most:
                    matches.append([file, number, _around(line.rstrip("\r"), match.start())])
    return matches, count


def _around(line: str, at: int) -> str:
    if len(line) <= SHOWN_CHARS:
        return line
    start = max(0, min(at - SHOWN_CHARS // 4, len(line) - SHOWN_CHARS))
    end = start + SHOWN_CHARS
    return ("…" if start else "") + line[start:end] + ("…" if end < len(line) else "")


def _limit_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    except (ImportError, ValueError, OSError):
        pass  # a system without this limit: the time limit still holds


if __name__ == "__main__":
    main()
