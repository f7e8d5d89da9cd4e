"""The command line. Its modules import Typer and nothing heavy; each command's body imports what it needs.

`autoagent --help` and `autoagent validate` cost less than a third of importing a model client
(tests/bench/bench_startup.py).
"""
