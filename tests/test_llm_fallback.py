"""`FallbackModel`: who answers when the first can't be had."""

from __future__ import annotations

from decimal import Decimal

import pytest

from autoagent.errors import ModelUnavailable, RecordingMiss
from autoagent.llm.fallback import TRUST_AGAIN_S, FallbackModel
from autoagent.llm.openai_model import OpenAIModel
from autoagent.messages import Reply
from autoagent.ports import Model, Price
from autoagent.settings import ModelSettings
from autoagent.testing import ScriptedModel, says
from autoagent.testing.clock import FakeClock
from autoagent.testing.contracts.model import ModelContract, ModelOf, a_request


class TestContract(ModelContract):
    gives_up = ModelUnavailable

    @pytest.fixture
    def model_of(self) -> ModelOf:
        async def make(*replies: Reply) -> Model:
            gone = ScriptedModel(*[ModelUnavailable("gone")] * 9, name="first")
            then = ScriptedModel(*replies, *[ModelUnavailable("gone as well")] * 9, name="second")
            return FallbackModel([gone, then], lambda text: None)

        return make


def gone(times: int = 1) -> list[ModelUnavailable]:
    return [ModelUnavailable("the first is gone")] * times


async def test_the_next_model_takes_over_and_it_is_said() -> None:
    """The reply comes from the second, and a line says why."""
    told: list[str] = []
    model = FallbackModel(
        [ScriptedModel(*gone(), name="large"), ScriptedModel(says("hi"), name="small")], told.append
    )

    assert (await model.reply(a_request())).text == "hi"
    assert told == ["model 'small' takes over: the first is gone"]
    assert model.name == "small"


async def test_it_stays_with_the_one_that_answered() -> None:
    """A dead server isn't asked again at every step, but it is after a while."""
    clock = FakeClock()
    first = ScriptedModel(*gone(), says("back"), name="large")
    second = ScriptedModel(says("a"), says("b"))
    model = FallbackModel([first, second], lambda text: None, clock=clock)

    assert [(await model.reply(a_request())).text for _ in range(2)] == ["a", "b"]
    assert len(first.requests) == 1
    clock.pass_time(TRUST_AGAIN_S)
    assert (await model.reply(a_request())).text == "back"
    assert model.name == "large"


async def test_a_first_model_that_is_still_gone_is_left_alone_again() -> None:
    """Asked again in vain, it has another while of rest."""
    clock = FakeClock()
    first, second = ScriptedModel(*gone(9)), ScriptedModel(*[says("x")] * 9)
    model = FallbackModel([first, second], lambda text: None, clock=clock)
    await model.reply(a_request())
    clock.pass_time(TRUST_AGAIN_S)
    for _ in range(3):
        await model.reply(a_request())

    assert len(first.requests) == 2


async def test_all_of_them_gone_says_what_each_said() -> None:
    """The error holds the words of every model."""
    model = FallbackModel(
        [ScriptedModel(*gone()), ScriptedModel(ModelUnavailable("no key"))], lambda text: None
    )
    with pytest.raises(ModelUnavailable, match="the first is gone; no key"):
        await model.reply(a_request())


async def test_other_errors_are_not_covered_up() -> None:
    """Only unavailability falls back; a recording's miss ends the run."""
    model = FallbackModel(
        [ScriptedModel(RecordingMiss("other calls")), ScriptedModel(says("x"))], lambda text: None
    )
    with pytest.raises(RecordingMiss):
        await model.reply(a_request())


def test_the_price_covers_whoever_answers() -> None:
    """A reservation is made at the highest price of them all."""
    dear, cheap = Price(Decimal(5), Decimal(1)), Price(Decimal(1), Decimal(9))
    model = FallbackModel([ScriptedModel(price=dear), ScriptedModel(price=cheap)], lambda text: None)

    assert model.price == Price(Decimal(5), Decimal(9))


async def test_closing_closes_all() -> None:
    """Each model is closed."""
    models = [ScriptedModel(), ScriptedModel()]
    await FallbackModel(models, lambda text: None).close()

    assert [model.closed for model in models] == [True, True]


def test_an_address_is_told_without_its_query() -> None:
    """It stands in the record; a model without an address has none."""
    named = OpenAIModel(ModelSettings(model="m", base_url="http://localhost:8901/v1?key=secret"), key=None)

    assert FallbackModel([named], lambda text: None).server == "http://localhost:8901/v1"
    assert FallbackModel([ScriptedModel()], lambda text: None).server == ""
