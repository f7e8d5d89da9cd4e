"""Effects that are killed in the middle, and what a tool's probe says of them afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from autoagent.testing.conformance.arguments import Arguments
from autoagent.testing.conformance.attempts import Attempts, Scene
from autoagent.testing.conformance.script import Called
from autoagent.testing.conformance.watching import DEEDS
from autoagent.testing.http_world import HttpWorld
from autoagent.testing.rehearsal import World

if TYPE_CHECKING:
    from autoagent.testing.conformance.examining import Trial

MOST_KILLS = 4
"""Deeds of a call before which it is killed, each once."""
_ARRIVES_S = 20.0


@dataclass(frozen=True)
class Recovery:
    """Calls that are killed, and what the probe says then, in another process.

    Each in a world of its own, which may count the same again as nothing.
    """

    trial: Trial

    def run(self) -> None:
        """The probe before, after and after a killed effect, against what really happened.

        Nothing is killed where it is wrong undisturbed.
        """
        with self._world() as world, self.trial.examination.actor(world) as actor:
            stage = Attempts(self.trial, Scene(world, actor))
            if not self._may_act(stage):
                return
            deeds = self._whole(stage, world)
        if not self.trial.tool.has_probe or self.trial.verdict("probe") != "fine":
            return
        for number in range(1, min(deeds, MOST_KILLS) + 1):
            self._killed(number, f"when it was killed before deed {number} of a call")
        self._killed(0, "when it was killed after it had arrived")

    def _may_act(self, stage: Attempts) -> bool:
        """Whether some example acts outside; a tool's effect may depend on the arguments."""
        acting = any(stage.judge(args).effect == "external" for args in self.trial.examples(stage.scene))
        if not acting and self.trial.tool.effect == "external":
            self.trial.found.not_tried(self.trial.tool.name, "probe", "no example can be called")
        return acting

    def _acting(self, scene: Scene) -> Arguments:
        """The first example that acts outside."""
        stage = Attempts(self.trial, scene)
        return next(a for a in self.trial.examples(scene) if stage.judge(a).effect == "external")

    @contextmanager
    def _world(self) -> Iterator[World]:
        with self.trial.examination.world() as world:
            assert world is not None
            yield world

    def _whole(self, stage: Attempts, world: World) -> int:
        """A call that nothing disturbs, and one more with the same key; how many deeds it took."""
        tool, args, key = self.trial.tool, self._acting(stage.scene), self.trial.fresh_key()
        if tool.has_probe:
            self._agrees(stage.probe(args, key), happened=False, when="before the call")
        called = stage.call(args, key)
        if not called.ok:
            return 0  # told by `answers`
        if world.happened() == 0:
            self._wrong("it ended well, and nothing reached the world")
            return 0
        if tool.has_probe:
            self._agrees(stage.probe(args, key), happened=True, when="after the call")
        if tool.has_key:
            stage.call(args, key)
            if world.happened() > 1:
                self._wrong("declares an idempotency_key, and the world took a second call with the same key")
        self.trial.found.fine(tool.name, "probe")
        return sum(deed.kind in DEEDS for deed in called.deeds)

    def _killed(self, dies_at: int, when: str) -> None:
        """`kill -9` instead of the n-th deed; 0: as soon as the world has it, and nobody has heard."""
        examination, key = self.trial.examination, self.trial.fresh_key()
        with self._world() as world, TemporaryDirectory(prefix="autoagent-killed-") as top:
            with ExitStack() as held, examination.actor(world, Path(top)) as actor:
                if isinstance(world, HttpWorld):
                    held.enter_context(world.held())
                args = self._acting(Scene(world, actor))
                actor.begin(self.trial.calling("call", args, key, dies_at=dies_at))
                until = time.monotonic() + _ARRIVES_S
                while world.happened() == 0 and actor.is_alive and time.monotonic() < until:
                    time.sleep(0.002)
                actor.kill()
            with examination.actor(world, Path(top)) as prober:  # the same home, as after a restart
                called = Attempts(self.trial, Scene(world, prober)).probe(args, key)
                self._agrees(called, happened=world.happened() > 0, when=when)

    def _agrees(self, called: Called, *, happened: bool, when: str) -> None:
        if not called.ok or called.text not in _PROBED:
            said = called.text or called.refused or called.broken
            self._wrong(f"{when} its probe says {said!r}; expected one of {', '.join(_PROBED)}")
        elif happened and called.text == "'not_done'":
            self._wrong(f"{when} its probe says 'not_done', and it has happened: it would be done twice")
        elif not happened and called.text == "'done'":
            self._wrong(f"{when} its probe says 'done', and nothing has happened: it would be lost")
        if any(deed.kind in ("writes", "starts") for deed in called.deeds):
            self._wrong("its probe writes files or starts programs; it may only look")

    def _wrong(self, said: str) -> None:
        self.trial.found.wrong(self.trial.tool.name, "probe", said)


_PROBED = ("'done'", "'not_done'", "'unknown'", "'ask'")
