"""The crash matrix: one rich run, ended by SIGKILL at every moment that matters, and resumed to its end.

`python -m tests.crash --help`; docs/reliability.md says what it shows.
"""
