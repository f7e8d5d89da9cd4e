"""Guests that try to get out of the Docker sandbox, to stay in it, to break it, or to lie to the host."""

from __future__ import annotations

from textwrap import dedent

import pytest
from docker_sandboxes import NEEDS_DOCKER, opened

from autoagent.sandboxes.docker import DockerSandbox
from autoagent.testing.contracts.sandbox_jobs import assert_unchanged, contents, run, working_copy

__all__ = ["opened"]
pytestmark = NEEDS_DOCKER

ATTEMPT = """
    def attempt(name, action):
        try:
            action()
        except Exception as error:
            return
        print(name, 'WORKED')
"""
"""For guests that try many things: prints only what went through."""


def attempts(code: str) -> str:
    return dedent(ATTEMPT) + dedent(code) + "print('tried')\n"


class TestStaying:
    """Nothing but files of the workspace outlives a job."""

    async def test_background_processes_do_not_outlive_the_job(self, opened: DockerSandbox) -> None:
        """Daemons that forked twice, left the session and ignore every signal are gone for the next job."""
        files = working_copy()
        code = """
            import os, signal, time
            if os.fork() == 0:
                os.setsid()
                for number in range(1, 65):
                    try:
                        signal.signal(number, signal.SIG_IGN)
                    except (OSError, ValueError):
                        pass
                if os.fork() == 0:
                    while True:
                        open('alive.txt', 'a').write('x')
                        time.sleep(0.001)
                os._exit(0)
            time.sleep(0.05)
        """
        await run(opened, code, files)
        count = """
            import os, time
            time.sleep(0.05)
            print([int(p) for p in os.listdir('/proc') if p.isdigit()] == [1, os.getpid()])
        """
        result = await run(opened, count, files)

        assert result.output == "True\n"

    async def test_a_background_shell_job_ends_with_its_job(self, opened: DockerSandbox) -> None:
        """The job ends when its first process does, and does not wait for what that left."""
        result = await run(opened, "sleep 600 & nohup sleep 600 & echo done", kind="shell")

        assert (result.ok, result.output) == (True, "done\n")

    async def test_scratch_files_do_not_outlive_the_job(self, opened: DockerSandbox) -> None:
        """`/tmp`, shared memory and message queues are empty again, however deep and shut."""
        plant = """
            import os
            for root in ['/tmp', '/dev/shm']:
                os.makedirs(root + '/a/b/c')
                open(root + '/a/b/c/left.txt', 'w').write('x')
                os.chmod(root + '/a/b', 0)
        """
        await run(opened, plant)
        result = await run(opened, "import os\nprint(os.listdir('/tmp'), os.listdir('/dev/shm'))")

        assert result.output == "[] []\n"

    async def test_no_kernel_object_can_hold_state(self, opened: DockerSandbox) -> None:
        """System V memory, semaphores and queues, POSIX queues and keys are refused."""
        code = attempts("""
            import ctypes
            libc = ctypes.CDLL(None, use_errno=True)

            def call(function, *args):
                if function(*args) < 0:
                    raise OSError(ctypes.get_errno())

            attempt('shmget', lambda: call(libc.shmget, 1234, 4096, 0o1600))
            attempt('semget', lambda: call(libc.semget, 1234, 1, 0o1600))
            attempt('msgget', lambda: call(libc.msgget, 1234, 0o1600))
            attempt('mq_open', lambda: call(libc.mq_open, b'/q', 0o102, 0o600, None))
            attempt('add_key', lambda: call(libc.syscall, 248, b'user', b'k', b'v', 1, -3))
        """)
        assert (await run(opened, code)).output == "tried\n"

    async def test_a_workspace_module_hijacks_no_import(self, opened: DockerSandbox) -> None:
        """The runner and a job's `import json` use the standard library's."""
        evil = "raise RuntimeError('hijacked')"
        files = working_copy(
            {"json.py": evil, "os.py": evil, "sitecustomize.py": evil, "numpy/__init__.py": evil}
        )
        result = await run(opened, "import json, os, numpy\nprint(json.dumps(numpy.ones(1).tolist()))", files)

        assert result.output == "[1.0]\n"


