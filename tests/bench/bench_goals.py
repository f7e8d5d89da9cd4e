"""How many one-step goals a model carries out, and whether a wrong result ever ends with exit 0.

    OPENAI_BASE_URL=http://127.0.0.1:8100/v1 OPENAI_MODEL=small python tests/bench/bench_goals.py

Each goal brings a checker that works the answer out again and says only right or wrong; whether the result
really is right is then decided out here, from what the generator knows. `--smoke` needs no model: a scripted
one does one goal well and one badly.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from autoagent.goal import Allow, FileCriterion, Goal, Limits, RunCriterion, SubTask
from autoagent.loop.context import Models
from autoagent.outcome import Outcome
from autoagent.testing import ScriptedModel, script
from autoagent.testing.memory import DictMemory
from autoagent.wiring import Parts, start

WORDS = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "frost",
    "grove",
    "heron",
    "inlet",
    "kelp",
    "lotus",
    "maple",
)

Expected = dict[str, str]
"""Path -> content as it must be, or `None`-like `ABSENT`; compared by lines, without spaces at their ends."""
ABSENT = "\0absent"


@dataclass(frozen=True)
class Kind:
    """A kind of goal: its words, its inputs with the answer, and a checker that doesn't know the answer."""

    name: str
    goal: str
    output: str
    make: Callable[[random.Random, Path], Expected]
    check: str


def write(folder: Path, name: str, lines: list[str]) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("\n".join(lines) + "\n")


def sales(rng: random.Random, folder: Path) -> list[tuple[str, str, int]]:
    rows = [
        (rng.choice(WORDS), rng.choice(["north", "south", "east"]), rng.randrange(1, 500))
        for _ in range(rng.randrange(12, 30))
    ]
    write(folder, "sales.csv", ["item,region,amount", *(f"{p},{r},{a}" for p, r, a in rows)])
    return rows


def sum_column(rng: random.Random, folder: Path) -> Expected:
    return {"total.txt": str(sum(a for _, _, a in sales(rng, folder)))}


def largest_row(rng: random.Random, folder: Path) -> Expected:
    rows = sales(rng, folder)
    top = max(a for _, _, a in rows) + 7
    rows.insert(rng.randrange(len(rows)), ("zenith", "west", top))
    write(folder, "sales.csv", ["item,region,amount", *(f"{p},{r},{a}" for p, r, a in rows)])
    return {"largest.txt": f"zenith {top}"}


def filter_rows(rng: random.Random, folder: Path) -> Expected:
    rows = sales(rng, folder)
    return {
        "north.csv": "\n".join(["item,region,amount", *(f"{p},{r},{a}" for p, r, a in rows if r == "north")])
    }


def totals_by_region(rng: random.Random, folder: Path) -> Expected:
    rows = sales(rng, folder)
    regions = sorted({r for _, r, _ in rows})
    return {"regions.csv": "\n".join(f"{x},{sum(a for _, r, a in rows if r == x)}" for x in regions)}


def csv_to_json(rng: random.Random, folder: Path) -> Expected:
    rows = sales(rng, folder)
    return {"sales.json": json.dumps([{"item": p, "region": r, "amount": str(a)} for p, r, a in rows])}


def json_to_csv(rng: random.Random, folder: Path) -> Expected:
    people = [{"name": w, "age": rng.randrange(18, 90)} for w in rng.sample(WORDS, 8)]
    (folder / "people.json").write_text(json.dumps(people))
    return {"people.csv": "\n".join(["name,age", *(f"{p['name']},{p['age']}" for p in people)])}


def text(rng: random.Random, folder: Path) -> list[str]:
    lines = [" ".join(rng.choices(WORDS, k=rng.randrange(3, 9))) for _ in range(rng.randrange(20, 50))]
    write(folder, "text.txt", lines)
    return lines


def count_lines(rng: random.Random, folder: Path) -> Expected:
    return {"lines.txt": str(len(text(rng, folder)))}


def count_word(rng: random.Random, folder: Path) -> Expected:
    return {"count.txt": str(" ".join(text(rng, folder)).split().count("cedar"))}


def find_word(rng: random.Random, folder: Path) -> Expected:
    names = [f"notes/{w}.txt" for w in rng.sample(WORDS, 7)]
    chosen = set(rng.sample(names, 3))
    for name in names:
        lines = [" ".join(rng.choices(WORDS, k=5)) for _ in range(6)]
        if name in chosen:
            lines[rng.randrange(6)] += " password"
        write(folder, name, lines)
    return {"found.txt": "\n".join(sorted(chosen))}


