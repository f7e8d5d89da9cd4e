"""Models and vectors that come from plugins: made for the settings that name one, and used by a run."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from answering import Answer, Asked, answering
from cli_runs import Cli
from loops import finish, plan, write
from pages import blocks

from autoagent import Plugin, run, run_sync
from autoagent.door.providers import ModelSpec, ProviderContext
from autoagent.errors import UsageError
from autoagent.memory.edge import EdgeMemory
from autoagent.memory.meaning import MeaningMemory
from autoagent.ports import Memory, Model, Price
from autoagent.testing.contracts.memory import MemoryContract, point
from autoagent.testing.memory import DictMemory
from autoagent.testing.model import ScriptedModel, call

GOAL = "Write a.txt"


def configured(tmp_path: Path, text: str) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(text)
    (tmp_path / "work").mkdir()
    return home


# --- models -------------------------------------------------------------------------------------------------


OWN = '[models.own]\nmodel = "m1"\nprovider = "own"\nprice = {prompt = 1, completion = 2}\n'


def _broken(context: ProviderContext, spec: ModelSpec) -> Model:
    raise ZeroDivisionError


class TestModels:
    """`[models.NAME] provider`."""

    async def test_a_run_is_carried_by_a_plugin_s_model(self, tmp_path: Path) -> None:
        """It is told what its table says, with its secret."""
        specs: list[ModelSpec] = []
        scripted = ScriptedModel(call("propose_plan", sub_tasks=["Write"]), write("a.txt", "x"), finish("ok"))

        def model(context: ProviderContext, spec: ModelSpec) -> ScriptedModel:
            specs.append(spec)
            return scripted

        config = (
            '[models.own]\nmodel = "m1"\nprovider = "own"\nprice = {prompt = 1, completion = 2}\ntries = 3\n'
        )
        home = configured(tmp_path, config)
        outcome = await run(GOAL, tmp_path / "work", home=home, plugins=[Plugin("own", models=model)])

        assert outcome.result == "ok"
        (spec,) = specs
        assert (spec.model, spec.base_url, spec.tries) == ("m1", None, 3)
        assert spec.price == Price(Decimal(1), Decimal(2))

    @pytest.mark.parametrize(
        ("plugin", "problem"),
        [
            (Plugin("own"), "names the plugin 'own', which provides no models"),
            (Plugin("other"), "names the plugin 'own', which isn't installed"),
            (
                Plugin("own", models=lambda c, s: 1 / 0),
                "can't provide what the settings want: ZeroDivisionError",
            ),  # type: ignore[arg-type, return-value]
        ],
    )
    async def test_what_cannot_be_had_is_said_before_the_run(
        self, tmp_path: Path, plugin: Plugin, problem: str
    ) -> None:
        """With the file and the plugin."""
        home = configured(tmp_path, OWN)

        with pytest.raises(UsageError) as raised:
            await run(GOAL, tmp_path / "work", home=home, plugins=[plugin])

        assert problem in str(raised.value)


# --- Anthropic's API ----------------------------------------------------------------------------------------


def message(*content: dict[str, Any], stop: str = "tool_use") -> dict[str, Any]:
    usage = {
        "input_tokens": 10,
        "output_tokens": 20,
        "cache_creation_input_tokens": 100,
        "cache_read_input_tokens": 1000,
    }
    return {
        "type": "message",
        "model": "claude-x",
        "content": list(content),
        "stop_reason": stop,
        "usage": usage,
    }


def uses(name: str, **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{name}", "name": name, "input": arguments}


class Claude:
    """Answers with these messages, one after the other."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)

    def __call__(self, asked: Asked) -> Answer:
        return self.answers.pop(0)


def claude_home(tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, more: str = "") -> Path:
    monkeypatch.setenv("CLAUDE_KEY", "s3cret")
    table = '[models.claude]\nmodel = "claude-x"\nprovider = "anthropic"\nkey_env = "CLAUDE_KEY"\n'
    price = "price = {prompt = 1, completion = 10}\n"
    return configured(tmp_path, f'{table}base_url = "{url}/v1"\n{price}{more}')