class TestGettingOut:
    """A guest reaches nothing but its own files."""

    async def test_nothing_else_can_be_written(self, opened: DockerSandbox) -> None:
        """The file system is read-only but for the workspace and scratch space."""
        code = attempts("""
            import os
            for folder in ['/', '/etc', '/usr', '/var', '/var/tmp', '/opt', '/run', '/root', '/home', '/dev',
                           '/proc', '/sys', '/mnt', '/usr/lib/python3', '/sys/fs/cgroup']:
                attempt(folder, lambda: open(folder + '/planted', 'w'))
                attempt(folder, lambda: os.mkdir(folder + '/planted.d'))
            for file in ['/etc/passwd', '/etc/hosts', '/etc/resolv.conf', '/proc/sys/kernel/hostname',
                         '/proc/sysrq-trigger', '/proc/sys/kernel/core_pattern', '/dev/kmsg']:
                attempt(file, lambda: open(file, 'a').write('x'))
        """)
        assert (await run(opened, code)).output == "tried\n"

    async def test_the_runner_can_not_be_looked_into(self, opened: DockerSandbox) -> None:
        """PID 1's memory, environment and descriptors, and with them the host's stream, are out of reach."""
        code = attempts("""
            import os
            for name in ['mem', 'environ', 'maps', 'auxv', 'fd/0', 'fd/1', 'cwd/.', 'root/.']:
                attempt(name, lambda: os.open('/proc/1/' + name, os.O_RDONLY))
            for name in ['fd', 'map_files']:
                attempt(name, lambda: os.listdir('/proc/1/' + name))
            attempt('write', lambda: os.open('/proc/1/mem', os.O_RDWR))
            attempt('stream', lambda: os.open('/proc/1/fd/1', os.O_WRONLY))
            attempt('oom', lambda: open('/proc/1/oom_score_adj', 'w').write('1000'))
        """)
        assert (await run(opened, code)).output == "tried\n"

    async def test_dangerous_system_calls_are_refused(self, opened: DockerSandbox) -> None:
        """io_uring, ptrace, reading other processes, namespaces, mounts, bpf: none goes through."""
        code = attempts("""
            import ctypes
            import platform
            libc = ctypes.CDLL(None, use_errno=True)
            x86 = platform.machine() == 'x86_64'
            numbers = {
                'io_uring_setup': 425, 'io_uring_enter': 426, 'io_uring_register': 427, 'pidfd_getfd': 438,
                'ptrace': 101 if x86 else 117, 'process_vm_readv': 310 if x86 else 270,
                'process_vm_writev': 311 if x86 else 271, 'bpf': 321 if x86 else 280,
                'userfaultfd': 323 if x86 else 282, 'perf_event_open': 298 if x86 else 241,
                'unshare': 272 if x86 else 97, 'mount': 165 if x86 else 40, 'setns': 308 if x86 else 268,
                'pivot_root': 155 if x86 else 41, 'keyctl': 250 if x86 else 219, 'kcmp': 312 if x86 else 272,
            }
            buffer = ctypes.create_string_buffer(4096)

            def call(number):
                ctypes.set_errno(0)
                if libc.syscall(number, 0, buffer, buffer, 0, 0, 0) < 0 and ctypes.get_errno() == 1:
                    raise PermissionError

            for name, number in numbers.items():
                attempt(name, lambda: call(number))
        """)
        assert (await run(opened, code)).output == "tried\n"

    async def test_there_is_no_way_to_any_network(self, opened: DockerSandbox) -> None:
        """No address, no name, no virtual socket, no raw or packet socket."""
        code = attempts("""
            import socket
            for address in [('192.0.2.1', 80), ('169.254.169.254', 80), ('172.17.0.1', 22)]:
                attempt(address, lambda: socket.create_connection(address, 1))
            attempt('ipv6', lambda: socket.create_connection(('2001:db8::1', 80), 1))
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            attempt('udp', lambda: udp.sendto(b'x', ('192.0.2.1', 53)))
            attempt('dns', lambda: socket.getaddrinfo('example.org', 80))
            attempt('raw', lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
            for family in [16, 17, 38, 40, 44]:  # netlink, packet, crypto, vsock, xdp
                attempt(family, lambda: socket.socket(family, socket.SOCK_DGRAM))
        """)
        assert (await run(opened, code)).output == "tried\n"

    async def test_the_process_has_no_powers(self, opened: DockerSandbox) -> None:
        """Not root, no capability, no new privileges, two filters, few resources."""
        code = """
            import os, resource
            status = dict(line.split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
            for name in 'CapInh CapPrm CapEff CapBnd CapAmb NoNewPrivs Seccomp Seccomp_filters'.split():
                print(name, int(status[name], 16))
            print(os.getuid() != 0, os.getgid() != 0, os.getgroups() in ([], [os.getgid()]))
            print(resource.getrlimit(resource.RLIMIT_CORE))
        """
        result = await run(opened, code)

        assert result.output.splitlines() == [
            *("CapInh 0", "CapPrm 0", "CapEff 0", "CapBnd 0", "CapAmb 0"),
            *("NoNewPrivs 1", "Seccomp 2", "Seccomp_filters 2"),
            "True True True",
            "(0, 0)",
        ]

    async def test_devices_can_not_be_made(self, opened: DockerSandbox) -> None:
        """Not in the workspace either."""
        code = attempts("""
            import os, stat
            attempt('disk', lambda: os.mknod('disk', stat.S_IFBLK | 0o600, os.makedev(254, 0)))
            attempt('memory', lambda: os.mknod('memory', stat.S_IFCHR | 0o600, os.makedev(1, 1)))
        """)
        assert (await run(opened, code)).output == "tried\n"


