"""What a model costs, and where the price comes from."""

from __future__ import annotations

from decimal import Decimal

import pytest

from autoagent.llm.prices import CAUTIOUS, cost_of, is_local, quote
from autoagent.messages import Usage
from autoagent.ports import Price

OPENAI = "https://api.openai.com/v1"


def test_the_settings_come_first() -> None:
    """A configured price holds, even on a local address."""
    price = Price(Decimal(1), Decimal(2))
    assert quote("m", "http://127.0.0.1:8100/v1", price).price == price


def test_a_local_model_costs_nothing() -> None:
    """On the user's own machine or network tokens are free."""
    found = quote("gpt-4o", "http://192.168.1.7:8000/v1")
    assert (found.price, found.source) == (Price(), "local")


def test_a_known_model_has_its_price() -> None:
    """The price of a well-known model at its maker's address is looked up."""
    found = quote("gpt-4o", OPENAI)
    assert (found.price, found.source) == (Price(Decimal("2.5"), Decimal(10)), "genai-prices")
    assert not found.note


def test_a_known_model_behind_a_proxy_has_its_price() -> None:
    """Where the address says nothing, the model's name does."""
    assert quote("gpt-4o", "https://proxy.example.com/v1").price == quote("gpt-4o", OPENAI).price


def test_an_unknown_model_is_counted_cautiously() -> None:
    """An unknown price isn't zero: the run is counted as dear, and the operator is told."""
    found = quote("our-own-model", "https://models.example.com/v1")
    assert (found.price, found.source) == (CAUTIOUS, "unknown")
    assert "set its `price` in config.toml" in found.note


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://localhost:11434/v1", True),
        ("http://127.0.0.1/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://10.1.2.3/v1", True),
        ("http://box.local:1234/v1", True),
        ("http://host.docker.internal:11434/v1", True),
        ("https://api.openai.com/v1", False),
        ("https://8.8.8.8/v1", False),
        ("https://localhost.example.com/v1", False),
        ("", False),
    ],
)
def test_local_addresses(address: str, local: bool) -> None:
    """Loopback and private addresses are local; names are taken by their own text."""
    assert is_local(address) is local


def test_cost_is_exact() -> None:
    """Costs are decimal: a million cheap tokens have no rounding in them."""
    price = Price(Decimal("0.15"), Decimal("0.6"))
    assert cost_of(Usage(prompt_tokens=1, completion_tokens=1), price) == Decimal("0.00000075")
    assert cost_of(Usage(), price) == 0
