"""One-step file jobs as models write them for CPython. `LACKING` says what monty can't run."""

from __future__ import annotations

from textwrap import dedent

FILES = {
    "sales.csv": "region,units,price\nnorth,3,2.50\nsouth,10,1.25\nnorth,4,2.50\n",
    "people.json": '[{"name": "Ada", "born": 1815}, {"name": "Alan", "born": 1912}]',
    "app.log": (
        "2024-11-20 10:00:01 INFO start\n2024-11-20 10:00:05 ERROR db: timeout\n"
        "2024-11-20 10:01:00 ERROR web: 500\n2024-11-20 10:02:00 INFO stop\n"
    ),
    "notes/a.txt": "alpha beta beta\n",
    "notes/b.txt": "gamma alpha\n",
    "config.toml": 'name = "demo"\nports = [80, 443]\n',
}

_SNIPPETS = {
    "sum a column": """
        import csv
        with open("sales.csv", newline="") as f:
            total = sum(int(row["units"]) * float(row["price"]) for row in csv.DictReader(f))
        print(f"{total:.2f}")
    """,
    "variables named like builtins": """
        people = [(1, "Ada"), (2, "Alan")]
        names = {id: name for id, name in people}
        print(names[1], [max for max in [3, 4]], max(3, 4), sum(len(list) for list in [[1], [2, 3]]))
    """,
    "csv to json": """
        import csv, json
        with open("sales.csv") as f:
            rows = list(csv.DictReader(f))
        with open("sales.json", "w") as f:
            json.dump(rows, f, indent=2)
        print(len(rows))
    """,
    "json to csv": """
        import csv, json
        people = json.load(open("people.json"))
        with open("people.csv", "w", newline="") as f:
            writer = csv.DictWriter(f, fieldnames=["name", "born"])
            writer.writeheader()
            writer.writerows(people)
    """,
    "group by": """
        import csv
        from collections import defaultdict
        totals = defaultdict(int)
        with open("sales.csv") as f:
            for row in csv.DictReader(f):
                totals[row["region"]] += int(row["units"])
        for region, units in sorted(totals.items()):
            print(region, units)
    """,
    "regex over a log": r"""
        import re
        errors = []
        for line in open("app.log"):
            m = re.match(r"(\S+) (\S+) ERROR (\w+): (.*)", line)
            if m:
                errors.append((m.group(2), m.group(3), m.group(4)))
        print(errors)
    """,
    "named groups": r"""
        import re
        text = open("app.log").read()
        pattern = re.compile(r"^(?P<day>\S+) (?P<time>\S+) (?P<level>[A-Z]+)", re.MULTILINE)
        print([m.groupdict()["level"] for m in pattern.finditer(text)])
    """,
    "replace in a file": """
        with open("notes/a.txt") as f:
            text = f.read()
        with open("notes/a.txt", "w") as f:
            f.write(text.replace("beta", "BETA"))
    """,
    "re.sub with a function": r"""
        import re
        text = open("notes/a.txt").read()
        print(re.sub(r"\b(\w)", lambda m: m.group(1).upper(), text))
    """,
    "count words": """
        from collections import Counter
        import re
        words = re.findall(r"[a-z]+", open("notes/a.txt").read().lower())
        for word, count in Counter(words).most_common(2):
            print(f"{word:<10}{count:>3}")
    """,
    "word count of a folder": """
        import os
        counts = {}
        for root, dirs, files in os.walk("notes"):
            for name in files:
                with open(os.path.join(root, name)) as f:
                    for word in f.read().split():
                        counts[word] = counts.get(word, 0) + 1
        print(sorted(counts.items(), key=lambda kv: (-kv[1], kv[0])))
    """,
    "rename files": """
        import os
        for i, name in enumerate(sorted(os.listdir("notes")), start=1):
            base, ext = os.path.splitext(name)
            os.rename(os.path.join("notes", name), os.path.join("notes", f"{i:03d}_{base}{ext}"))
        print(sorted(os.listdir("notes")))
    """,
    "glob": """
        import glob
        for path in sorted(glob.glob("notes/*.txt")):
            print(path, len(open(path).read()))
    """,
    "recursive glob": """
        import glob
        print(sorted(glob.glob("**/*.txt", recursive=True)))
    """,
    "pathlib glob": """
        from pathlib import Path
        for path in Path(".").rglob("*.txt"):
            path.with_suffix(".md").write_text("# " + path.stem + "\\n" + path.read_text())
        print(sorted(str(p) for p in Path("notes").glob("*.md")))
    """,
    "pathlib sorted": """
        from pathlib import Path
        for path in sorted(Path("notes").iterdir()):
            print(path.name, path.stat().st_size)
    """,
    "pathlib with encoding": """
        from pathlib import Path
        text = Path("notes/a.txt").read_text(encoding="utf-8")
        Path("copy.txt").write_text(text.upper(), encoding="utf-8")
    """,
    "make folders": """
        from pathlib import Path
        out = Path("out") / "deep"
        out.mkdir(parents=True, exist_ok=True)
        (out / "x.txt").write_text("x")
        print(out.exists(), (out / "x.txt").is_file())
    """,
    "copy and move": """
        import os, shutil
        os.makedirs("backup", exist_ok=True)
        shutil.copy("app.log", "backup")
        shutil.move("notes/a.txt", "backup/a.txt")
        shutil.copytree("notes", "backup/notes")
        shutil.rmtree("notes")
        print(sorted(os.listdir("backup")))
    """,
    "delete by pattern": """
        import os
        for name in os.listdir("notes"):
            if name.endswith(".txt") and os.path.getsize(os.path.join("notes", name)) > 13:
                os.remove(os.path.join("notes", name))
        print(os.listdir("notes"))
    """,
    "sort lines": """
        with open("notes/a.txt") as f:
            words = f.read().split()
        words.sort(key=str.lower, reverse=True)
        print(words)
    """,
    "sort records": """
        import json
        people = json.load(open("people.json"))
        people.sort(key=lambda p: p["born"], reverse=True)
        print([p["name"] for p in people])
    """,
    "itemgetter": """
        import json
        from operator import itemgetter
        print([p["name"] for p in sorted(json.load(open("people.json")), key=itemgetter("born"))])
    """,
    "parse dates": """
        from datetime import datetime, timedelta
        stamps = [datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S") for line in open("app.log")]
        span = max(stamps) - min(stamps)
        print(span.total_seconds(), (stamps[0] + timedelta(days=11)).strftime("%d %b %Y"))
    """,
    "iso dates": """
        from datetime import date, datetime
        print(date.fromisoformat("2024-02-29").weekday(), datetime(2024, 3, 1, 12).isoformat())
    """,
    "f-strings": """
        for name, value in {"a": 1234567.891, "b": 0.5}.items():
            print(f"{name!r:>5} | {value:>15,.2f} | {value:.1%} | {value:e}")
    """,
    "comprehensions": """
        squares = {n: n * n for n in range(5) if n % 2 == 0}
        pairs = [(a, b) for a in "ab" for b in range(2)]
        print(squares, pairs, {len(w) for w in ["a", "bb"]}, [*squares, *"xy"])
    """,
    "statistics": """
        import statistics
        prices = [2.5, 1.25, 2.5, 4.0]
        print(statistics.mean(prices), statistics.median(prices), round(statistics.stdev(prices), 3))
    """,
    "itertools groupby": """
        from itertools import groupby, chain
        rows = [line.split(",") for line in open("sales.csv").read().splitlines()[1:]]
        rows.sort(key=lambda r: r[0])
        print({k: sum(int(r[1]) for r in g) for k, g in groupby(rows, key=lambda r: r[0])})
        print(list(chain([1], [2, 3])))
    """,
    "textwrap": """
        import textwrap
        text = "The quick brown fox jumps over the well-known lazy dog " * 2
        print(textwrap.fill(text, width=30))
        print(textwrap.dedent("    a\\n      b\\n"))
    """,
    "string constants": """
        import string
        text = open("app.log").read()
        print("".join(c for c in text[:30] if c not in string.punctuation and c in string.printable))
    """,
    "translate": """
        import string
        text = "Hello, world!"
        print(text.translate(str.maketrans("", "", string.punctuation)))
    """,
    "read toml": """
        import tomllib
        with open("config.toml", "rb") as f:
            config = tomllib.load(f)
        print(config["name"], sum(config["ports"]))
    """,
    "markdown table": """
        import csv
        rows = list(csv.reader(open("sales.csv")))
        lines = ["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0])]
        lines += ["| " + " | ".join(row) + " |" for row in rows[1:]]
        open("sales.md", "w").write("\\n".join(lines) + "\\n")
    """,
    "hash files": """
        import hashlib
        for name in ["app.log", "sales.csv"]:
            with open(name, "rb") as f:
                print(name, hashlib.sha256(f.read()).hexdigest()[:12])
    """,
    "generator function": """
        def numbered(path):
            with open(path) as f:
                for n, line in enumerate(f, 1):
                    yield n, line.strip()
        for n, line in numbered("notes/a.txt"):
            print(n, line)
    """,
    "dataclass": """
        from dataclasses import dataclass, field
        @dataclass
        class Item:
            name: str
            tags: list = field(default_factory=list)
        item = Item("x")
        item.tags.append("t")
        print(item)
    """,
    "own exception": """
        class Missing(Exception):
            pass
        try:
            raise Missing("x")
        except Missing as e:
            print("missing", e)
    """,
    "del a key": """
        import json
        people = json.load(open("people.json"))
        for p in people:
            del p["born"]
        json.dump(people, open("names.json", "w"))
    """,
    "try and report": """
        for name in ["app.log", "missing.txt"]:
            try:
                with open(name) as f:
                    print(name, len(f.readlines()))
            except FileNotFoundError:
                print(name, "not found")
    """,
    "main guard": """
        import sys
        def main():
            print("args:", len(sys.argv) - 1)
        if __name__ == "__main__":
            main()
    """,
    "sys.exit": """
        import sys
        if len(open("app.log").read()) > 10:
            print("fine")
            sys.exit(0)
    """,
    "append to a log": """
        with open("app.log", "a") as f:
            for i in range(3):
                print(f"line {i}", file=f)
    """,
    "join lines": """
        lines = [line.strip() for line in open("notes/a.txt")]
        with open("joined.txt", "w") as f:
            f.writelines(line + "\\n" for line in lines)
    """,
    "csv through io": """
        import csv, io
        out = io.StringIO()
        csv.writer(out).writerow(["a", "b,c"])
        print(repr(out.getvalue()))
        print(list(csv.DictReader(io.StringIO("x,y\\n1,2\\n"))))
    """,
    "set arithmetic": """
        a = set(open("notes/a.txt").read().split())
        b = set(open("notes/b.txt").read().split())
        print(sorted(a & b), sorted(a - b), sorted(a | b), sorted(a ^ b))
    """,
    "zip and enumerate": """
        names, values = ["a", "b"], [1, 2]
        for i, (n, v) in enumerate(zip(names, values), 1):
            print(i, n, v, sep=": ")
        print(dict(zip(names, values)), any(v > 1 for v in values), all(values))
    """,
    "math": """
        import math
        print(round(math.sqrt(2), 4), math.ceil(1.2), math.gcd(12, 18), math.isclose(0.1 + 0.2, 0.3))
    """,
    "fnmatch": """
        import fnmatch, os
        names = sorted(os.listdir("notes")) + ["c.TXT", "d1.md"]
        print(fnmatch.filter(names, "*.txt"), [n for n in names if fnmatch.fnmatch(n, "[!ab][0-9].md")])
    """,
    "heap": """
        import heapq
        print(heapq.nlargest(2, [3, 9, 4]), heapq.nsmallest(1, ["b", "a"], key=lambda s: s))
    """,
    "binary search": """
        import bisect
        scores = [10, 20, 30]
        bisect.insort(scores, 25)
        print(scores, bisect.bisect_left(scores, 20))
    """,
    "recursion": """
        def flatten(value):
            if isinstance(value, list):
                return [x for item in value for x in flatten(item)]
            return [value]
        print(flatten([1, [2, [3, 4]], 5]))
    """,
    "closure and nonlocal": """
        def counter():
            n = 0
            def step():
                nonlocal n
                n += 1
                return n
            return step
        step = counter()
        step()
        print(step())
    """,
    "match statement": """
        def kind(value):
            match value:
                case {"name": str(name)}:
                    return name
                case [first, *_]:
                    return first
                case _:
                    return "other"
        print(kind({"name": "Ada"}), kind([1, 2]), kind(3))
    """,
    "pandas": """
        import pandas as pd
        print(pd.read_csv("sales.csv").groupby("region").units.sum())
    """,
}

SNIPPETS = {name: dedent(code).lstrip() for name, code in _SNIPPETS.items()}

LACKING = {
    "re.sub with a function": "loop over re.finditer",
    "pathlib sorted": "sorted(paths, key=lambda p: str(p))",
    "pathlib with encoding": "leave encoding out",
    "sort lines": "no str.lower; write lambda s: s.lower()",
    "translate": "no str.maketrans",
    "generator function": "no yield expressions; build a list",
    "own exception": "no class inheritance",
    "del a key": "use d.pop(key)",
    "sys.exit": "use exit(n)",
    "append to a log": "use f.write(",
    "join lines": "use f.write(''.join(lines))",
    "pandas": "no module 'pandas'; use csv.DictReader",
}
"""What monty can't run -> the hint that its failure gives."""
