"""Two machines on one: network namespaces joined by a virtual cable, with one disk, for tests of what happens to nodes.

Each has a loopback and an `eth0` of its own and nothing else, so all that a node's processes say to the other's goes
through the cable. It needs the program `ip` and the right to make namespaces, and is skipped where one is missing.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

PORT = 29400
"""Of a rendezvous that is kept by a node; the namespaces' own, so nothing else can hold it."""

PATIENT = {"last_call_timeout": 10, "keep_alive_interval": 1, "keep_alive_max_attempt": 6}
"""With which both nodes begin together, also where one of them takes seconds longer to start."""


@dataclass(frozen=True)
class Node:
    """One of the two machines."""

    number: int
    namespace: str
    address: str

    def pids(self) -> list[int]:
        """Return the processes of this machine."""
        return pids(self.namespace)

    def power_off(self) -> None:
        """Kill every process; none can hear it, and none can tidy up."""
        kill_all(self.namespace)

    def unplug(self) -> None:
        """Pull the cable: what either side sends is lost, and nobody is told."""
        ip("-n", self.namespace, "link", "set", "eth0", "down")

    def plug_in(self) -> None:
        """Put the cable back."""
        ip("-n", self.namespace, "link", "set", "eth0", "up")

    def listens(self, port: int) -> bool:
        """Tell whether a process of this machine waits for connections at a port."""
        return bool(ip("netns", "exec", self.namespace, "ss", "-Hltn", f"sport = :{port}"))


@dataclass(frozen=True)
class Rendezvous:
    """Where the torchruns of two nodes find each other: on a node that keeps it, or in a file on the common disk."""

    name: str
    place: Node | Path
    conf: Mapping[str, int]
    """How long one waits for the other, how often each gives a sign of life, and after how many missed it is dead."""

    def flags(self, node: Node) -> list[str]:
        """Return torchrun's flags on one of the nodes."""
        if isinstance(self.place, Path):
            endpoint, kept = str(self.place), {"store_type": "file"}
        else:
            endpoint, kept = f"{self.place.address}:{PORT}", {"is_host": str(int(node == self.place))}
        return [
            "--rdzv-backend",
            "c10d",
            "--rdzv-id",
            self.name,
            "--rdzv-endpoint",
            endpoint,
            "--rdzv-conf",
            ",".join(f"{name}={value}" for name, value in {**self.conf, **kept}.items()),
        ]


class Starter(NamedTuple):
    """What starts the processes of a node."""

    command: tuple[str, ...]
    """To Python."""
    variables: dict[str, str]
    """Of its environment."""


COLD = Starter(("-m", "torch.distributed.run"), {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"})
WARM = Starter(("-m", "vaswani.commands", "torchrun"), {})


class Torchrun:
    """An elastic torchrun with one worker on one of the nodes, which joins with another node where there is one."""

    def __init__(
        self,
        node: Node,
        rendezvous: Rendezvous,
        output: Path,
        script: Path,
        *flags: str | Path,
        starter: Starter = WARM,
    ) -> None:
        self.node = node
        self._output = output
        inside = ["ip", "netns", "exec", node.namespace, sys.executable, *starter.command]
        own = f"--nnodes 1:2 --nproc-per-node 1 --local-addr {node.address} --max-restarts 3".split()
        command = [*inside, *own, *rendezvous.flags(node), str(script), *map(str, flags)]
        environment: Mapping[str, str] = (
            os.environ
            | starter.variables
            | {
                "GLOO_SOCKET_IFNAME": "eth0",
                "ACCELERATE_USE_CPU": "true",
                "OMP_NUM_THREADS": "1",
                "NODE": str(node.number),
                "VASWANI_CACHE": str(output.with_name(f"cache of node {node.number}")),  # as two machines have
            }
        )
        with output.open("a") as file:
            self.process = subprocess.Popen(command, env=environment, stdout=file, stderr=subprocess.STDOUT)

    def workers(self) -> list[int]:
        """Return the processes that train, without those that load for them."""
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self.process.pid).children()
            servers = [child for child in children if "multiprocessing.forkserver" in " ".join(child.cmdline())]
            return [each.pid for each in (servers[0].children() if servers else children)]
        return []

    def said(self) -> str:
        """Return what this node has printed up to now."""
        return self._output.read_text()

    def ended(self) -> bool:
        """Tell whether torchrun has ended."""
        return self.process.poll() is not None

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Wait for something to come true."""
        end = time.monotonic() + 240
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"waited in vain; node {self.node.number} said at last:\n{self.said()[-3000:]}")
            time.sleep(0.02)

    def power_off(self) -> None:
        """Kill all of its node."""
        self.node.power_off()
        self.process.wait()

    def end(self) -> int:
        """Wait for torchrun to end, and return its exit code."""
        self.wait_until(self.ended)
        assert self.process.returncode is not None
        return self.process.returncode


def ip(*words: str) -> str:
    """Run `ip` and return what it says."""
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def pids(namespace: str) -> list[int]:
    """Return the processes in a namespace."""
    return [int(pid) for pid in ip("netns", "pids", namespace).split()]


def kill_all(namespace: str) -> None:
    """Kill the processes in a namespace, and wait until none is left."""
    while left := pids(namespace):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def remove(namespace: str) -> None:
    """Remove a namespace with all that runs in it."""
    kill_all(namespace)
    ip("netns", "delete", namespace)


@contextmanager
def two_nodes() -> Iterator[tuple[Node, Node]]:
    """Make two machines, and remove them with all that runs on them."""
    if shutil.which("ip") is None:
        pytest.skip("two nodes need the program ip (package iproute2)")
    nodes = [Node(number, f"vaswani-{os.getpid()}-{number}", f"10.77.0.{number + 1}") for number in range(2)]
    try:
        try:
            for namespace in re.findall(r"vaswani-\d+-\d", ip("netns", "list")):
                if not psutil.pid_exists(int(namespace.split("-")[1])):  # left by tests that were killed
                    remove(namespace)
            for node in nodes:
                ip("netns", "add", node.namespace)
            ends = [("eth0", "netns", node.namespace) for node in nodes]
            ip("link", "add", *ends[0], "type", "veth", "peer", "name", *ends[1])
            for node in nodes:
                ip("-n", node.namespace, "address", "add", f"{node.address}/24", "dev", "eth0")
                for device in ("lo", "eth0"):
                    ip("-n", node.namespace, "link", "set", device, "up")
                # A connection that nobody answers is given up after 13 s; by default it is a quarter of an hour.
                given_up = "echo 5 > /proc/sys/net/ipv4/tcp_retries2"
                ip("netns", "exec", node.namespace, "sh", "-c", given_up)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"two nodes need the right to make network namespaces: {error.stderr.strip()}")
        yield nodes[0], nodes[1]
    finally:
        for node in nodes:
            with suppress(subprocess.CalledProcessError):  # it was not made
                remove(node.namespace)
