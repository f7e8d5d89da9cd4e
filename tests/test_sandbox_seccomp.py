"""The sandbox's second seccomp filter, run here instruction by instruction, for every processor."""

from __future__ import annotations

import errno

import pytest

from autoagent_sandbox.seccomp import PROCESSORS, program

ALLOWED = 0x7FFF0000
REFUSED = 0x00050000 | errno.EPERM


def verdict(machine: str, number: int, argument: int = 0, audit: int | None = None) -> int:
    """What the filter says to one call: the classic BPF that it uses, interpreted."""
    processor = PROCESSORS[machine]
    words = {0: number, 4: processor.audit if audit is None else audit, 16: argument}
    lines, at, held = program(processor), 0, 0
    while True:
        code, if_true, if_false, constant = lines[at]
        at += 1
        if code == 0x06:
            return constant
        if code == 0x20:
            held = words[constant]
        else:
            holds = held == constant if code == 0x15 else bool(held & constant)
            at += if_true if holds else if_false


@pytest.mark.parametrize("machine", PROCESSORS)
class TestFilter:
    """The same on each processor, by its own numbers."""

    def test_ordinary_calls_go_through(self, machine: str) -> None:
        """Every call that isn't named is allowed."""
        refused = {*PROCESSORS[machine].refused, PROCESSORS[machine].socket}
        ordinary = [number for number in range(460) if number not in refused]

        assert {verdict(machine, number) for number in ordinary} == {ALLOWED}

    def test_named_calls_are_refused(self, machine: str) -> None:
        """Each of them, with EPERM."""
        assert {verdict(machine, number) for number in PROCESSORS[machine].refused} == {REFUSED}

    def test_sockets_are_refused_by_family(self, machine: str) -> None:
        """Unix, IPv4 and IPv6 exist; vsock, netlink, packet and all others don't."""
        socket = PROCESSORS[machine].socket
        families = [family for family in range(64) if verdict(machine, socket, family) == ALLOWED]

        assert families == [1, 2, 10]

    def test_calls_by_another_table_are_refused(self, machine: str) -> None:
        """i386 and x32 would number them otherwise."""
        assert verdict(machine, 1, audit=0x40000003) == REFUSED
        assert verdict(machine, 0x40000001) == REFUSED