class TestPlanting:
    """What a job may not leave in the workspace."""

    @pytest.mark.parametrize(
        ("code", "problem"),
        [
            ("import os\nos.mkfifo('pipe')", "'pipe' is a FIFO"),
            ("import socket\nsocket.socket(socket.AF_UNIX).bind('s')", "'s' is a socket"),
            ("import os\nos.symlink('/etc/passwd', 'out')", "'out' to '/etc/passwd' leads out"),
            ("import os\nos.mkdir('d')\nos.symlink('../../x', 'd/up')", "'d/up' to '../../x' leads out"),
            ("import os\nos.symlink('a/..', 'b')", "'b' to 'a/..' leads out"),
        ],
    )
    async def test_odd_files_are_refused_by_name(
        self, opened: DockerSandbox, code: str, problem: str
    ) -> None:
        """FIFOs, sockets and links that lead out fail the job, and the next one sees none of it."""
        files = working_copy({"a.txt": "x"})
        result = await run(opened, "open('a.txt', 'w').write('y')\n" + code, files)

        assert result.ended == "files"
        assert_unchanged(result, files, {"a.txt": b"x"})
        assert problem in result.problem
        assert (await run(opened, "import os\nprint(os.listdir())", files)).output == "['a.txt']\n"

    async def test_a_link_through_a_link_of_the_tree_leads_nowhere(self, opened: DockerSandbox) -> None:
        """Where a folder became a link, what was beneath it is gone, and nothing is followed."""
        files = working_copy({"d/a.txt": "x", "e/a.txt": "y"})
        code = "import os, shutil\nshutil.rmtree('d')\nos.symlink('e', 'd')"
        result = await run(opened, code, files)
        link = files.stat("d")

        assert result.ok, result.problem
        assert link is not None
        assert link.kind == "link"
        assert contents(files) == {"e/a.txt": b"y"}

    async def test_a_very_deep_tree_is_kept(self, opened: DockerSandbox) -> None:
        """1,500 folders in each other come out, and a failed job's go away."""
        files = working_copy()
        dig = """
            import os
            for _ in range(1500):
                os.mkdir('d')
                os.chdir('d')
            open('end', 'w').write('x')
        """
        failed = await run(opened, dedent(dig) + "1 / 0", files)
        result = await run(opened, dig, files)

        assert failed.ended == "error"
        assert result.ok, result.problem
        assert contents(files) == {"d/" * 1500 + "end": b"x"}

    async def test_a_path_too_long_is_refused(self, opened: DockerSandbox) -> None:
        """Beyond what a path can name the container is thrown away, and the lane works on."""
        files = working_copy()
        code = "import os\nfor _ in range(100):\n    os.mkdir('d' * 100)\n    os.chdir('d' * 100)\n"
        result = await run(opened, code, files, lane="deep")

        assert result.ended == "files"
        assert_unchanged(result, files, {})
        assert (await run(opened, "import os\nprint(os.listdir())", files, lane="deep")).output == "[]\n"


