"""How much a sandbox container may use."""

from __future__ import annotations

from dataclasses import dataclass

MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What one container may use. The workspace lives in its memory, so `memory_mb` covers it too."""

    memory_mb: int = 512
    workspace_mb: int = 256
    workspace_files: int = 50_000
    scratch_mb: int = 32
    """`/tmp`."""
    processes: int = 128
    cpus: float = 1.0

    @property
    def workspace_bytes(self) -> int:
        return self.workspace_mb * MB

    @property
    def file_bytes(self) -> int:
        """The largest single file: a quarter of the workspace."""
        return self.workspace_bytes // 4