def sort_lines(rng: random.Random, folder: Path) -> Expected:
    lines = [f"{rng.choice(WORDS)}{rng.randrange(100)}" for _ in range(25)]
    write(folder, "names.txt", lines)
    return {"sorted.txt": "\n".join(sorted(lines))}


def unique_lines(rng: random.Random, folder: Path) -> Expected:
    lines = rng.choices(WORDS, k=30)
    write(folder, "names.txt", lines)
    return {"unique.txt": "\n".join(sorted(set(lines)))}


def rename_files(rng: random.Random, folder: Path) -> Expected:
    expected: Expected = {}
    for word in rng.sample(WORDS, 5):
        content = f"{word} {rng.randrange(1000)}"
        write(folder, f"data/{word}.txt", [content])
        expected |= {f"data/{word}.md": content, f"data/{word}.txt": ABSENT}
    return expected


def replace_text(rng: random.Random, folder: Path) -> Expected:
    lines = text(rng, folder)
    return {"text.txt": "\n".join(x.replace("cedar", "willow") for x in lines)}


def extract_emails(rng: random.Random, folder: Path) -> Expected:
    emails = sorted({f"{w}@{rng.choice(WORDS)}.org" for w in rng.sample(WORDS, 6)})
    lines = [f"{rng.choice(WORDS)} wrote to {x} about {rng.choice(WORDS)}." for x in emails]
    rng.shuffle(lines)
    write(folder, "mails.txt", lines)
    return {"emails.txt": "\n".join(emails)}


def average(rng: random.Random, folder: Path) -> Expected:
    numbers = [rng.randrange(1, 1000) for _ in range(20)]
    write(folder, "numbers.txt", [str(n) for n in numbers])
    return {"average.txt": f"{sum(numbers) / 20:.2f}"}


def join_files(rng: random.Random, folder: Path) -> Expected:
    whole: list[str] = []
    for number in range(1, 5):
        lines = [" ".join(rng.choices(WORDS, k=4)) for _ in range(rng.randrange(2, 6))]
        write(folder, f"parts/part{number}.txt", lines)
        whole += lines
    return {"whole.txt": "\n".join(whole)}


ROWS = "rows = [x.split(',') for x in open('sales.csv').read().split('\\n')[1:] if x]\n"
LINES = "lines = [x for x in open('{0}').read().split('\\n') if x]\n"
OUT = "out = [x.strip() for x in open('{0}').read().strip().split('\\n')]\n"


def same(expression: str) -> str:
    return f"if out != {expression}:\n    print({WRONG!r})\n    exit(1)\n"


WRONG = "The result is not what the task asks for. Read the task again, word by word."
"""All that a checker says; the right answer would do the work for the model."""

