"""How long a run takes from a loss to its next step, and where the time goes: torchrun and `vaswani torchrun` in turns.

    python tests/rejoin.py --rounds 5                        (some minutes a round)
    python tests/rejoin.py --rounds 5 --before ../old/src    (torchrun with the code of an older version)

Two nodes in network namespaces train a tiny network. In each run a process is killed, then a node is lost, and then it
comes back; afterwards the rows and the weights must be those of a run that nothing happens to. Prints Markdown.
"""

import argparse
import json
import os
import re
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from recorded_run import Life, journals, lives, standing
from test_two_nodes import BACK, HELD, Runs, assert_close, assert_nothing_lost, train_alone, write_text
from timed_run import PARTS, folder_of
from two_nodes import COLD, WARM, Node, Torchrun, two_nodes

STARTERS = {"torchrun": COLD, "vaswani torchrun": WARM}
CONF = {
    "torchrun": {"last_call_timeout": 5, "keep_alive_interval": 1, "keep_alive_max_attempt": 6},
    "vaswani torchrun": {"last_call_timeout": 2, "keep_alive_interval": 1, "keep_alive_max_attempt": 3},
}
"""That of earlier reports, and that of docs/elastic.md."""

LOSES, WAITS = HELD + 4, HELD + 8
"""The steps, two after a checkpoint, in which a node is lost, and in which the other waits for its return."""

ALL = ["noticed", "process", "interpreter", "imports", *(part for part, _, _ in PARTS[:-1])]
NAMES = {
    "noticed": "noticed by each torchrun",
    "process": "all processes have ended; rendezvous",
    "interpreter": "a process begins its script",
    "first batch": "first batch of the next step",
}


class Timed(NamedTuple):
    """What happened, and when each part of the way to the next step was done, in seconds after it."""

    starter: str
    event: str
    parts: dict[str, float]

    @property
    def seconds(self) -> float:
        """From the loss to the next step."""
        return self.parts["first batch"]


def noticed(runs: Runs, since: float) -> float:
    """Return when the last torchrun said that its process has failed or is to end, in seconds since 1970."""
    stamp = re.compile(
        r"^[EW](\d{4} [\d:.]+) \d+ .*(?:failed \(exitcode|Sending process|Closing process)", re.MULTILINE
    )
    year = datetime.now().year
    found = [
        datetime.strptime(f"{year}{when}", "%Y%m%d %H:%M:%S.%f").timestamp()
        for torchrun in runs.torchruns.values()
        for when in stamp.findall(torchrun.said())
    ]
    return max((each for each in found if each > since), default=since)


def marks(runs: Runs, since: float) -> dict[str, float]:
    """Return when the processes that began after a moment had done each part, the slowest of them."""
    files = folder_of(runs.folder).glob("*.json")
    found = [each for each in map(json.loads, (file.read_text() for file in files)) if each["process"] > since]
    return {part: max(each[part] for each in found) for part in found[0]} if found else {}


def wait_for_step(torchrun: Torchrun, runs: Runs, starter: str, event: str, happened: float, processes: int) -> Timed:
    """Wait for the first step after something happened, of so many processes."""

    def begun() -> bool:
        files = folder_of(runs.folder).glob("*.json")
        return sum(json.loads(file.read_text())["process"] > happened for file in files) == processes

    torchrun.wait_until(begun)
    reached = {"noticed": noticed(runs, happened)} | marks(runs, happened)
    return Timed(starter, event, {part: when - happened for part, when in reached.items()})


def begin(runs: Runs) -> tuple[Torchrun, Torchrun]:
    """Have both nodes train together; the one that is ready first may begin alone, and is joined by a restart."""
    first = [runs.hold(node.number, HELD - 2) for node in runs.nodes]
    both = runs.start_both()

    def together() -> bool:
        begun = lives(runs.folder) if journals(runs.folder).exists() else []
        return any(BACK in each.said() for each in both) or any(life.processes == 2 for life in begun)

    both[0].wait_until(together)
    for brake in first:
        brake.unlink()
    return both


