"""The cockpit: runs and their questions on a screen. Textual lives here and nowhere else.

It reads the journal and sends commands, as every other front end does: it carries no run, so its end is never
a run's. A folder a screen, with the pure modules that say what it shows; `watching` follows the journal in a
thread, `drawing` is what all screens are made of.
"""