KINDS = (
    Kind(
        "sum a column",
        "Add up the column amount of sales.csv. Write only the sum into total.txt.",
        "total.txt",
        sum_column,
        ROWS + OUT.format("total.txt") + same("[str(sum([int(r[2]) for r in rows]))]"),
    ),
    Kind(
        "largest row",
        "Find the row of sales.csv with the largest amount. Write its item and its amount, "
        "separated by one space, into largest.txt.",
        "largest.txt",
        largest_row,
        ROWS
        + OUT.format("largest.txt")
        + "top = max([int(r[2]) for r in rows])\n"
        + same("[r[0] + ' ' + r[2] for r in rows if int(r[2]) == top]"),
    ),
    Kind(
        "filter rows",
        "Write north.csv with the header of sales.csv and all its rows whose region is north, in "
        "the same order.",
        "north.csv",
        filter_rows,
        ROWS
        + OUT.format("north.csv")
        + same("['item,region,amount'] + [','.join(r) for r in rows if r[1] == 'north']"),
    ),
    Kind(
        "total by group",
        "For each region in sales.csv add up the amounts. Write regions.csv without a header: "
        "one line region,total for each region, sorted by region.",
        "regions.csv",
        totals_by_region,
        ROWS
        + OUT.format("regions.csv")
        + "names = sorted(set([r[1] for r in rows]))\n"
        + same("[n + ',' + str(sum([int(r[2]) for r in rows if r[1] == n])) for n in names]"),
    ),
    Kind(
        "CSV to JSON",
        "Convert sales.csv to sales.json: a JSON list with one object for each row, with the keys "
        "item, region and amount, all values as strings.",
        "sales.json",
        csv_to_json,
        "import json\n"
        + ROWS
        + "out = json.loads(open('sales.json').read())\n"
        + same("[{'item': r[0], 'region': r[1], 'amount': r[2]} for r in rows]"),
    ),
    Kind(
        "JSON to CSV",
        "Convert people.json to people.csv with the header name,age and one line for each person, "
        "in the same order.",
        "people.csv",
        json_to_csv,
        "import json\npeople = json.loads(open('people.json').read())\n"
        + OUT.format("people.csv")
        + same("['name,age'] + [p['name'] + ',' + str(p['age']) for p in people]"),
    ),
    Kind(
        "count lines",
        "Count the lines of text.txt. Write only the number into lines.txt.",
        "lines.txt",
        count_lines,
        LINES.format("text.txt") + OUT.format("lines.txt") + same("[str(len(lines))]"),
    ),
    Kind(
        "count a word",
        "Count how often the word cedar occurs in text.txt. Write only the number into count.txt.",
        "count.txt",
        count_word,
        LINES.format("text.txt")
        + OUT.format("count.txt")
        + same("[str(' '.join(lines).split().count('cedar'))]"),
    ),
    Kind(
        "find a word",
        "Find all files in the folder notes that contain the word password. Write their paths, "
        "such as notes/a.txt, sorted, one on each line, into found.txt.",
        "found.txt",
        find_word,
        "import os\nnames = sorted(['notes/' + n for n in os.listdir('notes')])\n"
        + OUT.format("found.txt")
        + same("[n for n in names if 'password' in open(n).read()]"),
    ),
    Kind(
        "sort lines",
        "Sort the lines of names.txt alphabetically and write them into sorted.txt.",
        "sorted.txt",
        sort_lines,
        LINES.format("names.txt") + OUT.format("sorted.txt") + same("sorted(lines)"),
    ),
    Kind(
        "unique lines",
        "Write the different lines of names.txt, each once, sorted, into unique.txt.",
        "unique.txt",
        unique_lines,
        LINES.format("names.txt") + OUT.format("unique.txt") + same("sorted(set(lines))"),
    ),
    Kind(
        "rename files",
        "Rename every file in the folder data that ends in .txt so that it ends in .md instead. "
        "Leave the contents as they are.",
        "data",
        rename_files,
        "import os\nnames = os.listdir('data')\n"
        "right = len(names) == 5 and all([n.endswith('.md') for n in names])\n"
        f"if not right:\n    print({WRONG!r})\n    exit(1)\n",
    ),
    Kind(
        "replace a word",
        "Replace every cedar in text.txt by willow, in the same file.",
        "text.txt",
        replace_text,
        "text = open('text.txt').read()\n"
        f"if 'cedar' in text or 'willow' not in text:\n    print({WRONG!r})\n    exit(1)\n",
    ),
    Kind(
        "extract addresses",
        "Find all e-mail addresses in mails.txt. Write them, sorted, one on each line, into emails.txt.",
        "emails.txt",
        extract_emails,
        LINES.format("mails.txt")
        + OUT.format("emails.txt")
        + same("sorted([w for x in lines for w in x.split() if '@' in w])"),
    ),
    Kind(
        "average",
        "Work out the average of the numbers in numbers.txt. Write only it, with exactly two decimals, "
        "into average.txt.",
        "average.txt",
        average,
        LINES.format("numbers.txt")
        + OUT.format("average.txt")
        + "mean = sum([int(x) for x in lines]) / len(lines)\n"
        + same("[f'{mean:.2f}']"),
    ),
    Kind(
        "join files",
        "Join part1.txt, part2.txt, part3.txt and part4.txt of the folder parts, in this order, "
        "into whole.txt.",
        "whole.txt",
        join_files,
        "lines = []\nfor n in [1, 2, 3, 4]:\n"
        "    lines = lines + [x for x in open(f'parts/part{n}.txt').read().split('\\n') if x]\n"
        + OUT.format("whole.txt")
        + same("lines"),
    ),
)