def disturbed(folder: Path, text: Path, nodes: tuple[Node, Node], starter: str) -> tuple[Runs, list[Timed]]:
    """Train with a process killed, a node lost and the node back."""
    script = Path(__file__).with_name("timed_run.py")
    runs = Runs(folder, text, nodes, starter=STARTERS[starter], script=script, conf=CONF[starter])
    killed, lost, waits = runs.hold(1, HELD), runs.hold(0, LOSES), runs.hold(1, WAITS)
    gone, other = begin(runs)
    other.wait_until(standing(killed).exists)
    [worker] = other.workers()
    os.kill(worker, signal.SIGKILL)
    happened = time.time()
    killed.unlink()
    found = [wait_for_step(other, runs, starter, "a process killed", happened, 2)]
    other.wait_until(standing(lost).exists)
    gone.power_off()
    happened = time.time()
    lost.unlink()
    found.append(wait_for_step(other, runs, starter, "a node lost", happened, 1))
    other.wait_until(standing(waits).exists)
    told = other.said().count(BACK)
    happened = time.time()
    runs.start(0)
    other.wait_until(lambda: other.said().count(BACK) > told)
    stands = time.time()
    waits.unlink()
    back = wait_for_step(other, runs, starter, "a node back, from its command", happened, 2)
    since = stands - happened
    still = Timed(starter, "a node back, while nobody trains", {name: at - since for name, at in back.parts.items()})
    return runs, [*found, back, still]


def table(found: list[Timed]) -> Iterator[str]:
    """Yield the seconds of each event with each starter: the median and the ends."""
    yield "| | " + " | ".join(STARTERS) + " |"
    yield "|---|" + "---:|" * len(STARTERS)
    for event in dict.fromkeys(each.event for each in found):
        cells = []
        for starter in STARTERS:
            seconds = [each.seconds for each in found if (each.starter, each.event) == (starter, event)]
            cells.append(f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})")
        yield f"| {event} | {' | '.join(cells)} |"


def table_of_parts(found: list[Timed], event: str) -> Iterator[str]:
    """Yield the median seconds that each part of the way takes after the one before."""
    yield f"| {event} | " + " | ".join(STARTERS) + " |"
    yield "|---|" + "---:|" * len(STARTERS)
    for before, part in zip(["", *ALL], ALL, strict=False):
        cells = []
        for starter in STARTERS:
            those = [each.parts for each in found if (each.starter, each.event) == (starter, event)]
            cells.append(f"{statistics.median(each[part] - each.get(before, 0) for each in those):.2f}")
        yield f"| {NAMES.get(part, part)} | {' | '.join(cells)} |"


@contextmanager
def place_of_work() -> Iterator[Path]:
    """Make a folder, in memory where there is such a disk."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)


def main() -> None:
    """Measure as often as asked."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--rounds", type=int, default=5, help="Losses of each kind with each starter (default: 5).")
    asked.add_argument("--before", type=Path, help="Folder that torchrun takes vaswani from (default: this version).")
    given = asked.parse_args()
    if given.before is not None:
        STARTERS["torchrun"].variables["PYTHONPATH"] = str(given.before.resolve(strict=True))
    found: list[Timed] = []
    with place_of_work() as place, two_nodes() as nodes:
        (place / "text").mkdir()
        text = write_text(place / "text")
        undisturbed, alone = train_alone(text, place / "alone" / "run")
        for number in range(given.rounds):
            for starter in STARTERS:
                folder = place / f"{number} {starter}"
                folder.mkdir()
                runs, timed = disturbed(folder, text, nodes, starter)
                trained: list[Life] = runs.end()
                assert [life.processes for life in trained][-4:] == [2, 2, 1, 2]
                assert_nothing_lost(trained, alone)
                assert_close(runs.folder, undisturbed)
                found += timed
                said = ", ".join(f"{each.event} {each.seconds:.1f}" for each in timed)
                print(
                    f"round {number + 1}, {starter}: {said}; load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True
                )
    events = list(dict.fromkeys(each.event for each in found))
    print("\n\n".join("\n".join(each) for each in (table(found), *(table_of_parts(found, it) for it in events[:2]))))


if __name__ == "__main__":
    main()
