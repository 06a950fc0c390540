"""Debian's Docker, twice: one daemon for the nodes, in a network of its own, and one that builds.

The nodes' daemon lives in a network namespace without a way out, so that its bridges and rules
stay out of the machine's and no pod reaches anything but the cluster. The builder uses the
machine's network as it is, without bridges, and makes the product's images only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from harness.cache import cache_folder
from harness.processes import pause
from kind.programs import HERE
from kind.shell import Failed, run, say, step, until, works
from kind.world import CLUSTER, NETWORK, World

PACKAGES = ("docker.io", "debootstrap", "iptables", "iproute2", "util-linux")
PROGRAMS = ("/usr/sbin/dockerd", "/usr/sbin/debootstrap", "/usr/sbin/iptables", "/usr/sbin/ip")
SYSCTLS = (
    "kernel/panic",
    "kernel/panic_on_oops",
    "vm/overcommit_memory",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""What kubelet sets for the whole machine; put back at the end."""
CAP_SYS_RESOURCE = 24


def require_root() -> None:
    """Refuse to begin what only root can do.

    Raises:
        Failed: this is somebody else.
    """
    if os.geteuid():
        raise Failed(
            "No Docker answers here, and only root can make one: start Docker, or see with "
            "`docker info` why it does not answer you."
        )


def start(world: World) -> None:
    """Start both daemons unless they run."""
    _install()
    world.state.mkdir(parents=True, exist_ok=True)
    _remember_sysctls(world.state)
    if not works("ip", "netns", "exec", CLUSTER, "true"):
        # A killed run may have left its file without the namespace.
        NETWORK.unlink(missing_ok=True)
        run("ip", "netns", "add", CLUSTER)
        run(*world.inside("ip", "link", "set", "lo", "up"))
    # Without it kubelet's traffic between nodes' bridges would not be forwarded.
    run(*world.inside("sysctl", "-qw", "net.ipv4.ip_forward=1"))
    if world.variant.family == "ipv6":
        run(*world.inside("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"))
        _require_ip6tables(world)
    _dockerd(world, "docker", inside=True)
    _dockerd(world, "builder", "--bridge=none", "--iptables=false", inside=False)


def stop(world: World) -> None:
    """End both daemons and take their network away; what they stored stays in the cache."""
    try:
        for name in ("docker", "builder"):
            _end(world.state / f"{name}.pid")
            run_folder = world.state / f"{name}-exec"
            _end_orphans(run_folder)
            for mount in sorted(_mounts_below(run_folder), reverse=True):
                run("umount", "-l", mount)
        if NETWORK.exists():
            run("ip", "netns", "delete", CLUSTER)
    finally:
        _restore_sysctls(world.state)
    shutil.rmtree(world.state, ignore_errors=True)


def _install() -> None:
    if all(os.access(program, os.X_OK) for program in PROGRAMS):
        return
    if not shutil.which("apt-get"):
        raise Failed("There is no Docker here, and it is installed by itself only on Debian.")
    with step("installing Debian's docker and debootstrap"):
        env = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", env=env)
        # A policy of 101 keeps packages from starting services of their own.
        policy = Path("/usr/sbin/policy-rc.d")
        made = not policy.exists()
        if made:
            policy.write_text("#!/bin/sh\nexit 101\n")
            policy.chmod(0o755)
        try:
            run("apt-get", "install", "-qq", "-y", "--no-install-recommends", *PACKAGES, env=env)
        finally:
            if made:
                policy.unlink()


def _dockerd(world: World, name: str, *options: str, inside: bool) -> None:
    env = world.docker if inside else world.builder
    if works("docker", "version", env=env):
        return
    data = cache_folder() / "kind" / name
    data.mkdir(parents=True, exist_ok=True)
    pid = world.state / f"{name}.pid"
    pid.unlink(missing_ok=True)
    command: list[str | Path] = [
        "dockerd",
        f"--host=unix://{world.state / name}.sock",
        f"--data-root={data}",
        f"--exec-root={world.state / name}-exec",
        f"--pidfile={pid}",
        "--storage-driver=overlay2",
        *options,
    ]
    if not _may_raise_limits():
        command += [f"--add-runtime=fit={HERE / 'node' / 'runc-fit'}", "--default-runtime=fit"]
    log = (world.state / f"{name}.log").open("w")
    subprocess.Popen(
        world.inside(*command) if inside else command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    try:
        until(f"Docker's {name} daemon", ("docker", "version"), env, 60)
    except Failed as error:
        lines = (world.state / f"{name}.log").read_text().splitlines()[-20:]
        raise Failed(f"{error}\n" + "\n".join(lines)) from error


def _require_ip6tables(world: World) -> None:
    if not works(*world.inside("ip6tables", "--table=nat", "--list-rules")):
        raise Failed(
            "ip6tables has no table `nat` on this machine, which Services with IPv6 addresses "
            "need: a cluster with IPv6 cannot be made here."
        )


def _may_raise_limits() -> bool:
    status = Path("/proc/self/status").read_text()
    bound = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(bound.split()[1], 16) >> CAP_SYS_RESOURCE & 1)


def _end(pid_file: Path) -> None:
    """Ask a daemon to end, if it runs; it removes its pid file when it has."""
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return
    # After a crash the number may be another program's.
    if str(pid_file) not in _command(pid):
        return
    os.kill(pid, signal.SIGTERM)
    gone = time.monotonic() + 60
    while pid_file.exists() and time.monotonic() < gone:
        pause()
    if pid_file.exists():
        say(f"Docker (process {pid}) did not end within 60 s and is killed")
        os.kill(pid, signal.SIGKILL)


def _end_orphans(exec_root: Path) -> None:
    """Kill the containers of a daemon that was killed: their shims, and what those began."""
    parents = {pid: _parent(pid) for pid in _processes()}
    shims = [pid for pid in parents if f"{exec_root}/" in _command(pid)]
    for pid in (*(pid for pid, parent in parents.items() if parent in shims), *shims):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(one.name) for one in Path("/proc").iterdir() if one.name.isdecimal()]


def _command(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        # The name of the program, in brackets, may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _mounts_below(folder: Path) -> list[str]:
    lines = Path("/proc/mounts").read_text().splitlines()
    return [line.split()[1] for line in lines if line.split()[1].startswith(f"{folder}/")]


def _remember_sysctls(state: Path) -> None:
    kept = state / "sysctls"
    if not kept.exists():
        values = {name: Path("/proc/sys", name) for name in SYSCTLS}
        lines = [
            f"{name} {file.read_text().strip()}" for name, file in values.items() if file.exists()
        ]
        kept.write_text("\n".join(lines))


def _restore_sysctls(state: Path) -> None:
    kept = state / "sysctls"
    for line in kept.read_text().splitlines() if kept.exists() else []:
        name, value = line.split(maxsplit=1)
        Path("/proc/sys", name).write_text(value)
