"""Replies as they come in, for whoever watches: a lossy socket a run, beside its journal.

The process that carries a run serves it (`live.serving`), a cockpit attends (`live.attending`). Nothing that
matters goes over it: each reply is recorded whole, and a run that can't be watched goes on just so.
"""
