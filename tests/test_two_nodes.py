"""Two machines that train together lose a process, a node or the cable, and train all the same what one would.

Real torchruns and real runs, in two network namespaces on one disk (`two_nodes`). The processes write down every row
(`recorded_run`), so that the steps that count can be told from those that were lost and done again. `pytest -rP`
shows the figures: steps lost, seconds to the next step.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import torch
from recorded_run import SAVE_STEPS, STEPS, B, Life, brake, counting, lives, standing
from safetensors.torch import load_file
from toy_language import sentence
from two_nodes import COLD, PATIENT, PORT, WARM, Node, Rendezvous, Starter, Torchrun, two_nodes

RUN = Path(__file__).with_name("recorded_run.py")
HELD = SAVE_STEPS + 2
"""The step in which something happens, two after a checkpoint."""

ALONE = 2 * SAVE_STEPS + 2
"""The step in which a node that is alone waits for the other."""

BACK = "SIGTERM: saving and ending after this step"
"""What a process says that torchrun ends in order to let another node in."""


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_text(tmp_path_factory.mktemp("text"))


def write_text(folder: Path) -> Path:
    """90 pairs to train on, some of them twice; a few to validate and to test."""
    draw = random.Random(1)
    for split, size in (("train", 90), ("val", 4), ("test", 4)):
        pairs = [sentence(draw) for _ in range(size)]
        if split == "train":
            pairs[50], pairs[70] = pairs[10], pairs[10]
        for side, language in enumerate(("en", "de")):
            (folder / f"{split}.{language}").write_text("".join(pair[side] + "\n" for pair in pairs))
    return folder


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Node, Node]]:
    with two_nodes() as nodes:
        yield nodes


@pytest.fixture
def nodes(both: tuple[Node, Node]) -> Iterator[tuple[Node, Node]]:
    yield both
    for node in both:
        node.power_off()
        node.plug_in()


class Runs:
    """The two nodes' torchruns of one run."""

    def __init__(
        self,
        folder: Path,
        text: Path,
        nodes: tuple[Node, Node],
        host: Node | None = None,
        starter: Starter = WARM,
        script: Path = RUN,
        conf: Mapping[str, int] = PATIENT,
    ) -> None:
        """Without a host the rendezvous is a file on the disk."""
        self.folder, self.nodes, self._text, self._starter = folder / "run", nodes, text, starter
        self._script = script
        self._rendezvous = Rendezvous(folder.name, host or folder / "rendezvous", conf)
        self.torchruns: dict[int, Torchrun] = {}

    def start(self, number: int, *flags: str) -> Torchrun:
        output = self.folder.with_name(f"node {number}.txt")
        where = ("--data_dir", self._text, "--output_dir", self.folder)
        node, starter = self.nodes[number], self._starter
        self.torchruns[number] = Torchrun(node, self._rendezvous, output, self._script, *where, *flags, starter=starter)
        return self.torchruns[number]

    def start_both(self, *flags: str) -> tuple[Torchrun, Torchrun]:
        if isinstance(host := self._rendezvous.place, Node):
            torchrun = self.start(host.number, *flags)
            torchrun.wait_until(lambda: host.listens(PORT))
        for node in self.nodes:
            if node != host:
                self.start(node.number, *flags)
        return self.torchruns[0], self.torchruns[1]

    def hold(self, number: int, step: int) -> Path:
        """Let a node wait in the middle of a step, until this file is deleted."""
        at = brake(self.folder, number, step)
        at.touch()
        return at

    def end(self) -> list[Life]:
        """Wait for the end of both torchruns, and return what was trained."""
        for torchrun in self.torchruns.values():
            assert torchrun.end() == 0, torchrun.said()[-5000:]
        return lives(self.folder)


def release(torchrun: Torchrun, at: Path) -> None:
    """Wait for a process to stand at a brake, and let it go on."""
    torchrun.wait_until(standing(at).exists)
    at.unlink()


