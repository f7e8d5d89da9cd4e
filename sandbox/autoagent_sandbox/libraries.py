"""What a warm runner has loaded, so that jobs find it there, and what can be imported at all."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys

WARM = (
    "array",
    "base64",
    "bisect",
    "calendar",
    "collections",
    "concurrent.futures",
    "contextlib",
    "copy",
    "csv",
    "ctypes",
    "dataclasses",
    "datetime",
    "decimal",
    "difflib",
    "email",
    "enum",
    "fnmatch",
    "fractions",
    "functools",
    "glob",
    "hashlib",
    "heapq",
    "html",
    "http.client",
    "inspect",
    "itertools",
    "logging",
    "operator",
    "pathlib",
    "pickle",
    "platform",
    "pprint",
    "queue",
    "random",
    "secrets",
    "shlex",
    "shutil",
    "sqlite3",
    "statistics",
    "string",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "traceback",
    "typing",
    "unicodedata",
    "unittest",
    "urllib.parse",
    "urllib.request",
    "uuid",
    "xml.etree.ElementTree",
    "zipfile",
    "zoneinfo",
)
"""Imported before the first job, so that jobs find them loaded."""
HEAVY = {
    "numpy": ("numpy", "numpy.random"),
    "pandas": ("pandas",),
    "matplotlib": ("matplotlib.pyplot",),
}
"""Imported when a job has named them and nothing else is to do: pandas takes 0.6 s to import, and once it is
loaded every fork costs 8 ms more, so jobs that never use it shall not pay for it."""

PACKAGES_SHOWN = 60


def warm(name: str) -> None:
    """Import, and keep what was loaded out of the collector's way, so that children share its memory."""
    try:
        importlib.import_module(name)
    except ImportError as error:
        sys.stderr.write(f"could not load {name}: {error}\n")
    gc.collect()
    gc.freeze()


def heavy_libraries(source: str) -> list[str]:
    """Modules that jobs like this one want loaded and that aren't, in order."""
    named = [module for package, modules in HEAVY.items() if package in source for module in modules]
    return [m for m in named if m not in sys.modules and importlib.util.find_spec(m.partition(".")[0])]


def packages() -> list[str]:
    """What can be imported besides the standard library."""
    from importlib.metadata import packages_distributions

    hidden = {*sys.stdlib_module_names, "pip", "setuptools", "wheel", "pkg_resources", "_distutils_hack"}
    names = [n for n in packages_distributions() if n.isidentifier() and n[0] != "_" and n not in hidden]
    return sorted(names)[:PACKAGES_SHOWN]