class TestAnthropic:
    """`provider = "anthropic"`."""

    async def test_a_key_that_is_not_named_is_not_sent(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The default variable's key is another server's."""
        monkeypatch.setenv("OPENAI_API_KEY", "s3cret")
        async with answering(lambda asked: (200, message())) as server:
            table = f'[models.a]\nmodel = "m"\nprovider = "anthropic"\nbase_url = "{server.url}/v1"\n'
            home = configured(tmp_path, f"{table}price = {{prompt = 1, completion = 1}}\n")
            outcome = await run(GOAL, tmp_path / "work", home=home)

        assert "needs a key" in outcome.reason
        assert server.asked == []

    async def test_a_run_speaks_its_api(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Tools, results and text as the Messages API has them; the whole prompt is marked for its cache."""
        claude = Claude(
            (200, message(uses("propose_plan", sub_tasks=["Write it"]))),
            (
                200,
                message({"type": "text", "text": "I write."}, uses("files_write", path="a.txt", content="x")),
            ),
            (200, message(uses("finish", result="done"))),
        )
        async with answering(claude) as server:
            home = claude_home(tmp_path, server.url, monkeypatch)
            outcome = await run(GOAL, tmp_path / "work", home=home)

        assert outcome.result == "done"
        assert (tmp_path / "work" / "a.txt").read_text() == "x"
        last = server.asked[-1]
        assert (last.path, last.headers["x-api-key"]) == ("/v1/messages", "s3cret")
        assert last.json["system"][0]["cache_control"] == {"type": "ephemeral"}
        turns = last.json["messages"]
        assert [t["role"] for t in turns] == ["user", "assistant", "user"]
        said, used = turns[1]["content"]
        assert said == {"type": "text", "text": "I write."}
        assert used["input"] == {"path": "a.txt", "content": "x"}
        assert turns[2]["content"][0]["tool_use_id"] == used["id"]
        assert turns[2]["content"][-1]["cache_control"] == {"type": "ephemeral"}
        assert {"name", "description", "input_schema"} == {*last.json["tools"][0]}
        assert outcome.usd == Decimal(3 * (1110 + 20 * 10)) / 1_000_000
        assert outcome.tokens == 3 * 1130

    async def test_it_is_tried_again_where_that_may_help(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Overloaded once, then an answer."""
        claude = Claude(
            (529, {"type": "error"}, {"Retry-After": "0"}),
            (200, message(uses("propose_plan", sub_tasks=["Nothing"]))),
            (200, message(uses("finish", result="done"))),
        )
        async with answering(claude) as server:
            outcome = await run(GOAL, tmp_path / "work", home=claude_home(tmp_path, server.url, monkeypatch))

        assert outcome.result == "done"

    @pytest.mark.parametrize(
        ("answer", "said"),
        [
            ((401, {"error": "bad key"}), "401"),
            ((200, {"type": "message"}), "answers something else"),
            ((529, {}, {"Retry-After": "0"}), "gave no reply: 529"),
        ],
    )
    async def test_what_does_not_help_ends_the_run_to_be_resumed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Answer, said: str
    ) -> None:
        """Exit 5, with the reason and without the key."""
        async with answering(lambda asked: answer) as server:
            home = claude_home(tmp_path, server.url, monkeypatch, "tries = 2\n")
            outcome = await run(GOAL, tmp_path / "work", home=home)

        assert (outcome.exit_code, "s3cret" in outcome.reason) == (5, False)
        assert said in outcome.reason

    async def test_a_key_goes_nowhere_else(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A redirect is an answer."""
        async with answering(lambda asked: (200, message())) as other:
            moved: Answer = (307, {}, {"Location": f"{other.url}/v1/messages"})
            async with answering(lambda asked: moved) as server:
                home = claude_home(tmp_path, server.url, monkeypatch)
                outcome = await run(GOAL, tmp_path / "work", home=home)

        assert outcome.exit_code == 5
        assert other.asked == []


# --- vectors ------------------------------------------------------------------------------------------------

_DIRECTIONS = 200
_MEANINGS = (("car", "automobile", "vehicle"), ("rain", "weather", "storm"))


class Meanings:
    """An embedder that knows a few synonyms."""

    id, least = "meanings", 0.9

    def __init__(self) -> None:
        self.is_down = False
        self.asked: list[str] = []

    async def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        self.asked += texts
        if self.is_down:
            raise ConnectionError("down")
        return [_vector(text) for text in texts]


def _vector(text: str) -> list[float]:
    """Of a text without any of the words: a direction of its own."""
    meant = [float(any(word in text for word in words)) for words in _MEANINGS]
    own = int(hashlib.sha256(text.encode()).hexdigest(), 16) % _DIRECTIONS
    return [*meant, *(float(n == own and not any(meant)) for n in range(_DIRECTIONS))]


@pytest.fixture
def meanings() -> Meanings:
    return Meanings()


def memory_at(path: Path, meanings: Meanings) -> MeaningMemory:
    return MeaningMemory(EdgeMemory(path / "memory"), meanings, path / "vectors")


class TestMeaningMemory(MemoryContract):
    """It is a memory as any other."""

    @pytest.fixture
    def memory(self, tmp_path: Path, meanings: Meanings) -> Memory:
        return MeaningMemory(DictMemory(), meanings, tmp_path / "vectors")


class TestMeaning:
    """What words don't find."""

    async def test_meaning_fills_the_room_that_words_leave(self, tmp_path: Path, meanings: Meanings) -> None:
        """Behind them, without what is far, and nothing twice."""
        memory = memory_at(tmp_path, meanings)
        texts = ("the car broke down", "an automobile was sold", "rain at noon")
        points = [point(text, run=f"r{n}") for n, text in enumerate(texts)]
        await memory.store(points)

        assert [h.point for h in await memory.search("car")] == points[:2]
        assert [h.point for h in await memory.search("vehicle", without_run="r0")] == points[1:2]
        assert await memory.search("music") == []
        scores = [h.score for h in await memory.search("car")]
        assert scores == sorted(scores, reverse=True)

    async def test_where_words_find_enough_nobody_is_asked(self, tmp_path: Path, meanings: Meanings) -> None:
        """So a search costs nothing more."""
        memory = memory_at(tmp_path, meanings)
        await memory.store([point("the car broke down", run="r1")])
        meanings.asked.clear()

        assert len(await memory.search("car", limit=1)) == 1
        assert meanings.asked == []

    async def test_without_vectors_words_do_alone(
        self, tmp_path: Path, meanings: Meanings, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nothing is lost, and it is said."""
        memory = memory_at(tmp_path, meanings)
        meanings.is_down = True
        with caplog.at_level(logging.WARNING):
            await memory.store([point("the car broke down", run="r1")])
            found = await memory.search("car")

        assert len(found) == 1
        assert "no vectors can be had, so memory goes by words alone: ConnectionError: down" in caplog.text

    async def test_what_is_forgotten_is_found_by_neither(self, tmp_path: Path, meanings: Meanings) -> None:
        """Its vector goes too."""
        memory = memory_at(tmp_path, meanings)
        car = point("the car broke down", run="r1")
        await memory.store([car])

        assert await memory.forget(car.id)
        assert await memory.search("vehicle") == []


async def test_a_run_recalls_by_a_server_s_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The plugin `embeddings`: batches, order and key as the server wants them."""
    monkeypatch.setenv("EMBED_KEY", "s3cret")

    def embeddings(asked: Asked) -> Answer:
        rows = [_vector(text) for text in asked.json["input"]]
        data = [{"index": n, "embedding": row} for n, row in enumerate(rows)]
        return 200, {"data": data[::-1], "model": "e"}

    async with answering(embeddings) as server:
        config = f'[memory]\nembed = "embeddings"\n[plugins.embeddings]\nbase_url = "{server.url}/v1"\n'
        home = configured(
            tmp_path, f'{config}model = "e"\nkey_env = "EMBED_KEY"\nbatch = 1\nleast_cosine = 0.9\n'
        )
        first = ScriptedModel(planner=[plan("a")], worker=[finish("the automobile is red")], by_number=True)
        await run("Note the colour", tmp_path / "work", home=home, model=first)
        recall = call("memory_recall", query="vehicle")
        second = ScriptedModel(planner=[plan("a")], worker=[recall, finish()], by_number=True)
        await run("Tell it", tmp_path / "work", home=home, model=second)

    assert server.asked[0].headers["authorization"] == "Bearer s3cret"
    assert server.asked[0].json["model"] == "e"
    assert "the automobile is red" in second.prompts[-1].last.text


def test_the_documented_providers_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed as a package, named by the settings alone, and used by a run."""
    text = next(b.text for b in blocks("python") if "class Drawer" in b.text)
    site = tmp_path / "site"
    info = site / "autoagent_drawer-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "autoagent_drawer.py").write_text(text)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: autoagent-drawer\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[autoagent.plugins]\ndrawer = autoagent_drawer:plugin\n")
    monkeypatch.syspath_prepend(site)
    table = '[models.own]\nmodel = "drawer"\nprovider = "drawer"\nprice = {prompt = 0, completion = 0}\n'
    home = configured(tmp_path, f'{table}[memory]\nembed = "drawer"\n')
    try:
        outcome = run_sync(GOAL, tmp_path / "work", home=home)
    finally:
        sys.modules.pop("autoagent_drawer", None)

    assert "the drawer is empty" in outcome.reason
    assert len(list((home / "vectors").iterdir())) >= 1


async def test_doctor_asks_a_plugin_s_model_nothing(tmp_path: Path) -> None:
    """Its key would be for nobody else; what can't be had is said, and so is what every run would lack."""
    async with answering(lambda asked: (200, {})) as server:
        table = '[models.claude]\nmodel = "claude-x"\nprovider = "anthropic"\nkey_env = "CLAUDE_KEY"\n'
        more = '[memory]\nembed = "nobody"\n[every_run]\nplugins = ["nix"]\n'
        config = f'{table}base_url = "{server.url}/v1"\n{more}'
        cli = Cli(configured(tmp_path, config), tmp_path, {"CLAUDE_KEY": "s3cret"})
        done = await cli("doctor", status=None)

    assert "claude-x of the plugin anthropic, which wasn't asked" in done.out
    assert "[memory] embed names the plugin 'nobody', which isn't installed" in done.out
    assert "[every_run] names the plugin 'nix', which isn't installed" in done.out
    assert server.asked == []
