"""The cockpit: runs and their questions on a screen. Textual lives here and nowhere else.

It reads the journal and sends commands, as every other front end does: it carries no run, so its end is never
a run's. `view` turns state into lines without importing Textual; `watching` follows the journal in a thread.
"""
