# ruff: noqa: PTH103, PTH104, PTH106, PTH107, PTH110, PTH112, PTH118, PTH119, PTH123, PTH208
# (guest code is written with what monty has)
"""Small parts of the standard library that monty lacks, in the Python that monty has.

Each function here is one module: its source is fed to the interpreter, where it runs under the job's limits,
when a job's code imports that module. In CPython they give the same results as the modules they stand for,
which the tests check. Nothing here may use what is outside its own function.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

Names = dict[str, Any]
"""What a module holds: functions, classes and constants by name."""


def glob_module() -> Names:
    import os
    from pathlib import Path

    def has_magic(text: str) -> bool:
        return "*" in text or "?" in text or "[" in text

    def split(pattern: str) -> tuple[str, str]:
        names = pattern.split("/")
        plain = 0
        while plain < len(names) - 1 and not has_magic(names[plain]):
            plain += 1
        return "/".join(names[:plain]), "/".join(names[plain:])

    def is_hidden(found: str, pattern: str) -> bool:
        shows = [name for name in pattern.split("/") if name.startswith(".")]
        return not shows and any(name.startswith(".") for name in found.split("/"))

    def glob(pathname: str, *, root_dir: Any = None, recursive: bool = False) -> list[str]:
        folder, pattern = split(str(pathname))
        base = folder or ("/" if str(pathname).startswith("/") else "")
        where = os.path.join(str(root_dir), base) if root_dir else base or "."
        if not os.path.isdir(where):
            return []
        if not recursive:
            pattern = "/".join("*" if name == "**" else name for name in pattern.split("/"))
        found = [os.path.relpath(str(path), where) for path in Path(where).glob(pattern)]
        shown = [name for name in found if name != "." and not is_hidden(name, pattern)]
        return [os.path.join(base, name) if base else name for name in shown]

    return {"glob": glob, "iglob": glob, "has_magic": has_magic}


def shutil_module() -> Names:
    import os

    def copyfile(src: Any, dst: Any) -> Any:
        with open(src, "rb") as source:
            data = source.read()
        with open(dst, "wb") as target:
            target.write(data)
        return dst

    def into(src: Any, dst: Any) -> Any:
        return os.path.join(str(dst), os.path.basename(str(src).rstrip("/"))) if os.path.isdir(dst) else dst

    def copy(src: Any, dst: Any) -> Any:
        return copyfile(src, into(src, dst))

    def move(src: Any, dst: Any) -> Any:
        target = into(src, dst)
        if os.path.isdir(dst) and os.path.exists(target):
            raise OSError(f"Destination path '{target}' already exists")
        os.rename(src, target)
        return target

    def rmtree(path: Any, ignore_errors: bool = False) -> None:
        if not os.path.isdir(path):
            if ignore_errors:
                return
            raise FileNotFoundError(f"[Errno 2] No such file or directory: '{path}'")
        for name in os.listdir(path):
            inner = os.path.join(str(path), name)
            if os.path.isdir(inner):
                rmtree(inner)
            else:
                os.remove(inner)
        os.rmdir(path)

    def copytree(src: Any, dst: Any, dirs_exist_ok: bool = False) -> Any:
        os.makedirs(dst, exist_ok=dirs_exist_ok)
        for name in os.listdir(src):
            inner, target = os.path.join(str(src), name), os.path.join(str(dst), name)
            if os.path.isdir(inner):
                copytree(inner, target, dirs_exist_ok)
            else:
                copyfile(inner, target)
        return dst

    return {
        "copyfile": copyfile,
        "copy": copy,
        "copy2": copy,
        "move": move,
        "rmtree": rmtree,
        "copytree": copytree,
    }


def fnmatch_module() -> Names:
    import re

    def one_of(inside: str) -> str:
        out, at = "", 0
        while at < len(inside):
            first = last = inside[at]
            if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
                last = inside[at + 2]
                at += 2
            if first <= last:
                out += re.escape(first) + "-" + re.escape(last)
            at += 1
        return out

    def set_pattern(inside: str) -> str:
        negated = inside.startswith("!")
        members = one_of(inside[1:] if negated else inside)
        if not members:
            return "." if negated else "(?!)"
        return ("[^" if negated else "[") + members + "]"

    def translate(pat: str) -> str:
        out, at = "", 0
        while at < len(pat):
            char = pat[at]
            close = -1
            if char == "[":
                close = pat.find("]", at + (3 if pat[at + 1 : at + 2] == "!" else 2))
            if close > 0:
                out += set_pattern(pat[at + 1 : close])
                at = close
            else:
                out += ".*" if char == "*" else "." if char == "?" else re.escape(char)
            at += 1
        return "(?s:" + out + ")\\Z"

    def fnmatch(name: str, pat: str) -> bool:
        return re.match(translate(pat), name) is not None

    def keep(names: Iterable[str], pat: str) -> list[str]:
        return [name for name in names if fnmatch(name, pat)]

    return {"fnmatch": fnmatch, "fnmatchcase": fnmatch, "filter": keep}


def string_module() -> Names:
    lower = "abcdefghijklmnopqrstuvwxyz"
    digits = "0123456789"
    punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"

    def capwords(s: str, sep: str | None = None) -> str:
        return (sep or " ").join([word.capitalize() for word in s.split(sep)])

    return {
        "ascii_lowercase": lower,
        "ascii_uppercase": lower.upper(),
        "ascii_letters": lower + lower.upper(),
        "digits": digits,
        "hexdigits": digits + "abcdefABCDEF",
        "octdigits": "01234567",
        "punctuation": punctuation,
        "whitespace": " \t\n\r\x0b\x0c",
        "printable": digits + lower + lower.upper() + punctuation + " \t\n\r\x0b\x0c",
        "capwords": capwords,
    }


def statistics_module() -> Names:
    import math

    def several(data: Iterable[Any], least: int, name: str) -> list[Any]:
        values = list(data)
        if len(values) < least:
            raise ValueError(f"{name} requires at least {least} data point{'s' if least > 1 else ''}")
        return values

    def divided(total: Any, count: int) -> Any:
        return total // count if isinstance(total, int) and total % count == 0 else total / count

    def total_of(values: list[Any]) -> Any:
        return math.fsum(values) if any(isinstance(value, float) for value in values) else sum(values)

    def mean(data: Iterable[Any]) -> Any:
        values = several(data, 1, "mean")
        return divided(total_of(values), len(values))

    def fmean(data: Iterable[Any]) -> float:
        values = several(data, 1, "fmean")
        return math.fsum(values) / len(values)

    def median(data: Iterable[Any]) -> Any:
        values = sorted(several(data, 1, "median"))
        half = len(values) // 2
        return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2

    def median_low(data: Iterable[Any]) -> Any:
        values = sorted(several(data, 1, "median"))
        return values[(len(values) - 1) // 2]

    def median_high(data: Iterable[Any]) -> Any:
        values = sorted(several(data, 1, "median"))
        return values[len(values) // 2]

    def multimode(data: Iterable[Any]) -> list[Any]:
        counts: dict[Any, int] = {}
        for value in data:
            counts[value] = counts.get(value, 0) + 1
        most = max(counts.values(), default=0)
        return [value for value, count in counts.items() if count == most]

    def mode(data: Iterable[Any]) -> Any:
        return multimode(several(data, 1, "mode"))[0]

    def squares(values: list[Any], center: Any) -> Any:
        middle = mean(values) if center is None else center
        return total_of([(value - middle) ** 2 for value in values])

    def variance(data: Iterable[Any], xbar: Any = None) -> Any:
        values = several(data, 2, "variance")
        return divided(squares(values, xbar), len(values) - 1)

    def pvariance(data: Iterable[Any], mu: Any = None) -> Any:
        values = several(data, 1, "pvariance")
        return divided(squares(values, mu), len(values))

    def stdev(data: Iterable[Any], xbar: Any = None) -> float:
        return math.sqrt(variance(several(data, 2, "stdev"), xbar))

    def pstdev(data: Iterable[Any], mu: Any = None) -> float:
        return math.sqrt(pvariance(several(data, 1, "pstdev"), mu))

    return {
        "mean": mean,
        "fmean": fmean,
        "median": median,
        "median_low": median_low,
        "median_high": median_high,
        "mode": mode,
        "multimode": multimode,
        "variance": variance,
        "pvariance": pvariance,
        "stdev": stdev,
        "pstdev": pstdev,
    }


def heapq_module() -> Names:
    import bisect

    def heapify(heap: list[Any]) -> None:
        heap.sort()

    def heappush(heap: list[Any], item: Any) -> None:
        bisect.insort(heap, item)

    def heappop(heap: list[Any]) -> Any:
        return heap.pop(0)

    def nlargest(n: int, iterable: Iterable[Any], key: Any = None) -> list[Any]:
        return sorted(iterable, key=key, reverse=True)[: max(n, 0)]

    def nsmallest(n: int, iterable: Iterable[Any], key: Any = None) -> list[Any]:
        return sorted(iterable, key=key)[: max(n, 0)]

    return {
        "heapify": heapify,
        "heappush": heappush,
        "heappop": heappop,
        "nlargest": nlargest,
        "nsmallest": nsmallest,
    }


def operator_module() -> Names:
    def itemgetter(*keys: Any) -> Callable[[Any], Any]:
        return lambda row: row[keys[0]] if len(keys) == 1 else tuple([row[key] for key in keys])

    def attrgetter(*names: str) -> Callable[[Any], Any]:
        return lambda row: (
            getattr(row, names[0]) if len(names) == 1 else tuple([getattr(row, name) for name in names])
        )

    return {
        "itemgetter": itemgetter,
        "attrgetter": attrgetter,
        "add": lambda a, b: a + b,
        "sub": lambda a, b: a - b,
        "mul": lambda a, b: a * b,
        "truediv": lambda a, b: a / b,
    }


def io_module() -> Names:
    class StringIO:
        def __init__(self, initial_value: str = "") -> None:
            self.held = initial_value
            self.at = 0

        def read(self, size: int = -1) -> str:
            end = len(self.held) if size < 0 else self.at + size
            text = self.held[self.at : end]
            self.at += len(text)
            return text

        def readline(self) -> str:
            lines = self.held[self.at :].splitlines(True)
            line = lines[0] if lines else ""
            self.at += len(line)
            return line

        def readlines(self) -> list[str]:
            return self.read().splitlines(True)

        def write(self, text: str) -> int:
            self.held = self.held[: self.at] + text + self.held[self.at + len(text) :]
            self.at += len(text)
            return len(text)

        def getvalue(self) -> str:
            return self.held

        def seek(self, position: int) -> int:
            self.at = position
            return position

        def close(self) -> None:
            pass

        def __iter__(self) -> Any:
            return iter(self.readlines())

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *error: Any) -> None:
            pass

    return {"StringIO": StringIO}


def contextlib_module() -> Names:
    class suppress:
        def __init__(self, *kinds: Any) -> None:
            self.kinds = kinds

        def __enter__(self) -> None:
            pass

        def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
            return isinstance(error, self.kinds)

    return {"suppress": suppress}


def textwrap_module() -> Names:
    import re

    space, word, letter = r"[\t\n\x0b\x0c\r ]", r"[\w!\"'&.,?]", r"[^\d\W]"
    hyphened = rf"-(?:(?<={letter}{letter}-)|(?<={letter}-{word}-))(?={letter}-?{letter})"
    pieces = re.compile(
        rf"({space}+|(?<={word})-{{2,}}(?=\w)|[^\t\n\x0b\x0c\r ]+?"
        rf"(?:{hyphened}|(?={space}|\Z)|(?<={word})(?=-{{2,}}\w)))"
    )

    def chunks_of(text: str) -> list[str]:
        plain = re.sub(space, " ", text.expandtabs())
        return [chunk for chunk in pieces.split(plain) if chunk]

    def broken_at(chunk: str, room: int) -> int:
        hyphen = chunk.rfind("-", 0, room)
        return hyphen + 1 if hyphen > 0 and chunk[:hyphen].strip("-") else room

    def wrap(
        text: str, width: int = 70, *, initial_indent: str = "", subsequent_indent: str = ""
    ) -> list[str]:
        if width <= 0:
            raise ValueError(f"invalid width {width} (must be > 0)")
        chunks = chunks_of(text)
        lines: list[str] = []
        while chunks:
            indent = subsequent_indent if lines else initial_indent
            room = max(width - len(indent), 1)
            if lines and chunks[0].strip() == "":
                chunks.pop(0)
            parts: list[str] = []
            left = room
            while chunks and len(chunks[0]) <= left:
                left -= len(chunks[0])
                parts.append(chunks.pop(0))
            if chunks and len(chunks[0]) > room:
                cut = broken_at(chunks[0], left)
                parts.append(chunks[0][:cut])
                chunks[0] = chunks[0][cut:]
            if parts and parts[-1].strip() == "":
                parts.pop()
            if parts:
                lines.append(indent + "".join(parts))
        return lines

    def fill(text: str, width: int = 70, *, initial_indent: str = "", subsequent_indent: str = "") -> str:
        lines = wrap(text, width, initial_indent=initial_indent, subsequent_indent=subsequent_indent)
        return "\n".join(lines)

    def shorten(text: str, width: int, *, placeholder: str = " [...]") -> str:
        words = text.split()
        if len(" ".join(words)) <= width:
            return " ".join(words)
        while words and len(" ".join(words) + placeholder) > width:
            words.pop()
        return " ".join(words) + placeholder if words else placeholder.strip()

    def dedent(text: str) -> str:
        lines = [line if line.strip() else "" for line in text.split("\n")]
        margins = [line[: len(line) - len(line.lstrip())] for line in lines if line]
        margin = min(margins, key=len, default="")
        while margins and not all(other.startswith(margin) for other in margins):
            margin = margin[:-1]
        return "\n".join([line[len(margin) :] for line in lines])

    def indent(text: str, prefix: str, predicate: Any = None) -> str:
        chosen = predicate or (lambda line: line.strip() != "")
        return "".join([prefix + line if chosen(line) else line for line in text.splitlines(True)])

    return {"wrap": wrap, "fill": fill, "shorten": shorten, "dedent": dedent, "indent": indent}


MODULES: dict[str, Callable[[], Names]] = {
    "contextlib": contextlib_module,
    "fnmatch": fnmatch_module,
    "glob": glob_module,
    "heapq": heapq_module,
    "io": io_module,
    "operator": operator_module,
    "shutil": shutil_module,
    "statistics": statistics_module,
    "string": string_module,
    "textwrap": textwrap_module,
}

_NAMES = """
ToolError = RuntimeError
IOError = EnvironmentError = OSError
"""
"""What every program finds: the error of a tool's function, and two of CPython's names."""

_OFFER = """
class _Function:
    def __init__(self, call):
        self.call = call

    def __call__(self, *args, **kwargs):
        return self.call(*args, **kwargs)

