"""A second seccomp filter, stacked on the engine's: refuses what Docker's default profile lets through.

`AF_VSOCK` reaches the host of a virtual machine and io_uring goes around filters; both pass some versions of
the default profile. Reading other processes, and System V and POSIX message state, which would outlive a job,
are refused too. What is refused gets EPERM. A filter is inherited by every child and can't be taken off.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_DUMPABLE = 38, 22, 4
SECCOMP_MODE_FILTER = 2

# offsets in struct seccomp_data
_NR, _ARCH, _FIRST_ARGUMENT = 0, 4, 16
# BPF: load a word, jump if equal, jump if any bit is set, return
_LOAD, _EQUAL, _HAS_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_X32_BIT = 0x40000000

_SOCKET_FAMILIES = (1, 2, 10)
"""AF_UNIX, AF_INET, AF_INET6: what code expects to exist; without a network the last two lead nowhere."""


@dataclass(frozen=True)
class Processor:
    """How one processor numbers its system calls."""

    audit: int
    socket: int
    refused: tuple[int, ...]


_EVERYWHERE = (
    *(425, 426, 427),  # io_uring_setup, io_uring_enter, io_uring_register
    438,  # pidfd_getfd
    440,  # process_madvise
)
PROCESSORS = {
    "x86_64": Processor(
        0xC000003E,
        41,
        (
            *_EVERYWHERE,
            *(101, 310, 311, 312),  # ptrace, process_vm_readv, process_vm_writev, kcmp
            *(29, 64, 68, 240),  # shmget, semget, msgget, mq_open
            *(248, 249, 250),  # add_key, request_key, keyctl
            *(321, 323, 298),  # bpf, userfaultfd, perf_event_open
        ),
    ),
    "aarch64": Processor(
        0xC00000B7,
        198,
        (*_EVERYWHERE, *(117, 270, 271, 272), *(194, 190, 186, 180), *(217, 218, 219), *(280, 282, 241)),
    ),
}

Instruction = tuple[int, int, int, int]
"""code, jump if true, jump if false, constant."""


def program(processor: Processor) -> list[Instruction]:
    """The filter as BPF instructions. Calls by another table (i386, x32) are refused as a whole."""
    refuse: Instruction = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_EQUAL, 1, 0, processor.audit),
        refuse,
        (_LOAD, 0, 0, _NR),
        (_HAS_BITS, 0, 1, _X32_BIT),
        refuse,
    ]
    for number in processor.refused:
        lines += [(_EQUAL, 0, 1, number), refuse]
    families = [(_EQUAL, 0, 1, family) for family in _SOCKET_FAMILIES]
    lines += [(_EQUAL, 0, 2 + 2 * len(families), processor.socket), (_LOAD, 0, 0, _FIRST_ARGUMENT)]
    for line in families:
        lines += [line, (_RETURN, 0, 0, _ALLOW)]
    return [*lines, refuse, (_RETURN, 0, 0, _ALLOW)]


def load(machine: str | None = None) -> None:
    """Filter this process and all its children. Raises `OSError` or `KeyError`; then nothing may run."""
    lines = program(PROCESSORS[machine or os.uname().machine])
    code = ctypes.create_string_buffer(_encode(lines))
    # struct sock_fprog: a count, padding, a pointer
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(lines), ctypes.addressof(code)))
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(head))


def prctl(option: int, first: int, second: int = 0) -> None:
    """Raises `OSError`."""
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_ulong(value) for value in (first, second, 0, 0)]
    if libc.prctl(option, *arguments) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def _encode(lines: Sequence[Instruction]) -> bytes:
    return b"".join(struct.pack("HBBI", *line) for line in lines)
