"""What a run may still spend: reserved before a request, settled after it. Pure.

Parallel lanes can't overspend, because what others hold counts as spent until it is settled.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from autoagent.messages import Usage
from autoagent.ports import ModelRole, Price
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
    """Which limit is passed, in words; `None` while all hold: what the last reply asks for is still done."""
    limits = state.limits
    if state.steps > limits.steps:
        return _reached(f"{limits.steps} steps")
    if state.seconds >= limits.minutes * 60:
        return _reached(f"{limits.minutes:g} minutes")
    if state.tokens > limits.tokens:
        return _reached(f"{limits.tokens} tokens")
    if state.usd > limits.usd:
        return _reached(f"{limits.usd} USD")
    return None


def _reached(limit: str) -> str:
    return f"the limit of {limit} is reached"


def share_spent(state: RunState) -> float:
    """The largest share of a limit on money or tokens that is spent, from 0 to 1."""
    limits = state.limits
    usd = float(state.usd / limits.usd) if limits.usd else 0.0
    return max(usd, state.tokens / limits.tokens if limits.tokens else 0.0)


def cost(price: Price, prompt_tokens: int, completion_tokens: int) -> Decimal:
    """US dollars."""
    return (price.prompt * prompt_tokens + price.completion * completion_tokens) / _MILLION


def reserve(
    state: RunState,
    price: Price,
    prompt_tokens: int,
    wanted: int = COMPLETION_TOKENS,
    role: ModelRole = "worker",
) -> Reservation | Wait | Exhausted:
    """Room for a request whose prompt has at most `prompt_tokens`, with as long a completion as fits.

    Steps are replies of a worker: planner and judge are bound by the other limits only.
    """
    if why := over_limit(state):
        return Exhausted(why)
    held = state.held.values()
    if role == "worker" and state.steps + sum(h.role == "worker" for h in held) >= state.limits.steps:
        return (
            Wait() if state.steps < state.limits.steps else Exhausted(_reached(f"{state.limits.steps} steps"))
        )
    left_usd = state.limits.usd - state.usd - sum(h.usd for h in held)
    left_tokens = state.limits.tokens - state.tokens - sum(h.tokens for h in held)
    cap = min(wanted, left_tokens - prompt_tokens, _affordable(price, prompt_tokens, left_usd))
    if cap >= min(_LEAST, wanted):
        return Reservation(cost(price, prompt_tokens, cap), prompt_tokens + cap, cap)
    if held:
        return Wait()
    left = f"{left_usd:.4f} of {state.limits.usd} USD"
    if left_tokens - prompt_tokens < min(_LEAST, wanted):
        left = f"{left_tokens} of {state.limits.tokens} tokens"
    return Exhausted(f"the next request may cost more than is left: {left}")


def _affordable(price: Price, prompt_tokens: int, usd: Decimal) -> int:
    """How many tokens of a completion `usd` pays for, after the prompt; 0 or less for none."""
    left = usd - cost(price, prompt_tokens, 0)
    if left < 0 or price.completion == 0:
        return -1 if left < 0 else _ABSURD
    return int(left * _MILLION / price.completion)


def prompt_bound(prompt_bytes: int, known_tokens: int, known_bytes: int) -> int:
    """Upper bound of a prompt's tokens: those last settled, plus one for each byte added since."""
    if known_tokens and prompt_bytes >= known_bytes:
        return known_tokens + (prompt_bytes - known_bytes)
    return prompt_bytes


def settle(reserved: Reservation, usage: Usage, price: Price) -> tuple[Decimal, int]:
    """(USD, tokens) of a request; missing or absurd counts settle at the estimate."""
    prompt, completion = usage.prompt_tokens, usage.completion_tokens
    if prompt is None or not 0 < prompt <= _ABSURD:  # who counted no prompt hasn't counted the completion
        prompt, completion = reserved.tokens - reserved.completion_tokens, completion or None
    if completion is None or not 0 <= completion <= _ABSURD:
        completion = reserved.completion_tokens
    return cost(price, prompt, completion), prompt + completion