_modules = {{
    name: {{key: value if isinstance(value, str) else _Function(value) for key, value in make().items()}}
    for name, make in [{pairs}]
}}
_modules
"""


def prelude(source: str) -> str:
    """Code that makes names for every program and the modules that `source` seems to import.

    Its last line says the modules: name -> what it holds.
    """
    wanted = [name for name in MODULES if re.search(rf"\b(?:import|from)\b[^\n]*\b{name}\b", source)]
    names = _NAMES + "".join(_KEPT.format(name=name) for name in _hidden(source))
    if not wanted:
        return f"{names}{{}}\n"
    code = "".join(inspect.getsource(MODULES[name]) for name in wanted)
    pairs = ", ".join(f"({name!r}, {MODULES[name].__name__})" for name in wanted)
    return names + code + _OFFER.format(pairs=pairs)


_KEPT = """
try:
    {name} = {name}
except NameError:
    pass
"""
"""Makes a builtin a name of the program's own."""


def _hidden(source: str) -> list[str]:
    """Builtins whose names are variables of comprehensions: outside of functions, monty 1.4 reads the builtin
    in place of the variable, without an error, unless the program has a name of its own like that.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # it says so when it is run
        return []
    targets = (node.target for node in ast.walk(tree) if isinstance(node, ast.comprehension))
    names = {inner.id for target in targets for inner in ast.walk(target) if isinstance(inner, ast.Name)}
    return sorted(name for name in names if hasattr(builtins, name))
