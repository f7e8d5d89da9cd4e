"""What a run may still spend: reserved before a request, settled after it. Pure.

Parallel lanes can't overspend, because what others hold counts as spent until it is settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from autoagent.messages import Usage
from autoagent.ports import Price
from autoagent.state import RunState

COMPLETION_TOKENS = 4096
_MILLION = Decimal(1_000_000)
_LEAST = 64
"""Tokens; a completion that may be shorter than this can't hold a tool call."""
_ABSURD = 10_000_000


@dataclass(frozen=True)
class Reservation:
    """What a request may cost at most."""

    usd: Decimal
    tokens: int
    completion_tokens: int
    """The cap that is sent."""


@dataclass(frozen=True)
class Wait:
    """It would fit if the other lanes' requests cost less than they hold."""


@dataclass(frozen=True)
class Exhausted:
    """It does not fit any more."""

    why: str


def over_limit(state: RunState) -> str | None:
    """Which limit is reached, in words; `None` while all hold."""
    limits = state.limits
    if state.steps >= limits.steps:
        return f"the limit of {limits.steps} steps is reached"
    if state.seconds >= limits.minutes * 60:
        return f"the limit of {limits.minutes:g} minutes is reached"
    if state.tokens >= limits.tokens:
        return f"the limit of {limits.tokens} tokens is reached"
    if state.usd > limits.usd or (limits.usd and state.usd == limits.usd):
        return f"the limit of {limits.usd} USD is reached"
    return None


def share_spent(state: RunState) -> float:
    """The largest share of a limit on money or tokens that is spent, from 0 to 1."""
    limits = state.limits
    usd = float(state.usd / limits.usd) if limits.usd else 0.0
    return max(usd, state.tokens / limits.tokens if limits.tokens else 0.0)


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """US dollars."""
    return (price.prompt * prompt_tokens + price.completion * completion_tokens) / _MILLION


def reserve(
    state: RunState, price: Price, prompt_tokens: int, wanted: int = COMPLETION_TOKENS
) -> Reservation | Wait | Exhausted:
    """Room for a request whose prompt has at most `prompt_tokens`, with as long a completion as fits."""
    if why := over_limit(state):
        return Exhausted(why)
    held_usd = sum((h.usd for h in state.held.values()), Decimal(0))
    held_tokens = sum(h.tokens for h in state.held.values())
    left_usd = state.limits.usd - state.usd - held_usd
    left_tokens = state.limits.tokens - state.tokens - held_tokens
    cap = min(wanted, left_tokens - prompt_tokens)
    if price.completion > 0:
        affordable = (left_usd - cost(price, prompt_tokens, 0)) * _MILLION / price.completion
        cap = min(cap, int(affordable))
    elif cost(price, prompt_tokens, 0) > left_usd:
        cap = 0
    if cap >= min(_LEAST, wanted):
        usd = cost(price, prompt_tokens, cap)
        return Reservation(usd, prompt_tokens + cap, cap)
    if state.held:
        return Wait()
    return Exhausted(
        f"the next request could cost more than what is left: {left_tokens} tokens, {left_usd:.4f} USD"
    )


def prompt_bound(prompt_bytes: int, known_tokens: int, known_bytes: int) -> int:
    """Upper bound of a prompt's tokens: those last settled, plus one for each byte added since."""
    if known_tokens and prompt_bytes >= known_bytes:
        return known_tokens + (prompt_bytes - known_bytes)
    return prompt_bytes


def settle(reserved: Reservation, usage: Usage, price: Price) -> tuple[Decimal, int]:
    """(USD, tokens) of a request; missing or absurd counts settle at the estimate."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    estimate = reserved.tokens - reserved.completion_tokens
    if prompt is None or not 0 < prompt <= _ABSURD:
        prompt = estimate
    if completion is None or not 0 <= completion <= _ABSURD:
        completion = reserved.completion_tokens
    return cost(price, prompt, completion), prompt + completion
