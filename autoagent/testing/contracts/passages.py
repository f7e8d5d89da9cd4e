"""What every index of passages promises, as tests: derive from `PassagesContract`, override `passages`."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from autoagent.ports import Passage, Passages, Source


def source(id: str, *texts: str, note: str = "") -> Source:
    """A source of one page for each text, named `1`, `2`, …"""
    pages = [Passage(page=str(number), text=text) for number, text in enumerate(texts, 1)]
    return Source(id=id, note=note, passages=tuple(pages))


async def found(passages: Passages, query: str, sources: Sequence[str], limit: int = 8) -> list[str]:
    """The texts that a query finds, best first."""
    return [hit.passage.text for hit in await passages.search(query, sources, limit)]


class PassagesContract:
    @pytest.fixture
    def passages(self) -> Passages:
        raise NotImplementedError("override the fixture `passages`")

    async def test_empty_index_knows_nothing(self, passages: Passages) -> None:
        """Nothing stored is no error."""
        await passages.store([])

        assert await passages.known(["a"]) == {}
        assert await passages.search("anything", ["a"]) == []
        assert await passages.read("a") == []
        assert await passages.forget("a") is False

    async def test_passage_comes_back_whole(self, passages: Passages) -> None:
        """Source, page, span and text: all fields survive."""
        passage = Passage(page="Leave, days", start=1_200, line=31, text="Twenty-eight days of leave.\n")
        await passages.store([Source(id="a", note='{"n": 1}', passages=(passage,))])
        hits = await passages.search("leave", ["a"])

        assert [(hit.source, hit.passage) for hit in hits] == [("a", passage)]
        assert await passages.known(["a", "b"]) == {"a": '{"n": 1}'}

    async def test_only_the_sources_asked_for_are_searched(self, passages: Passages) -> None:
        """What is indexed for another folder isn't found in this one."""
        await passages.store([source("a", "leave in Berlin"), source("b", "leave in Rome")])

        assert await found(passages, "leave", ["b"]) == ["leave in Rome"]
        assert await found(passages, "leave", ["c"]) == []
        assert await found(passages, "leave", []) == []

    async def test_other_sources_change_no_score(self, passages: Passages) -> None:
        """A word is as rare as it is in the sources asked for: the same files rank the same everywhere."""
        await passages.store([source("a", "leave in Berlin", "leave in Rome", "travel to Rome")])
        alone = await passages.search("leave Rome", ["a"])
        await passages.store([source(f"b{n}", "Rome", "Rome and Rome") for n in range(20)])
        beside_others = await passages.search("leave Rome", ["a"])

        assert [hit.passage for hit in alone] == [hit.passage for hit in beside_others]
        assert [hit.score for hit in alone] == pytest.approx([hit.score for hit in beside_others])

    async def test_storing_twice_is_storing_once(self, passages: Passages) -> None:
        """The id decides; what the later one lacks is gone, also within one batch."""
        await passages.store([source("a", "leave one", "leave two")])
        await passages.store([source("a", "leave"), source("a", "travel", note="new")])

        assert await found(passages, "leave travel", ["a"]) == ["travel"]
        assert await passages.known(["a"]) == {"a": "new"}

    async def test_source_without_passages_is_known(self, passages: Passages) -> None:
        """A scan without any text needs no second look."""
        await passages.store([source("a", note="no text")])

        assert await passages.known(["a"]) == {"a": "no text"}
        assert await passages.read("a") == []

    async def test_best_fit_comes_first(self, passages: Passages) -> None:
        """More of the query's words score higher; the limit is kept, and 0 means none."""
        await passages.store([source("a", "days", "days of leave", "days of leave in Rome")])

        assert (await found(passages, "leave Rome", ["a"]))[0] == "days of leave in Rome"
        assert len(await found(passages, "days", ["a"], limit=2)) == 2
        assert await found(passages, "days", ["a"], limit=0) == []

    @pytest.mark.parametrize(
        ("query", "text"),
        [("支付", "昨天支付服务失败了"), ("ZAHLUNGSDIENST", "Der Zahlungsdienst ist ausgefallen")],
    )
    async def test_texts_of_many_languages_are_found(self, passages: Passages, query: str, text: str) -> None:
        """Chinese without spaces, German in any case."""
        await passages.store([source("a", "昨天支付服务失败了", "Der Zahlungsdienst ist ausgefallen")])

        assert await found(passages, query, ["a"]) == [text]

    @pytest.mark.parametrize("query", ["", "   ", "!?…", "\x00", "🜁"])
    async def test_query_without_words_finds_nothing(self, passages: Passages, query: str) -> None:
        """No words, no hits, no error."""
        await passages.store([source("a", "leave")])

        assert await passages.search(query, ["a"]) == []

    async def test_pages_are_read_in_order(self, passages: Passages) -> None:
        """All passages as they stand in the source, or those of one page."""
        pages = [Passage(page=str(n // 2), start=n % 2 * 10, text=f"passage {n}") for n in range(30)]
        await passages.store([Source(id="a", passages=tuple(pages)), source("b", "another")])

        assert await passages.read("a") == pages
        assert await passages.read("a", "7") == pages[14:16]
        assert await passages.read("a", "99") == []

    async def test_forgotten_source_is_gone(self, passages: Passages) -> None:
        """Forgetting says whether there was something to forget; others stay."""
        await passages.store([source("a", "leave"), source("b", "leave")])

        assert await passages.forget("a") is True
        assert await passages.forget("a") is False
        assert await passages.known(["a", "b"]) == {"b": ""}
        assert [hit.source for hit in await passages.search("leave", ["a", "b"])] == ["b"]

    @pytest.mark.parametrize("text", ["", "\x00", "a\x00b\x1b[2J", "👩‍👩‍👧 e\u0301 \u202e\ufeff\U0010ffff"])
    async def test_odd_text_is_kept(self, passages: Passages, text: str) -> None:
        """What is stored is what comes back, to the last sign."""
        await passages.store([source("a", text)])

        assert [passage.text for passage in await passages.read("a")] == [text]

    async def test_hundreds_of_sources_in_one_batch(self, passages: Passages) -> None:
        """All of them are known, and searched together."""
        ids = [f"s{n}" for n in range(300)]
        await passages.store([source(id, f"leave number{id}", "filler") for id in ids])

        assert set(await passages.known(ids)) == set(ids)
        assert await found(passages, "numbers250", ids) == ["leave numbers250"]

    async def test_closing_twice_is_fine(self, passages: Passages) -> None:
        """Closing is what happens at every end."""
        await passages.store([source("a", "leave")])
        await passages.close()
        await passages.close()
