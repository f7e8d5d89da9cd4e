"""A Docker engine: starts and removes locked-down containers.

The only module that imports `docker`, and only when an engine is asked for. Every method blocks, and what
fails comes out as `SandboxUnavailable`.
"""

from __future__ import annotations

import io
import os
import re
import socket
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from autoagent.errors import SandboxUnavailable
from autoagent.ids import new_id
from autoagent.sandboxes.limits import Limits
from autoagent_sandbox import BOOT, image_files

if TYPE_CHECKING:
    import docker

IMAGE_VARIABLE = "AUTOAGENT_SANDBOX_IMAGE"
USUAL_ADDRESS = "unix:///var/run/docker.sock"
CONNECT_S = 5.0
ANSWER_S = 60
BUILD_S = 1800
NOBODY = 10001
"""User and group in the container where the host's user is root."""

LABEL = "autoagent"
T = TypeVar("T")

ENVIRONMENT = {
    "HOME": "/tmp",
    "USER": "sandbox",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "MPLBACKEND": "Agg",
    "MPLCONFIGDIR": "/tmp/matplotlib",
    # one processor: more threads cost memory, and a process with threads can't be forked safely
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Container:
    """A started container and our end of its stream."""

    id: str
    stream: socket.socket


@dataclass(frozen=True)
class Listed:
    """A container as the engine lists it."""

    id: str
    lane: str
    owner: str
    """See `this_process`."""


class Engine:
    """A Docker engine; every method blocks and raises `SandboxUnavailable`."""

    def __init__(self, api: docker.APIClient) -> None:
        self._api = api

    @classmethod
    def connect(cls, timeout_s: float = CONNECT_S) -> Engine:
        import docker

        address = _address(docker)
        try:
            _knock(str(address.get("base_url", USUAL_ADDRESS)), timeout_s)
            api = docker.APIClient(version="auto", timeout=timeout_s, **address)  # type: ignore[arg-type]
        except (docker.errors.DockerException, OSError) as error:
            raise SandboxUnavailable(
                f"no Docker engine answered ({error}); start Docker, or set DOCKER_HOST to where it listens"
            ) from error
        api.timeout = ANSWER_S
        return cls(api)

    def close(self) -> None:
        self._api.close()

    def version(self) -> str:
        return str(self._ask(self._api.version)["Version"])

    def has_image(self, name: str) -> bool:
        import docker

        try:
            self._ask(lambda: self._api.inspect_image(name))  # type: ignore[no-untyped-call]
        except SandboxUnavailable as error:
            if isinstance(error.__cause__, docker.errors.NotFound):
                return False
            raise
        return True

    def build_image(self, name: str) -> None:
        """Build the shipped image; needs an image registry and a package index."""
        lines = self._ask(
            lambda: list(
                self._api.build(
                    fileobj=_as_tar(image_files()),
                    custom_context=True,
                    tag=name,
                    rm=True,
                    forcerm=True,
                    decode=True,
                    timeout=BUILD_S,
                )
            )
        )
        failed = next((str(line["error"]).strip() for line in lines if "error" in line), "")
        if failed or not self.has_image(name):
            raise SandboxUnavailable(
                f"the sandbox image {name} can't be built: {failed or 'no reason was given'}; connect to the "
                f"internet and try again, or set {IMAGE_VARIABLE} to an image with Python 3.11 or newer"
            )

    def start(
        self, image: str, run_id: str, lane: str, limits: Limits, *, keep: bool, runtime: str | None
    ) -> Container:
        """Create, attach, start. A kept container stays when it exits, until it is removed."""
        id = str(self._ask(lambda: self._create(image, run_id, lane, limits, keep, runtime))["Id"])
        try:
            stream = self._ask(lambda: self._attach(id))
        except BaseException:
            self.remove(id)
            raise
        try:
            self._ask(lambda: self._api.start(id))
        except BaseException:
            stream.close()
            self.remove(id)
            raise
        return Container(id, stream)

    def remove(self, id: str) -> None:
        """Kill and remove, and wait until it is gone; nothing happens where it is."""
        if self._unless_gone(lambda: self._api.remove_container(id, force=True, v=True)):
            # it ended by itself, and the engine is removing it already
            self._unless_gone(lambda: self._api.wait(id, timeout=ANSWER_S, condition="removed"))

    def exit_status(self, id: str) -> int:
        """How the container's first process exited; waits for it."""
        return int(self._ask(lambda: self._api.wait(id, timeout=ANSWER_S))["StatusCode"])

    def containers_of(self, run_id: str) -> list[Listed]:
        """All containers of a run, whoever started them, whatever their state."""
        return self._list({"label": [f"{LABEL}.run={run_id}"]})

    def idle_containers(self) -> list[Listed]:
        """Containers of any run that have ended and were kept, or were never started."""
        return self._list({"label": [f"{LABEL}.project=autoagent"], "status": ["exited", "created"]})

    def _list(self, filters: dict[str, list[str]]) -> list[Listed]:
        found = self._ask(lambda: self._api.containers(all=True, filters=filters))
        return [
            Listed(str(c["Id"]), c["Labels"].get(f"{LABEL}.lane", ""), c["Labels"].get(f"{LABEL}.pid", ""))
            for c in found
        ]

    def _create(
        self, image: str, run_id: str, lane: str, limits: Limits, keep: bool, runtime: str | None
    ) -> Any:
        return self._api.create_container(
            image,
            entrypoint=["python3", "-I", "-B", "-c", BOOT],
            command=[],
            name=f"autoagent-{_slug(run_id)}-{_slug(lane)}-{new_id()}",
            hostname="sandbox",
            user=_user(),
            stdin_open=True,
            environment=ENVIRONMENT,
            working_dir="/",
            use_config_proxy=False,
            labels={
                f"{LABEL}.project": "autoagent",
                f"{LABEL}.run": run_id,
                f"{LABEL}.lane": lane,
                f"{LABEL}.pid": this_process(),
            },
            host_config=self._host_config(limits, keep, runtime),
        )

    def _host_config(self, limits: Limits, keep: bool, runtime: str | None) -> Any:
        from docker.types import LogConfig, Ulimit

        owner = ",".join(f"{k}={v}" for k, v in zip(("uid", "gid"), _user().split(":"), strict=True))
        workspace = f"size={limits.workspace_mb}m,nr_inodes={limits.workspace_files + 1000},mode=0755,{owner}"
        return self._api.create_host_config(
            network_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            ipc_mode="private",
            init=False,  # the runner must be PID 1 itself: see `autoagent_sandbox.runner`
            pids_limit=limits.processes,
            mem_limit=f"{limits.memory_mb}m",
            memswap_limit=f"{limits.memory_mb}m",
            nano_cpus=int(limits.cpus * 1e9),
            shm_size="8m",
            tmpfs={
                "/tmp": f"size={limits.scratch_mb}m,mode=1777,nosuid,nodev,noexec,nr_inodes=4096",
                "/workspace": f"{workspace},nosuid,nodev,exec",
            },
            ulimits=[
                Ulimit(name="nofile", soft=256, hard=256),
                Ulimit(name="core", soft=0, hard=0),
                Ulimit(name="fsize", soft=limits.file_bytes, hard=limits.file_bytes),
            ],
            log_config=LogConfig(type="none"),
            auto_remove=not keep,
            runtime=runtime,
        )

    def _attach(self, id: str) -> socket.socket:
        """Our own descriptor of the attached stream; attached before the start, so nothing is missed."""
        raw = self._api.attach_socket(id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        inner = getattr(raw, "_sock", None)
        if type(inner) is not socket.socket:
            raise SandboxUnavailable(
                "the sandbox reaches a Docker engine over a Unix socket or plain TCP only; "
                "set DOCKER_HOST to such an address"
            )
        stream = inner.dup()
        raw._response.close()
        raw.close()
        inner.close()
        return stream

    def _unless_gone(self, request: Callable[[], object]) -> bool:
        """Make a request about a container that may not be there; whether its removal is under way."""
        import docker

        try:
            self._ask(request)
        except SandboxUnavailable as error:
            status = getattr(error.__cause__, "status_code", None)
            if not isinstance(error.__cause__, docker.errors.APIError) or status not in (404, 409):
                raise
            return bool(status == 409)
        return False

    def _ask(self, question: Callable[[], T]) -> T:
        import docker
        from urllib3.exceptions import (
            HTTPError,  # what docker's own dependency raises in the middle of a stream
        )

        try:
            return question()
        except (docker.errors.DockerException, HTTPError, OSError) as error:
            raise SandboxUnavailable(f"the Docker engine failed: {error}") from error


def _address(docker: Any) -> dict[str, object]:
    """DOCKER_HOST and its friends, else the `docker` command's context, else the usual socket."""
    if os.environ.get("DOCKER_HOST"):
        return dict(docker.utils.kwargs_from_env())
    context = docker.ContextAPI.get_current_context()
    return {"base_url": context.Host} if context is not None and context.Host else {}


def _knock(address: str, timeout_s: float) -> None:
    """Raises `OSError` where nothing listens at a Unix socket; docker-py would leak a socket."""
    scheme, _, path = address.partition("://")
    if scheme in ("unix", "http+unix"):
        with socket.socket(socket.AF_UNIX) as ours:
            ours.settimeout(timeout_s)
            ours.connect("/" + path.lstrip("/"))


def _as_tar(files: dict[str, bytes]) -> io.BytesIO:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    archive.seek(0)
    return archive


def _user() -> str:
    return f"{NOBODY}:{NOBODY}" if os.getuid() == 0 else f"{os.getuid()}:{os.getgid()}"


def this_process() -> str:
    """Host and process id, as containers are labelled."""
    return f"{socket.gethostname()}:{os.getpid()}"


def is_dead(owner: str) -> bool:
    """Whether the process of a label ran on this host and is gone; in doubt it lives."""
    host, _, pid = owner.rpartition(":")
    if host != socket.gethostname() or not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _slug(text: str) -> str:
    return re.sub(r"[^a-zA-Z0-9]+", "-", text)[:24].strip("-") or "x"
