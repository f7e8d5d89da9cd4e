"""The list of all runs: what waits, what is at work, what has ended; the first minute, where none is."""
