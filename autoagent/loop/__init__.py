"""One run from its goal to its end. Knows ports, never what stands behind them.

From above: `runtime` (a run), `scheduler` (its sub-tasks), `lane` (one of them), `calls` (one tool call).
"""
