"""The checks of one plugin, from its import to a killed effect."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from itertools import count, islice
from pathlib import Path

from pydantic import JsonValue

from autoagent.testing.conformance import judging
from autoagent.testing.conformance.actor import Actor, Gone
from autoagent.testing.conformance.arguments import Arguments, Maker
from autoagent.testing.conformance.attempts import Attempts, Scene
from autoagent.testing.conformance.findings import CHECKS, CheckName, Findings, Report, Verdict
from autoagent.testing.conformance.killing import Recovery
from autoagent.testing.conformance.script import Calling, ToolSeen
from autoagent.testing.conformance.stage import GRACE_S
from autoagent.testing.http_world import HttpAnswer, HttpWorld
from autoagent.testing.rehearsal import Rehearsal, World, named

MOST_CALLS = 200
"""Hostile calls of one tool."""
_CALL_S = 20.0
_ODD_FILES: Mapping[str, bytes] = {
    "odd/big.txt": b"".join(b"line %d of a file that is large\n" % n for n in range(40_000)),
    "odd/empty": b"",
    "odd/latin-1.txt": "Grüße\n".encode("latin-1") * 3,
    "odd/naïve 文件 🙂.txt": b"a\tb\r\nc",
    "odd/picture.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
    "odd/numbers.csv": b"n,m\n1,2\n",
    "odd/data.json": b'{"a": [1, null]}',
}
_ODD_ANSWERS = (
    HttpAnswer(500, b"out of order"),
    HttpAnswer(200, b""),
    HttpAnswer(200, b"null", "application/json"),
    HttpAnswer(200, b'{"odd": [1]}', "application/json"),
    HttpAnswer(200, b"\xff\x00<\x1b[2J", "text/html; charset=no-such"),
)
_HUGE_BYTES = 9 << 20
"""More than a client takes by default."""
OF_CALLS: tuple[CheckName, ...] = ("answers", "hostile", "effect", "cancel")
UNTRIED: tuple[CheckName, ...] = ("hostile", "limits", "cancel")
SENT_ONCE: tuple[CheckName, ...] = ("hostile", "cancel")
NO_WORLD = "it acts outside, and nothing stands for that: give the rehearsal a world, or use --really-send"


@dataclass
class Examination:
    """Tries one plugin. A process that it spoils is replaced by a fresh one."""

    target: str
    rehearsal: Rehearsal
    really_send: bool = False
    found: Findings = field(default_factory=Findings)
    name: str = ""
    _scene: Scene | None = None
    _held: ExitStack = field(default_factory=ExitStack)

    def run(self) -> Report:
        """Every check of every tool; some seconds for all."""
        try:
            tools = self._opened()
            for tool in tools:
                Trial(self, tool).run()
        finally:
            self.leave()
        order = {name: number for number, name in enumerate(CHECKS)}
        names = tuple(tool.name for tool in tools)
        told = sorted(
            self.found.told(), key=lambda f: (names.index(f.tool) if f.tool else -1, order[f.check])
        )
        return Report(self.name or self.target, names, tuple(told))

    def _opened(self) -> tuple[ToolSeen, ...]:
        try:
            opened = self.scene().actor.opened
        except Gone as error:
            self.found.wrong("", "schema", f"it can't be loaded: {error}")
            return ()
        self.name = opened.name
        for said in judging.of_import(opened.deeds):
            self.found.wrong("", "effect", said)
        if opened.problem and opened.name and self.rehearsal == Rehearsal():
            self.found.not_tried("", "answers", f"it has no rehearsal to be opened with: {opened.problem}")
        elif opened.problem:
            self.found.wrong("", "schema", opened.problem)
        return opened.tools

    def scene(self) -> Scene:
        """The world and the process that calls are tried in, the same until it is left."""
        if self._scene is None:
            world = self._held.enter_context(self.world())
            self._scene = Scene(world, self._held.enter_context(self.actor(world)))
        return self._scene

    def leave(self) -> None:
        """The next scene is a fresh one."""
        self._scene = None
        self._held.close()

    def world(self) -> AbstractContextManager[World | None]:
        if self.rehearsal.world is None or self.really_send:
            return nullcontext()
        return self.rehearsal.world()

    def actor(self, world: World | None, top: Path | None = None) -> Actor:
        names = {} if world is None else world.names
        settings = named(dict(self.rehearsal.settings), names)
        assert isinstance(settings, dict)
        own = {p: c.encode() if isinstance(c, str) else c for p, c in self.rehearsal.files.items()}
        web = (f"127.0.0.1:{names['port']}",) if "port" in names else ()
        return Actor(
            self.target,
            files={**_ODD_FILES, **own},
            settings=settings or None,
            secrets=self.rehearsal.secrets,
            web=("*",) if self.really_send else web,
            may_reach_all=self.really_send,
            top=top,
        )


class Trial:
    """One tool, tried."""

    def __init__(self, examination: Examination, tool: ToolSeen) -> None:
        self.examination = examination
        self.tool = tool
        self.found = examination.found
        self._keys = (f"{number:032x}" for number in count(1))

    def run(self) -> None:
        """All checks. What acts outside is called only where something stands for the outside."""
        self._declared()
        for part in (self._called, self._cancelled):
            try:
                part()
            except Gone as error:
                self.examination.leave()
                self.found.wrong(self.tool.name, "hostile", f"it took its process along: {error}")
        if self.tool.effect in (None, "external") and self.verdict("probe") is None:
            self._recovered()

    def verdict(self, check: CheckName) -> Verdict | None:
        """The worst so far."""
        return self.found.worst(self.tool.name, check)

    def _declared(self) -> None:
        if not self.tool.is_opened:
            self._all("schema", judging.of_schema(self.tool))
        self._all("limits", judging.of_limits(self.tool))

    def _all(self, check: CheckName, wrong: Iterator[str]) -> None:
        """Every sentence, or fine."""
        is_fine = True
        for said in wrong:
            is_fine = False
            self.found.wrong(self.tool.name, check, said)
        if is_fine:
            self.found.fine(self.tool.name, check)

    # --- calls ----------------------------------------------------------------------------------------------

    def _called(self) -> None:
        """Examples, then hostile values."""
        stage = Attempts(self, self.examination.scene())
        examples = self.examples(stage.scene)
        if not self._may_call(stage, examples[0]):
            self._leave_out(OF_CALLS, NO_WORLD)
            return
        self._answers(stage, examples)
        if self.verdict("answers") == "wrong":
            self._leave_out(UNTRIED, "its example fails")
            if self.tool.effect == "external":
                self._leave_out(("probe",), "its example fails")
            return
        if self.examination.really_send:
            self._leave_out(SENT_ONCE, "with --really-send one example is sent")
            return
        self._hostile(stage, examples[0])
        self._large(stage, examples[0])

    def _leave_out(self, checks: tuple[CheckName, ...], why: str) -> None:
        for check in checks:
            self.found.not_tried(self.tool.name, check, why)

    def _may_call(self, stage: Attempts, args: Arguments) -> bool:
        if stage.world is not None or self.tool.effect in ("read", "write"):
            return True
        has_example = bool(self.examination.rehearsal.examples.get(self.tool.name))
        if self.examination.really_send and has_example:
            return True
        return self.tool.effect is None and stage.judge(args).effect != "external"

    def examples(self, scene: Scene) -> list[Arguments]:
        """The author's, with the world's names; else one that is made up."""
        given = self.examination.rehearsal.examples.get(self.tool.name, ())
        names = {} if scene.world is None else scene.world.names
        found = [named(dict(args), names) for args in given]
        return [args for args in found if isinstance(args, dict)] or [self.maker(scene.actor).plain()]

    def maker(self, actor: Actor) -> Maker:
        files = (*self.examination.rehearsal.files, *_ODD_FILES)
        return Maker(self.tool.parameters, self.tool.paths, files, (str(actor.canary),))

    def _answers(self, stage: Attempts, examples: list[Arguments]) -> None:
        given = bool(self.examination.rehearsal.examples.get(self.tool.name))
        for args in examples[:1] if self.examination.really_send else examples:
            called = stage.call(args)
            if called.ok:
                self.found.fine(self.tool.name, "answers")
            elif given:
                said = called.refused or called.broken or called.text
                self.found.wrong(
                    self.tool.name, "answers", f"the example {judging.shown(args)} fails: {said}"
                )
            else:
                why = "no example is given, and made-up arguments don't end well; add one to the rehearsal"
                self.found.not_tried(self.tool.name, "answers", why)

    def _hostile(self, stage: Attempts, base: Arguments) -> None:
        """Odd arguments; then odd answers to sound ones."""
        wrong: list[str] = []
        for args in islice(self.maker(stage.scene.actor).hostile(base), MOST_CALLS):
            if stage.world is None and self.tool.effect is None and stage.judge(args).effect == "external":
                continue
            if said := judging.of_words(self.tool, stage.call(args), args):
                wrong.append(said)
        if self.tool.destination and isinstance(stage.world, HttpWorld):
            for answer in _ODD_ANSWERS:
                with stage.world.answering(answer):
                    if said := judging.of_words(self.tool, stage.call(base), base):
                        wrong.append(f"{said} (where the server answers {answer.status} {answer.body!r})")
        self._all("hostile", judging.shortened(wrong))

    def _large(self, stage: Attempts, base: Arguments) -> None:
        """A large file in each place of a path; a large answer of the world."""
        files = [{**base, name: _alike(base.get(name), "odd/big.txt")} for name in self.tool.paths]
        for args in files:
            self._stays_small(stage, args)
        if self.tool.destination and isinstance(stage.world, HttpWorld):
            with stage.world.answering(HttpAnswer(200, b"x" * _HUGE_BYTES)):
                self._stays_small(stage, base)

    def _stays_small(self, stage: Attempts, args: Arguments) -> None:
        called = stage.call(args)
        if len(called.text) > self.tool.output_limit + 200:
            self.found.wrong(
                self.tool.name, "limits", f"{len(called.text)} characters came back for {judging.shown(args)}"
            )
        if said := judging.of_words(self.tool, called, args):
            self.found.wrong(self.tool.name, "limits", f"a large file or answer: {said}")

    def _cancelled(self) -> None:
        """A call that is under way is stopped: it must let go within the grace that a run gives."""
        if self.verdict("cancel") is not None:
            return
        scene = self.examination.scene()
        waits = isinstance(scene.world, HttpWorld)
        with scene.world.held() if isinstance(scene.world, HttpWorld) else nullcontext():
            args = self.examples(scene)[0]
            called = Attempts(self, scene).call(args, cancel_after_s=0.3 if waits else 0.02)
        if called.was_cancelled and called.seconds >= GRACE_S:
            self.examination.leave()  # the tool still goes on there
            self.found.wrong(
                self.tool.name,
                "cancel",
                f"goes on for more than {GRACE_S:g} s after it was cancelled: put what blocks into "
                "asyncio.to_thread, and let CancelledError through",
            )
        else:
            self.found.fine(self.tool.name, "cancel")

    # --- crashes --------------------------------------------------------------------------------------------

    def _recovered(self) -> None:
        """The probe before, after and after a killed effect, against what really happened."""
        name, found = self.tool.name, self.found
        if self.tool.effect is None and not self.tool.has_probe:
            return
        if not self.tool.has_probe and not self.tool.has_key:
            why = "it has neither probe nor idempotency_key: after a crash in the middle the person is asked"
            found.not_tried(name, "probe", why)
            return
        if self.examination.really_send or self.examination.rehearsal.world is None:
            found.not_tried(name, "probe", NO_WORLD)
            return
        try:
            Recovery(self).run()
        except Gone as error:
            found.wrong(name, "probe", f"it took its process along: {error}")

    def fresh_key(self) -> str:
        return next(self._keys)

    def calling(
        self,
        do: str,
        args: Mapping[str, JsonValue],
        key: str | None = None,
        *,
        cancel_after_s: float | None = None,
        dies_at: int = 0,
    ) -> Calling:
        assert do in ("call", "probe", "judge")
        return Calling(
            do=do,
            tool=self.tool.name,
            args=json.dumps(args),
            key=key or self.fresh_key(),
            timeout_s=min(self.tool.timeout_s, _CALL_S),
            cancel_after_s=cancel_after_s,
            dies_at=dies_at,
        )


def _alike(value: JsonValue, path: str) -> JsonValue:
    return [path] if isinstance(value, list) else path


def examine(target: str, rehearsal: Rehearsal | None = None, *, really_send: bool = False) -> Report:
    """Check the plugin at ``module:attribute``. Raises nothing that the plugin does.

    `really_send`: tools that act outside are called there, with the first of their examples.
    """
    return Examination(target, rehearsal or Rehearsal(), really_send).run()