def tell(what: str, lives: list[Life], happened: float) -> tuple[Life, Life]:
    """Print what it cost to go on after something happened, and return the lives before and after."""
    before = [life for life in lives if life.began < happened][-1]
    after = lives[lives.index(before) + 1]
    lost = max(0, before.last_step - after.first_step)
    print(f"{what}: {lost} steps lost, {after.began - happened:.1f} s to the next step")
    return before, after


def weights(run: Path, step: int = STEPS) -> dict[str, torch.Tensor]:
    return load_file(run / f"checkpoint-{step}" / "model.safetensors")


def assert_nothing_lost(found: list[Life], alone: list[Life]) -> None:
    """The steps that count took what an undisturbed process took, and so every row once an epoch."""
    taken = sorted(counting(found), key=lambda each: each.number)
    expected = alone[0].taken
    assert [each.number for each in taken] == list(range(STEPS * B))
    assert [(each.epoch, each.rows) for each in taken] == [(each.epoch, each.rows) for each in expected]
    for epoch in range(expected[-1].epoch):
        rows = Counter(row for each in taken if each.epoch == epoch for _, row in each.rows)
        assert rows == Counter(set(range(90)) - {50, 70}), f"epoch {epoch} lost or repeated rows"


@pytest.fixture(scope="module")
def alone(text: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Life]]:
    """The run of one process that nothing happens to."""
    return train_alone(text, tmp_path_factory.mktemp("alone") / "run")


def train_alone(text: Path, run: Path) -> tuple[Path, list[Life]]:
    command = [sys.executable, str(RUN), "--data_dir", str(text), "--output_dir", str(run)]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = lives(run)
    assert found[0].taken[-1].epoch >= 2
    return run, found


@pytest.fixture(scope="module")
def together(text: Path, both: tuple[Node, Node], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Life]]:
    """The run of two nodes that nothing happens to, by torch's own torchrun."""
    runs = Runs(tmp_path_factory.mktemp("together"), text, both, starter=COLD)
    runs.start_both()
    return runs.folder, runs.end()


def test_two_nodes_train_what_one_process_does(
    alone: tuple[Path, list[Life]], together: tuple[Path, list[Life]]
) -> None:
    assert_nothing_lost(together[1], alone[1])
    assert_close(together[0], alone[0])


def assert_close(run: Path, other: Path) -> None:
    expected = weights(other)
    for name, tensor in weights(run).items():
        torch.testing.assert_close(tensor, expected[name], rtol=1e-6, atol=1e-9, msg=name)


def assert_equal(run: Path, other: Path) -> None:
    expected = weights(other)
    for name, tensor in weights(run).items():
        assert torch.equal(tensor, expected[name]), name


def test_a_killed_worker_comes_back_and_the_run_ends_to_the_bit_as_undisturbed(
    tmp_path: Path,
    text: Path,
    nodes: tuple[Node, Node],
    alone: tuple[Path, list[Life]],
    together: tuple[Path, list[Life]],
) -> None:
    runs = Runs(tmp_path, text, nodes)
    at = runs.hold(1, HELD)
    _, torchrun = runs.start_both()
    torchrun.wait_until(standing(at).exists)
    [worker] = torchrun.workers()
    os.kill(worker, signal.SIGKILL)
    killed = time.time()
    at.unlink()
    found = runs.end()
    before, after = tell("A worker killed", found, killed)
    assert (before.processes, after.processes, after.first_step) == (2, 2, SAVE_STEPS)
    assert_nothing_lost(found, alone[1])
    assert_equal(runs.folder, together[0])


def test_a_lost_node_is_gone_on_without_and_joins_again_when_it_is_back(
    tmp_path: Path, text: Path, nodes: tuple[Node, Node], alone: tuple[Path, list[Life]]
) -> None:
    """Node 0, which holds process 0: the one that saves."""
    runs = Runs(tmp_path, text, nodes)
    lost, waits = runs.hold(0, HELD), runs.hold(1, ALONE)
    torchrun, other = runs.start_both()
    torchrun.wait_until(standing(lost).exists)
    torchrun.power_off()
    gone = time.time()
    lost.unlink()
    other.wait_until(standing(waits).exists)
    runs.start(0)
    back = time.time()
    other.wait_until(lambda: BACK in other.said())
    waits.unlink()
    found = runs.end()
    before, after = tell("A node lost", found, gone)
    assert (before.processes, after.processes, after.first_step) == (2, 1, SAVE_STEPS)
    before, after = tell("A node back", found, back)
    assert (before.processes, after.processes, after.first_step) == (1, 2, ALONE + 1)
    assert_nothing_lost(found, alone[1])
    assert_close(runs.folder, alone[0])