class TestBombs:
    """Whatever runs out, the job ends with a reason, the lane works on, and the host does not notice."""

    async def test_memory(self, opened: DockerSandbox) -> None:
        """A job that takes all memory is killed and told so."""
        code = "data = []\nwhile True:\n    data.append(bytearray(8 << 20))\n"
        result = await run(opened, code, lane="bomb")

        assert result.ended == "killed"
        assert "memory" in result.problem
        assert (await run(opened, "print(1)", lane="bomb")).output == "1\n"

    async def test_processes(self, opened: DockerSandbox) -> None:
        """A fork bomb hits the limit and is cleared away."""
        code = """
            import os, time
            def bomb():
                while True:
                    try:
                        os.fork()
                    except OSError:
                        pass
            if os.fork() == 0:
                bomb()
            time.sleep(0.3)
            for _ in range(200):
                os.fork()
        """
        result = await run(opened, code, lane="bomb")

        assert not result.ok
        assert "limit of 128 processes" in result.problem
        assert (await run(opened, "print(1)", lane="bomb")).output == "1\n"

    async def test_inodes(self, opened: DockerSandbox) -> None:
        """100,000 files are more than there is room for."""
        code = "for n in range(100_000):\n    open(f'{n}', 'w').close()\n"
        result = await run(opened, code, lane="bomb")

        assert result.ended == "error"
        assert "No space left on device" in result.output
        assert (await run(opened, "import os\nprint(os.listdir())", lane="bomb")).output == "[]\n"

    @pytest.mark.parametrize(
        ("code", "why"),
        [
            ("open('a', 'wb').truncate(1 << 40)", "File too large"),
            ("for n in range(9):\n    open(str(n), 'wb').write(bytes(60 << 20))", "No space left on device"),
            ("open('/tmp/a', 'wb').write(bytes(40 << 20))", "No space left on device"),
        ],
    )
    async def test_disk(self, opened: DockerSandbox, code: str, why: str) -> None:
        """Large files, sparse ones too, end at the limit."""
        files = working_copy()
        result = await run(opened, code, files, lane="bomb")

        assert why in result.output
        assert_unchanged(result, files, {})

    async def test_sparse_files_count_whole(self, opened: DockerSandbox) -> None:
        """Hard links and holes don't make the host take more than a workspace."""
        files = working_copy()
        code = "import os\nopen('a', 'wb').truncate(60 << 20)\nfor n in range(9):\n    os.link('a', str(n))\n"
        result = await run(opened, code, files, lane="bomb")

        assert result.ended == "files"
        assert_unchanged(result, files, {})

    async def test_a_flood_of_output(self, opened: DockerSandbox) -> None:
        """What prints without end is killed before its time is up."""
        result = await run(opened, "yes", kind="shell", lane="bomb", timeout_s=60)

        assert result.ended == "killed"
        assert "printed without end" in result.problem

    async def test_a_flood_of_pictures_and_calls_to_the_runner(self, opened: DockerSandbox) -> None:
        """Garbage on the job's own channel ends the job, not the runner."""
        code = "import os\nwhile True:\n    os.write(3, b'Z' * 65536)\n"
        result = await run(opened, code, lane="bomb")

        assert result.ended == "killed"
        assert (await run(opened, "print(1)", lane="bomb")).output == "1\n"

    async def test_forged_pictures_are_dropped(self, opened: DockerSandbox) -> None:
        """Of the first eight those that are PNG are kept; the rest is left out."""
        code = """
            import os, struct
            def frame(data):
                os.write(3, struct.pack('>cI', b'P', len(data)) + data)
            frame(b'GIF89a')
            for _ in range(20):
                frame(b'\\x89PNG\\r\\n\\x1a\\n')
        """
        result = await run(opened, code)

        assert result.ok
        assert result.images == (b"\x89PNG\r\n\x1a\n",) * 7


class TestAttackingTheRunner:
    """PID 1 can't be ended, stopped or fooled by what runs under it."""

    async def test_signals_to_the_runner_do_nothing(self, opened: DockerSandbox) -> None:
        """Neither SIGKILL nor SIGSTOP nor a flood of SIGCHLD reaches PID 1 from inside."""
        code = """
            import os
            for number in range(1, 65):
                try:
                    os.kill(1, number)
                except OSError:
                    pass
            for _ in range(10_000):
                os.kill(1, 17)
            print('alive')
        """
        first = await run(opened, code, lane="signals")
        inode = (
            "import os\nprint(os.stat('/tmp').st_ino, os.stat('/tmp').st_dev, os.stat('/proc/1').st_ctime)"
        )
        container = await run(opened, inode, lane="signals")
        await run(opened, code, lane="signals")

        assert first.output == "alive\n"
        assert (await run(opened, inode, lane="signals")).output == container.output

    async def test_killing_everything_ends_the_job_only(self, opened: DockerSandbox) -> None:
        """`kill -9 -1` from a guest kills the guest."""
        result = await run(opened, "import os\nos.fork()\nos.kill(-1, 9)\nos.kill(os.getpid(), 9)")

        assert result.ended == "killed"
        assert (await run(opened, "print(1)")).ok

    async def test_a_check_can_not_forge_its_status(self, opened: DockerSandbox) -> None:
        """Whatever children and signals do, the status is that of the command."""
        code = """
            import os, signal
            for number in range(1, 65):
                try:
                    os.kill(1, number)
                except OSError:
                    pass
            if os.fork() == 0:
                os.setsid()
                os._exit(0)
            for path in ['/proc/1/mem', '/proc/1/fd/1']:
                try:
                    os.open(path, os.O_RDWR)
                    os._exit(0)
                except OSError:
                    pass
            raise SystemExit(7)
        """
        files = working_copy({"check.py": dedent(code)})
        result = await run(opened, "python check.py", files, kind="check")

        assert (result.ended, result.exit_code) == ("exit", 7)

    async def test_a_check_that_is_killed_is_no_proof(self, opened: DockerSandbox) -> None:
        """A signal is no status 0."""
        result = await run(opened, "kill -9 $$", kind="check")

        assert (result.ok, result.ended) == (False, "killed")
        assert result.exit_code != 0
