"""What runs inside a sandbox container, and the image it runs in; data for the Docker adapter.

The adapter sends the modules named in `GUEST_MODULES` down a fresh container's stdin (`BOOT` receives them),
so the runner always is the host's own version, whatever image it runs in. They use the standard library only
and are never imported by the host, but for `wire`.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources

GUEST_MODULES = ("wire", "seccomp", "workspace", "output", "libraries", "processes", "job", "runner")
"""In the order in which they import each other."""

BOOT = """
import json, sys, types
size = int.from_bytes(sys.stdin.buffer.raw.read(4), 'big')
data = b''
while len(data) < size:
    more = sys.stdin.buffer.raw.read(size - len(data))
    if not more:
        sys.exit('the host went away')
    data += more
sys.modules['autoagent_sandbox'] = types.ModuleType('autoagent_sandbox')
for name, source in json.loads(data):
    module = types.ModuleType('autoagent_sandbox.' + name)
    sys.modules[module.__name__] = module
    exec(compile(source, '<' + module.__name__ + '>', 'exec'), module.__dict__)
sys.modules['autoagent_sandbox.runner'].main()
"""
"""What `python3 -I -c` starts as PID 1: reads the modules and runs the last one."""


def guest_program() -> bytes:
    """What `BOOT` expects on stdin: a length, then the modules as JSON."""
    here = resources.files(__name__)
    modules = [(name, (here / f"{name}.py").read_text("utf-8")) for name in GUEST_MODULES]
    data = json.dumps(modules).encode()
    return len(data).to_bytes(4, "big") + data


def image_files() -> dict[str, bytes]:
    """What the image is built from, by name."""
    return {f.name: f.read_bytes() for f in (resources.files(__name__) / "image").iterdir() if f.is_file()}


def image_name() -> str:
    """The image's name; its tag is a hash of what it is built from, so a change is another image."""
    parts = [name.encode() + b"\0" + data for name, data in sorted(image_files().items())]
    return "autoagent-sandbox:" + hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
