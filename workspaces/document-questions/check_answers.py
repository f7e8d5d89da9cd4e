"""Is every answer in answers.md right, and does each quote stand on the page that it names?

Exit status 0 if so. No PDF reader is needed: pages.json holds the text of each page, as it was read when the
papers were made. The agent can neither read nor change pages.json and this file.
"""

import json
import re

FACTS = {
    "1": ["26", "30"],
    "2": ["60 days", "whole fare"],
    "3": ["repair", "19"],
    "4": ["Alba", "64"],
    "5": ["17:20"],
    "6": ["bridge", "8"],
}
SOURCES = {
    "1": "handbook.pdf",
    "2": "tariff.pdf",
    "3": "minutes.docx",
    "4": "fleet.xlsx",
    "5": "timetable.html",
    "6": "handbook.pdf",
}
SHORTEST_QUOTE = 10
CITATION = re.compile(r'\[(?:papers/)?([\w.-]+),? (?:p\. (\d+)|"([^"]+)"): "([^"]+)"\]')


def plain(text):
    """Without differences in white space: a PDF breaks its lines anywhere."""
    return " ".join(text.split())


with open("pages.json", encoding="utf-8") as file:
    pages = json.load(file)
with open("answers.md", encoding="utf-8") as file:
    text = file.read()

sections = {}
for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
    number = section.split(".")[0].strip()
    assert number in FACTS, f"there is no question {number[:40]!r}"
    assert number not in sections, f"question {number} is answered twice"
    sections[number] = section

quotes = 0
for number in FACTS:
    assert number in sections, f"question {number} has no section, '## {number}. ...'"
    citations = CITATION.findall(sections[number])
    assert citations, f'question {number}: no citation like [handbook.pdf p. 3: "exact words"]'
    answer = plain(CITATION.sub("", sections[number].split("\n", 1)[1]))
    for fact in FACTS[number]:
        assert fact.lower() in answer.lower(), f"question {number}: the answer isn't right, or not whole"
    for name, page, heading, quote in citations:
        place = page or heading
        assert name in pages, f"question {number}: there is no paper {name!r}"
        assert place in pages[name], f"question {number}: {name} has no page {place!r}"
        assert len(plain(quote)) >= SHORTEST_QUOTE, f"question {number}: the quote {quote!r} is too short"
        assert plain(quote) in plain(pages[name][place]), (
            f"question {number}: {name} {place} doesn't say {quote!r}"
        )
        quotes += 1
    assert SOURCES[number] in [c[0] for c in citations], f"question {number}: what is cited doesn't answer it"

print(f"{len(FACTS)} questions are answered, and {quotes} quotes stand on the pages that they name")