def goal_of(kind: Kind) -> Goal:
    """The goal with its checker; one fixed sub-task, so that no planner is called."""
    criteria = (
        *(() if kind.output == "data" else (FileCriterion(file=kind.output),)),
        RunCriterion(run="python check.py"),
    )
    return Goal(
        goal=kind.goal,
        done_when=criteria,
        allow=Allow(run="sandbox"),
        plan=(SubTask(id="do", title=kind.goal),),
        limits=Limits(steps=10, minutes=12),
        protect=("check.py",),
    )


def is_right(folder: Path, expected: Expected) -> bool:
    """From outside, with the generator's own answer."""
    return all(_matches(folder / path, content) for path, content in expected.items())


def _matches(file: Path, content: str) -> bool:
    if content == ABSENT or not file.is_file():
        return content == ABSENT and not file.exists()
    if file.suffix == ".json":
        try:
            return bool(json.loads(file.read_text()) == json.loads(content))
        except ValueError:
            return False
    return [x.strip() for x in file.read_text().strip().split("\n")] == content.split("\n")


@dataclass(frozen=True)
class Result:
    kind: str
    outcome: Outcome
    right: bool
    seconds: float

    @property
    def is_false_claim(self) -> bool:
        return self.outcome.exit_code == 0 and not self.right


async def one(kind: Kind, seed: int, parts: Parts, keep: Path | None) -> Result:
    folder = Path(tempfile.mkdtemp(prefix="goal-", dir=keep))
    expected = kind.make(random.Random(f"{kind.name}{seed}"), folder)
    (folder / "check.py").write_text(kind.check)
    began = time.monotonic()
    # what other goals left in memory is no part of this one
    outcome = await start(goal_of(kind), folder, parts=replace(parts, memory=DictMemory()))
    return Result(kind.name, outcome, is_right(folder, expected), time.monotonic() - began)


async def measure(
    kinds: list[Kind], instances: int, first: int, parts: Parts, keep: Path | None
) -> list[Result]:
    results = []
    for kind in kinds:
        for seed in range(first, first + instances):
            result = await one(kind, seed, parts, keep)
            results.append(result)
            said = "right" if result.right else "wrong"
            claim = "  FALSE CLAIM" if result.is_false_claim else ""
            ended = (
                f"exit {result.outcome.exit_code}  {result.outcome.steps:2} steps  {result.seconds:6.1f} s"
            )
            print(f"{kind.name:18} {seed:3}  {said}  {ended}{claim}", flush=True)
    return results


def report(results: list[Result]) -> None:
    proved = sum(r.right and r.outcome.exit_code == 0 for r in results)
    wrong = sum(not r.right for r in results)
    false = sum(r.is_false_claim for r in results)
    print(f"{proved} of {len(results)} right and proved ({100 * proved / len(results):.0f} %)")
    print(f"{false} false exit 0 of {wrong} wrong results")


def smoke() -> None:
    """One goal done well, one done badly, by a scripted model: the bad one must not end with exit 0."""
    good = script(
        "n = len(open('text.txt').read().splitlines())\nopen('lines.txt', 'w').write(str(n))\nfinish('ok')"
    )
    bad = script("open('lines.txt', 'w').write('none')\nfinish('ok')")
    kind = [k for k in KINDS if k.name == "count lines"]
    results = []
    for turns in ([good], [bad, bad, bad, bad, bad, bad, bad, bad, bad, bad]):
        model = ScriptedModel(*turns, style="code")
        parts = Parts(models=Models(model, model, model), home=Path(tempfile.mkdtemp()))
        results += asyncio.run(measure(kind, 1, 0, parts, None))
    report(results)
    assert [r.outcome.exit_code for r in results] == [0, 1], (
        "the scripted goals ended otherwise than expected"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=2, help="of each kind")
    parser.add_argument("--first", type=int, default=0, help="number of the first instance")
    parser.add_argument("--kind", help="only kinds whose name holds this")
    parser.add_argument("--keep", type=Path, help="a folder in which the workspaces are left")
    parser.add_argument("--smoke", action="store_true")
    args = parser.parse_args()
    if args.smoke:
        smoke()
        return
    kinds = [k for k in KINDS if not args.kind or args.kind in k.name]
    results = asyncio.run(measure(kinds, args.instances, args.first, Parts(), args.keep))
    report(results)
    sys.exit(1 if any(r.is_false_claim for r in results) else 0)


if __name__ == "__main__":
    main()
