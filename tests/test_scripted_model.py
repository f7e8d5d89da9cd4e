"""`ScriptedModel`: turns in order, by role, by lane, by number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from autoagent.errors import ModelUnavailable
from autoagent.messages import Reply, user
from autoagent.ports import Model, ModelRequest, ModelRole, Price
from autoagent.testing import ScriptedModel, ScriptExhausted, call, calls, says, script
from autoagent.testing.contracts.model import READ, ModelContract, ModelOf


def asked(text: str = "Go.", role: ModelRole = "worker", lane: str = "main", number: int = 1) -> ModelRequest:
    return ModelRequest(role, (user(text),), (READ,), 100, lane=lane, number=number)


class TestContract(ModelContract):
    gives_up = ScriptExhausted

    @pytest.fixture
    def model_of(self) -> ModelOf:
        async def make(*replies: Reply) -> Model:
            return ScriptedModel(*replies)

        return make


async def test_it_remembers_what_it_was_asked() -> None:
    """Each request is kept, and reads as a prompt."""
    model = ScriptedModel(says("a"), says("b"))
    await model.reply(asked("First."))
    await model.reply(asked("Second."))

    assert [prompt.last.text for prompt in model.prompts] == ["First.", "Second."]
    assert model.prompts[0].tools == ("files_read",)
    assert "Second." in model.prompts[1].text


async def test_roles_have_turns_of_their_own() -> None:
    """A role takes its own turns, and the others share the rest."""
    model = ScriptedModel(says("for all"), planner=[says("plan")])

    assert (await model.reply(asked(role="judge"))).text == "for all"
    assert (await model.reply(asked(role="planner"))).text == "plan"


async def test_lanes_have_turns_of_their_own() -> None:
    """A mapping gives each lane its turns, whichever lane comes first."""
    model = ScriptedModel(worker={"a": [says("in a")], "b": [says("in b")]})

    assert (await model.reply(asked(lane="b"))).text == "in b"
    assert (await model.reply(asked(lane="a"))).text == "in a"


async def test_a_request_that_is_made_again_gets_its_turn_again() -> None:
    """By number, a run that was killed before the reply was kept gets the same one."""
    model = ScriptedModel(worker=[says("one"), says("two")], by_number=True)

    texts = [(await model.reply(asked(number=n))).text for n in (1, 2, 2, 1)]
    assert texts == ["one", "two", "two", "one"]


async def test_a_turn_may_be_a_function() -> None:
    """A function of the request gives the reply."""
    model = ScriptedModel(lambda request: says(f"You said {request.messages[-1].text}"))

    assert (await model.reply(asked("hi"))).text == "You said hi"


async def test_a_turn_may_be_an_error() -> None:
    """An exception among the turns is raised, and the next request gets the next turn."""
    model = ScriptedModel(ModelUnavailable("gone"), says("back"))
    with pytest.raises(ModelUnavailable, match="gone"):
        await model.reply(asked())

    assert (await model.reply(asked())).text == "back"


async def test_an_exhausted_script_says_who_asked_what() -> None:
    """The error names the role, the lane, the request and its last message."""
    model = ScriptedModel(worker=[says("only one")])
    await model.reply(asked())
    with pytest.raises(ScriptExhausted) as caught:
        await model.reply(asked("What now?", number=2))

    assert "has 1 turns for the worker, and this is request 2" in str(caught.value)
    assert "What now?" in str(caught.value)


async def test_a_script_turn_is_one_fenced_block() -> None:
    """`script` writes what a model in code style writes."""
    model = ScriptedModel(script("print(1)"), style="code")

    assert model.style == "code"
    assert (await model.reply(asked())).text == "```python\nprint(1)\n```"


async def test_a_price_makes_replies_cost_something() -> None:
    """With a price, plausible usage is charged; usage that a turn names is charged exactly."""
    price = Price(prompt=Decimal(1), completion=Decimal(2))
    usage = {"prompt_tokens": 1_000_000, "completion_tokens": 500_000}
    model = ScriptedModel(says("hello"), Reply.model_validate({"text": "x", "usage": usage}), price=price)

    assert (await model.reply(asked())).cost_usd > 0
    assert (await model.reply(asked())).cost_usd == 2


async def test_call_ids_are_the_same_in_every_run() -> None:
    """Ids depend on lane, role and number only."""
    turn = calls(call("files_read", path="a"), call("files_read", path="b"))
    first = await ScriptedModel(turn).reply(asked())
    second = await ScriptedModel(turn).reply(asked())

    assert [c.id for c in first.calls] == [c.id for c in second.calls]
    assert all(len(c.id) == 9 and c.id.isalnum() for c in first.calls)
