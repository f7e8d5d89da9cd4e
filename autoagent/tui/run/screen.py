"""The screen of one run: its keys, and what a person does to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from autoagent.commands import Command
from autoagent.tui.run.looking import LookingCloser
from autoagent.tui.run.steering import raised, words

if TYPE_CHECKING:
    from autoagent.tui.app import Cockpit


class RunScreen(LookingCloser):
    """One run: left the plan and the criteria, right what it does. Enter unfolds a row in place.

    Closing this leaves the run going.
    """

    CSS = """
    RunScreen > #title, RunScreen > #brief, RunScreen > #gauges, RunScreen > #steer { height: 1; }
    RunScreen #plan { width: 36%; max-width: 44; border: round $quiet; }
    RunScreen #views { width: 1fr; }
    RunScreen #views > Lines { border: round $quiet; }
    RunScreen #plan:focus, RunScreen #views > Lines:focus { border: round $primary; }
    RunScreen #plan.-maximized { width: 1fr; max-width: 100%; }
    RunScreen > #field { display: none; height: 1; }
    RunScreen > #brief, RunScreen > #steer { display: none; }
    RunScreen.narrow > #brief, RunScreen.steered > #steer { display: block; }
    RunScreen.narrow #plan { display: none; }
    RunScreen.narrow.planned #plan { display: block; width: 1fr; max-width: 100%; }
    RunScreen.narrow.planned #views { display: none; }
    """
    PANES: ClassVar[Mapping[str, str]] = {
        "plan": "The sub-tasks with the time and the money that each took, and what shall be true in the "
        "end. Enter shows what the journal holds of a row, w what led to it.",
        "activity": "What the run does, a row a call, with the first lines of what came out. Enter unfolds a "
        "row in place, z all of them; whatever stands behind │ was written by a model, a tool or a file.",
        "files": "What differs from the start, below each path the steps that made it so, then what was only "
        "read. Enter on a path shows its changes in order, on a step what that step changed.",
        "evidence": "Each criterion with its verdict, why, who said so and when, and the command that checks "
        "it again; below, what was recalled of earlier runs, from which, and why.",
        "field": "One line, sent with enter; esc leaves it.",
    }
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("1", "view('plan')", "plan", id="run.plan"),
        Binding("2", "view('activity')", "activity", id="run.activity"),
        Binding("3", "view('files')", "files", tooltip="What it has changed", id="run.files"),
        Binding("4", "view('evidence')", "evidence", tooltip="What is proved, and how", id="run.evidence"),
        Binding("s", "steer", "steer", tooltip="Say something to the agent", id="run.steer"),
        Binding("space", "pause", "pause", tooltip="Hold still, and go on", id="run.pause"),
        Binding("slash", "find", "find", key_display="/", tooltip="Words, folded or not", id="run.find"),
        Binding("z", "fold", "fold", tooltip="Fold what is unfolded; else unfold all", id="run.fold"),
        Binding("w", "why", "why", tooltip="What led to the line under the cursor", id="run.why"),
        Binding("d", "diff", "diff", tooltip="All lines that it has changed", id="run.diff"),
        Binding("p", "past", "past", tooltip="The run as it was, step by step", id="run.past"),
        Binding("l", "limit", "limit", tooltip="Raise a limit: usd 3, steps 80", id="run.limit"),
        Binding("r", "resume", "resume", id="run.resume"),
        Binding("c", "cancel", "cancel", tooltip="End it for good; asks", id="run.cancel"),
        Binding("n", "match(1)", "next match", show=False, id="run.next_match"),
        Binding("N", "match(-1)", "match before", show=False, id="run.match_before"),
        Binding("o", "page", "page", tooltip="All of an entry, as a page", show=False, id="run.page"),
        Binding("tab", "app.focus_next", "next pane", show=False, id="run.next_pane"),
        Binding("shift+tab", "app.focus_previous", "pane before", show=False, id="run.pane_before"),
        Binding("ctrl+o", "jump", "jump", tooltip="A letter on each pane", show=False, id="run.jump"),
        Binding("f10", "whole", "whole", tooltip="The pane on the whole screen", show=False, id="run.whole"),
        Binding("escape", "back", "back", id="run.back", priority=True),
    ]

    app: Cockpit

    # --- doing ----------------------------------------------------------------------------------------------

    def action_past(self) -> None:
        from autoagent.tui.past.screen import PastScreen

        at = self.feed.item if not self.feed.follows else None
        self.app.push_screen(PastScreen(self.run_id, 0 if at is None else self.feed.stream.items[at].seq))

    def action_steer(self) -> None:
        self._write("what the agent should know before its next step", lambda text: self._send(words(text)))

    def action_limit(self) -> None:
        what = "a limit and its new value: usd 3, steps 80, minutes 60, tokens 500000"
        self._write(what, lambda text: self._send(raised(text)))

    def _send(self, command: Command | str) -> bool:
        """A text says what is wrong with what was typed."""
        is_one = not isinstance(command, str)
        self.tell(self.app.orders.send(self.run_id, command) if not isinstance(command, str) else command)
        self._show()
        return is_one

    def action_pause(self) -> None:
        self.app.tell(self.app.orders.pause(self.run_id))

    def action_back(self) -> None:
        """Out of the field, of the search, of a pane over the whole screen; or back to the list."""
        if self._typed is not None:
            self._close_field()
        elif self.feed.marked:
            self.feed.sought("")
            self.tell("")
        elif self.maximized is not None:
            self.minimize()
        else:
            self.app.action_leave()

    def action_resume(self) -> None:
        self.app.tell(self.app.orders.resume(self.run_id))

    def action_cancel(self) -> None:
        """The second time it is done."""
        if self._cancelling:
            self.app.tell(self.app.orders.cancel(self.run_id))
        else:
            key = self.app.first_key("run.cancel")
            self.tell(f"{key} once more ends run {self.run_id} for good; any other key leaves it")
        self._cancelling = not self._cancelling

    def on_key(self, event: object) -> None:
        if getattr(event, "key", "") != "c":
            self._cancelling = False
