"""What starting costs: CPU time (user + system) of whole processes; `python tests/bench/bench_startup.py`.

Budget: `--help` and `validate` take at most a third of `import openai`. The fastest of many tries counts,
taken in turns, since other work on the machine only ever adds. With `--smoke`: two tries and no verdict.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

GOAL = """\
goal: Find which services failed in logs/ and why. Write report.md.
done_when:
  - file: report.md
    contains: [payments]
  - run: python check_report.py
allow: {run: sandbox, web: ["*.wikipedia.org"], send: {mail: [anna@example.org]}}
limits: {usd: 2.00, steps: 60}
"""
OURS = [sys.executable, "-m", "autoagent"]
BUDGET = 1 / 3


def commands(home: Path) -> dict[str, list[str]]:
    """What is measured, by name."""
    goal = home / "goal.yaml"
    goal.write_text(GOAL)
    return {
        "python": [sys.executable, "-c", "pass"],
        "import openai": [sys.executable, "-c", "import openai"],
        "autoagent --help": [*OURS, "--help"],
        "autoagent run --help": [*OURS, "run", "--help"],
        "autoagent validate": [*OURS, "validate", str(goal)],
        "autoagent runs": [*OURS, "runs"],
        "autoagent approvals": [*OURS, "approvals"],
    }


def cpu_s(command: list[str], home: Path) -> float:
    """Seconds that the process used; modules may be compiled, as they are once installed."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        env={**kept, "AUTOAGENT_HOME": str(home / "home")},
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="two tries, no verdict")
    smoke: bool = parser.parse_args().smoke
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        measured = commands(home)
        taken: dict[str, list[float]] = {name: [] for name in measured}
        for _ in range(2 if smoke else 20):
            for name, command in measured.items():
                taken[name].append(cpu_s(command, home))
    best = {name: min(tries) for name, tries in taken.items()}
    for name, seconds in best.items():
        share = seconds / best["import openai"]
        sys.stdout.write(f"{name:<24}{seconds * 1000:>8.0f} ms{share:>8.2f} of import openai\n")
    within = all(
        best[name] <= BUDGET * best["import openai"] for name in ("autoagent --help", "autoagent validate")
    )
    sys.stdout.write("" if smoke else f"budget of {BUDGET:.2f}: {'kept' if within else 'EXCEEDED'}\n")
    return 0 if within or smoke else 1


if __name__ == "__main__":
    sys.exit(main())
