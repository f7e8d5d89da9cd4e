"""Calls of one tool on a scene, each held against what it declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoagent.testing.conformance import judging
from autoagent.testing.conformance.actor import Actor
from autoagent.testing.conformance.arguments import Arguments
from autoagent.testing.conformance.script import Called
from autoagent.testing.rehearsal import World

if TYPE_CHECKING:
    from autoagent.testing.conformance.examining import Trial


@dataclass(frozen=True)
class Scene:
    """Where a plugin is tried."""

    world: World | None
    actor: Actor


@dataclass(frozen=True)
class Attempts:
    """A tool on stage: a process, and maybe a world. Each call's deeds are held against its effect."""

    trial: Trial
    scene: Scene

    @property
    def world(self) -> World | None:
        return self.scene.world

    def call(self, args: Arguments, key: str | None = None, cancel_after_s: float | None = None) -> Called:
        before = 0 if self.world is None else self.world.happened()
        called = self.scene.actor.call(self.trial.calling("call", args, key, cancel_after_s=cancel_after_s))
        self._hold_against(called, 0 if self.world is None else self.world.happened() - before)
        return called

    def probe(self, args: Arguments, key: str) -> Called:
        return self.scene.actor.call(self.trial.calling("probe", args, key))

    def judge(self, args: Arguments) -> Called:
        """What a call would do, without making it."""
        return self.scene.actor.call(self.trial.calling("judge", args))

    def _hold_against(self, called: Called, happened: int) -> None:
        trial, name = self.trial, self.trial.tool.name
        wrong = list(judging.of_deeds(called, trial.examination.rehearsal.starts))
        if happened and called.effect != "external":
            wrong.append(f"declares {called.effect!r}, and something happened outside: declare 'external'")
        for said in wrong:
            trial.found.wrong(name, "effect", said)
        if not wrong and called.effect:
            trial.found.fine(name, "effect")
