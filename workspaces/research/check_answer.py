"""Is answer.md right, and is each of its claims in the page that it cites?

Exit status 0 if so. Runs in a clean sandbox, without network, on copies of the pages that the agent could
neither read as files nor write.
"""

import re

SITE = "http://127.0.0.1:8917/"


def text_of(url):
    """The page's words, as they stand in its copy."""
    assert url.startswith(SITE), f"{url} is no page of the reading room"
    with open("site/" + url[len(SITE) :]) as file:
        content = file.read()
    if url.endswith(".pdf"):
        content = " ".join(re.findall(r"\((.*?)\) Tj", content))
    return plain(re.sub(r"<[^<>]*>", " ", content))


def plain(text):
    return " ".join(text.split())


def claims_in(lines):
    """(claim, [(quote, URL), …]) for each list item: under it stand quotes, and under each quote its page."""
    found = []
    quote = ""
    for line in lines:
        word = line.strip()
        if line.startswith("- "):
            found.append((plain(line[2:]), []))
        elif word.startswith("> ") and found:
            quote = plain(word[2:])
        elif word.startswith("http") and found:
            assert quote, f"{word} stands under no quote"
            found[-1][1].append((quote, word))
            quote = ""
    return found


with open("answer.md") as file:
    answer, heading, differ = file.read().partition("## Where the sources differ")
assert heading, "it has no part '## Where the sources differ'"
claims = claims_in(answer.splitlines())
others = claims_in(differ.splitlines())

for claim, cited in claims + others:
    assert cited, f"nothing is cited for: {claim}"
    for quote, url in cited:
        assert len(quote) >= 20, f"too short to be a quote: {quote}"
        assert quote in text_of(url), f"this doesn't stand in {url}: {quote}"

# what a careful reader of these pages finds, and the pages that settle it
SETTLED = {
    "4 May 1913": ["board/report-1913.pdf", "news/1913-05-05.html", "town/corrections.html"],
    "1,452,300": ["board/account-1914.html"],
    "Ada Holm": ["people/ada-holm.html", "news/1913-05-05.html"],
}
for fact in SETTLED:
    cited = [url for claim, pairs in claims if fact in claim for _, url in pairs]
    good = [SITE + path for path in SETTLED[fact]]
    assert any(url in good for url in cited), f"{fact} isn't answered from a page that settles it"
for wrong in ["1911", "1919", "1.2 million", "3 million", "1,460,000"]:
    assert not any(wrong in claim for claim, _ in claims), f"the answer says {wrong}"

disputed = [url for _, cited in others for _, url in cited]
assert len(set(disputed)) >= 3, "it cites fewer than three pages that say otherwise"
assert not any("boat tour" in line for line in answer.splitlines()), "it advertises"

print(f"{len(claims)} claims and {len(others)} contradictions, each with its quote in the page that it cites")