def test_nodes_that_are_cut_off_wait_for_each_other_and_go_on_when_the_cable_is_back(
    tmp_path: Path,
    text: Path,
    nodes: tuple[Node, Node],
    alone: tuple[Path, list[Life]],
    together: tuple[Path, list[Life]],
) -> None:
    """Both see the disk, and on it that the other one lives; neither goes on alone."""
    runs = Runs(tmp_path, text, nodes)
    at = runs.hold(0, HELD)
    torchruns = runs.start_both("--ddp_timeout", "10")
    torchruns[0].wait_until(standing(at).exists)
    first = [torchrun.workers() for torchrun in torchruns]
    nodes[0].unplug()
    cut = time.time()
    at.unlink()
    for torchrun, workers in zip(torchruns, first, strict=True):
        torchrun.wait_until(lambda torchrun=torchrun, workers=workers: torchrun.workers() not in ([], workers))
    back = time.time()
    nodes[0].plug_in()
    found = runs.end()
    tell("Cut off, from the cut", found, cut)
    before, after = tell("Cut off, from the cable's return", found, back)
    assert (before.processes, after.processes, after.first_step) == (2, 2, SAVE_STEPS)
    assert after.began > back
    assert_nothing_lost(found, alone[1])
    assert_equal(runs.folder, together[0])


def test_the_host_of_the_rendezvous_goes_on_without_a_node_that_is_cut_off(
    tmp_path: Path, text: Path, nodes: tuple[Node, Node], alone: tuple[Path, list[Life]]
) -> None:
    """The one that is cut off is node 0 with process 0. It cannot form a group, and ends with nothing left running."""
    runs = Runs(tmp_path, text, nodes, host=nodes[1], starter=COLD)  # or the host might end before it is joined
    at = runs.hold(0, HELD)
    torchrun, other = runs.start_both("--ddp_timeout", "10")
    torchrun.wait_until(standing(at).exists)
    nodes[0].unplug()
    cut = time.time()
    at.unlink()
    assert torchrun.end() == 1
    print(f"Cut off: its torchrun ended after {time.time() - cut:.1f} s")
    assert nodes[0].pids() == []
    assert other.end() == 0, other.said()[-5000:]
    found = lives(runs.folder)
    before, after = tell("Cut off, the host alone", found, cut)
    assert (before.processes, after.processes, after.first_step) == (2, 1, SAVE_STEPS)
    assert_nothing_lost(found, alone[1])
    assert_close(runs.folder, alone[0])


def test_without_the_host_of_the_rendezvous_the_other_torchrun_ends_its_processes_and_itself(
    tmp_path: Path, nodes: tuple[Node, Node]
) -> None:
    script = tmp_path / "wait.py"
    script.write_text("import signal, sys; from pathlib import Path; Path(sys.argv[1]).touch(); signal.pause()")
    rendezvous = Rendezvous(tmp_path.name, nodes[0], PATIENT)
    begun = [tmp_path / f"{node.number} has begun" for node in nodes]
    host, other = (
        Torchrun(*(node, rendezvous, tmp_path / f"node {node.number}.txt", script, begun[node.number]), starter=COLD)
        for node in nodes
    )
    for torchrun in (host, other):
        torchrun.wait_until(begun[torchrun.node.number].exists)
    host.power_off()
    gone = time.time()
    assert other.end() == 1
    print(f"The host lost: the other torchrun ended after {time.time() - gone:.1f} s")
    assert nodes[1].pids() == []
