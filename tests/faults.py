"""Faults by the hundred: what is hit ends as if nothing had happened, or is refused by name. Prints a table.

    make faults                          (100 of them, by seed 0; some minutes)
    make faults SEED=3 NUMBER=2000

Each run is hit by one to six drawn faults, in processes of their own, and then goes on to its end: its checkpoints,
weights, moments, random states, places in the text, logs and leftovers must be those of a run left alone. So must those
of two processes that train together, of which one is hit. Files of text and vocabularies are hit while they are in use,
a source while it is read, and flags in one of two processes. Outside the tests, since it takes long; exit code 1 where
anything was wrong.
"""

import argparse
import builtins
import errno
import gc
import io
import json
import logging
import os
import random
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

import test_changed_data
import test_more_steps
import test_network_faults
import test_unlike_processes
import torch
from corpus_of_numbers import NumberedCorpus, number_tokenizer
from loopback_hub import LoopbackHub
from safetensors.torch import load_file
from test_caches import DAMAGES, LIMITS
from test_power_cut import stamp
from tqdm import tqdm

from vaswani.data import CorpusError, fingerprint
from vaswani.experiment.arguments import Recipe, parse
from vaswani.experiment.caches import joint_tokenizer
from vaswani.experiment.common_settings import MAY_DIFFER
from vaswani.experiment.data_arguments import DataArguments
from vaswani.experiment.preparation import checkpoint_to_resume
from vaswani.training.checkpointing.checkpoints import checkpoints, sealed
from vaswani.training.distribution.unlike_processes import differences
from vaswani.training.exceptions import PeerLostError, SignalledError

ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)
CALLS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir", "open")
"""Of the module os; and the one of Python that opens files."""

NOBODY = "none"
"""The kind of the lives that nothing hits."""


class Peer(NamedTuple):
    """One of two processes that train together."""

    rank: int
    port: int

    def variables(self) -> dict[str, str]:
        """Return what a launcher would tell it."""
        ranks = dict.fromkeys(("RANK", "LOCAL_RANK"), str(self.rank))
        sizes = dict.fromkeys(("WORLD_SIZE", "LOCAL_WORLD_SIZE"), "2")
        return {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(self.port), "ACCELERATE_USE_CPU": "true"} | ranks | sizes


class Alone(NamedTuple):
    """The runs that nothing hits."""

    of_one: Path
    of_two: Path


class Outcome(NamedTuple):
    """What came of one fault or several."""

    kinds: list[str]
    refused: bool
    wrong: str
    """Nothing where all is well."""


# --- inside a life: what strikes it ---


def at_call(number: int, strike: Callable[[], None], calls: tuple[str, ...] = CALLS) -> None:
    """Strike before the call of the system of this number."""
    left = [number]

    def watched(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*given: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                strike()
            return call(*given, **named)

        return wrapped

    for name in calls:
        setattr(os, name, watched(getattr(os, name)))
    builtins.open = watched(builtins.open)


def kill() -> None:
    """End this process as SIGKILL does."""
    os.kill(os.getpid(), signal.SIGKILL)


def fail(code: int) -> None:
    """Fail as a call of the system does."""
    raise OSError(code, os.strerror(code))


def write_down_what_is_flushed(log: Path) -> None:
    """Keep, for whoever cuts the power, which contents are on the disk."""
    fsync, lines = os.fsync, log.open("a")

    def flush(descriptor: int) -> None:
        fsync(descriptor)
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        lines.write(json.dumps([str(path.stat().st_ino), stamp(path)]) + "\n")
        lines.flush()

    vars(os)["fsync"] = flush


def jump(by: float) -> None:
    """Let the clocks of this process jump once, at the thousandth look."""
    looks = [0]

    def jumping(clock: Callable[[], float]) -> Callable[[], float]:
        def looked_at() -> float:
            looks[0] += 1
            return clock() + (by if looks[0] > 1000 else 0)

        return looked_at

    time.time = jumping(time.time)  # a monotonic one does not jump


def live(folder: Path, kind: str, number: int, log: Path, peer: Peer | None) -> None:
    """Train from what is on the disk to the end, or to the fault of this kind and number."""
    os.environ |= peer.variables() if peer else {}
    prepare: Callable[..., None] = lambda _: None  # noqa: E731
    tqdm.set_lock(threading.RLock())  # its own is shared by all forks, and one that is killed while it draws holds it
    write_down_what_is_flushed(log)  # in each life: a later one's power cut must not take what this one flushed
    match kind:
        case "kill at a call of the system" | "power cut at a call of the system":
            at_call(number, kill)
        case "a call of the system fails":
            at_call(number, lambda: fail(ERRORS[number % len(ERRORS)]))
        case "kill at any moment":
            signal.signal(signal.SIGPROF, signal.SIG_DFL)  # which ends it anywhere, as SIGKILL does
            signal.setitimer(signal.ITIMER_PROF, number / 1000)  # by the processor's time, whatever else runs
        case "clock jumps":
            jump(1e6 if number % 2 else -1e6)
        case "SIGTERM" | "SIGUSR1" | "SIGTERM, then SIGKILL":
            which = signal.SIGUSR1 if kind == "SIGUSR1" else signal.SIGTERM
            step = number % test_more_steps.LAST + 1
            prepare = lambda trainer: trainer.add_callback(test_more_steps.Tell(trainer, step, which))  # noqa: E731
            if "SIGKILL" in kind:
                at_call(number % 60, kill, ("fsync", "replace"))
    with Path(os.devnull).open("w") as nowhere:  # what runs print
        os.dup2(nowhere.fileno(), 1)
    try:
        test_more_steps.trained(folder, number_tokenizer(), prepare=prepare, batches_per_step=2 if peer else 1)
    except (SignalledError, PeerLostError, OSError) as error:
        print(f"{kind} {number}: {error!r}"[:300], file=sys.stderr)
        os._exit(75)
    os._exit(0)  # or gloo's threads might outlive what they need


STRIKES = (
    "kill at any moment",
    "kill at a call of the system",
    "power cut at a call of the system",
    "a call of the system fails",
    "SIGTERM",
    "SIGUSR1",
    "SIGTERM, then SIGKILL",
    "clock jumps",
)
DAMAGED = "newest checkpoint damaged"


# --- between lives ---


def lose_what_was_not_flushed(run: Path, log: Path) -> None:
    """Cut the power: a file whose content was not flushed as it is has no bytes afterwards."""
    flushed = dict(map(json.loads, log.read_text().splitlines())) if log.exists() else {}
    for file in run.rglob("*"):
        if file.is_file() and flushed.get(str(file.stat().st_ino)) != list(stamp(file)):
            file.write_bytes(b"")


def damage(run: Path, draw: random.Random) -> bool:
    """Flip a bit of a file of the newest checkpoint, cut it or remove it; return whether there was one."""
    if len(sealed(run)) < 2:
        return False
    file = draw.choice(sorted(each for each in sealed(run)[-1].rglob("*") if each.is_file() and each.stat().st_size))
    content = bytearray(file.read_bytes())
    how = draw.choice(["flip", "cut", "remove"])
    if how == "remove":
        file.unlink()
        return True
    if how == "flip":
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    file.write_bytes(content[: draw.randrange(len(content))] if how == "cut" else content)
    return True


def life(run: Path, kind: str, number: int) -> list[int | None]:
    """Have a process live, and return how it ended."""
    return lives(run, kind, number, [None])


def life_of_two(run: Path, kind: str, number: int, rank: int) -> list[int | None]:
    """Have two processes live together, one of which is hit, and return how they ended."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return lives(run, kind, number, [Peer(rank, port), Peer(1 - rank, port)])


def lives(run: Path, kind: str, number: int, peers: Sequence[Peer | None]) -> list[int | None]:
    """Have processes live, the first of which is hit, and return how they ended."""
    log, fork = run.with_name(f"{run.name}.flushed"), get_context("fork")  # all is imported here
    kinds = [kind, *[NOBODY] * (len(peers) - 1)]
    processes = [
        fork.Process(target=live, args=(run, its, number, log, peer)) for its, peer in zip(kinds, peers, strict=True)
    ]
    for process in processes:
        process.start()
    while living := [process for process in processes if process.is_alive()]:
        if any(process.exitcode for process in processes):
            end_as_torchrun_does(living)
        else:
            wait([process.sentinel for process in living])
    if kind.startswith("power cut") and processes[0].exitcode:
        lose_what_was_not_flushed(run, log)
    return [process.exitcode for process in processes]


def end_as_torchrun_does(processes: Sequence[BaseProcess]) -> None:
    """End the processes that are left when one has failed: some wait for it where no signal is heard."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(30)
        process.kill()
        process.join()


def files_of(run: Path) -> set[str]:
    """Return the files and folders of a run, without damaged checkpoints, which are set aside."""
    names = [each.relative_to(run) for each in run.rglob("*")]
    return {str(name) for name in names if not name.parts[0].startswith("damaged-")}


def unlike(one: Path, other: Path) -> str:
    """Return in what two runs differ that should not; nothing if in nothing."""
    if differing := files_of(one) ^ files_of(other):
        return f"one of them has {', '.join(sorted(differing))}"
    for a, b in zip(checkpoints(one), checkpoints(other), strict=True):
        weights = [load_file(each / "model.safetensors") for each in (a, b)]
        if any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[1]):
            return f"weights of {a.name}"
        for name in ("optimizer.pt", "scheduler.pt", *sorted(each.name for each in b.glob("rng_state*.pth"))):
            states = [test_more_steps.tensors_of(torch.load(each / name, weights_only=False)) for each in (a, b)]
            if not torch.equal(*(torch.cat(state) for state in states)):
                return f"{name} of {a.name}"
        for name in ("stream.json", "since_log.json"):
            if (a / name).read_text() != (b / name).read_text():
                return f"{name} of {a.name}"
        if test_more_steps.logged(a) != test_more_steps.logged(b):
            return f"the log of {a.name}"
    return ""


# --- the kinds of faults ---


def hit_run(draw: random.Random, folder: Path, alone: Alone) -> Outcome:
    """A run that is hit one to six times."""
    return hit(draw, folder, [*STRIKES, DAMAGED], 6, alone.of_one, life)


def hit_two(draw: random.Random, folder: Path, alone: Alone) -> Outcome:
    """A run of two processes, one of which is hit, one to three times."""
    kinds = [kind for kind in STRIKES if not kind.startswith("power cut")]  # which other processes do not write down

    def together(run: Path, kind: str, number: int) -> list[int | None]:
        return life_of_two(run, kind, number, draw.randrange(2))

    outcome = hit(draw, folder, kinds, 3, alone.of_two, together)
    return outcome._replace(kinds=[f"{kind}, in one of two processes" for kind in outcome.kinds])


def hit(
    draw: random.Random,
    folder: Path,
    among: Sequence[str],
    most: int,
    alone: Path,
    life: Callable[[Path, str, int], list[int | None]],
) -> Outcome:
    """Hit a run by faults of some kinds, and let it go on to its end."""
    run, kinds = folder / "run", []
    run.mkdir()
    for _ in range(draw.randint(1, most)):
        kind = draw.choice(among)
        if kind != DAMAGED:
            life(run, kind, draw.randint(1, 600))
        elif not damage(run, draw):
            continue
        kinds.append(kind)
        try:
            with redirect_stdout(io.StringIO()):
                checkpoint_to_resume(run)  # sets damaged ones aside, as a resume does
        except ValueError as error:
            return Outcome(kinds, refused=True, wrong="" if "restore" in str(error) else str(error))
    codes = life(run, NOBODY, 1)
    return Outcome(kinds, refused=False, wrong=f"exit codes {codes}" if any(codes) else unlike(run, alone))


def hit_text(draw: random.Random, folder: Path, _: Alone) -> Outcome:
    """A file of text that is swapped while it is read, with its size and time kept."""
    kind, by_name = draw.choice(list(test_changed_data.KINDS)), draw.random() < 0.5
    file = test_changed_data.KINDS[kind][1](folder, test_changed_data.PAIRS)
    corpus = test_changed_data.opened(kind, folder)
    for group in range(draw.randint(0, corpus.groups - 1)):
        corpus.read(group)
    test_changed_data.swap(file, test_changed_data.other_text(kind, file), by_name)
    try:
        corpus.read(draw.randrange(corpus.groups))
    except CorpusError as error:
        is_named = str(file) in str(error)
        is_other = test_changed_data.opened(kind, folder).fingerprint != corpus.fingerprint
        return Outcome(["text swapped"], refused=True, wrong="" if is_named and is_other else str(error))
    return Outcome(["text swapped"], refused=False, wrong=f"{kind}, {'by name' if by_name else 'in place'}: read on")


def hit_vocabulary(draw: random.Random, folder: Path, _: Alone) -> Outcome:
    """A kept vocabulary that is damaged."""
    corpus, data = NumberedCorpus((50, 50)), DataArguments(dataset="grammar", cache_dir=str(folder / "cache"))
    first = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    [kept] = (folder / "cache" / "tokenizers").iterdir()
    how = draw.choice(list(DAMAGES))
    DAMAGES[how](kept / "tokenizer.json")
    again = joint_tokenizer(corpus, 280, LIMITS, data, seed=1, run=None)
    is_same = fingerprint(again) == fingerprint(first)
    return Outcome(["vocabulary damaged"], refused=False, wrong="" if is_same else f"{how}: another vocabulary")


def hit_flag(draw: random.Random, folder: Path, _: Alone) -> Outcome:
    """A flag of one process that differs."""
    arguments = parse(Recipe("", {}, {"dataset": "grammar"}, {}), ["--output_dir", str(folder)])
    part, name = draw.choice(list(test_unlike_processes.flags()))
    other = test_unlike_processes.changed(arguments, part, name)
    said = differences([test_unlike_processes.told(each) for each in (arguments, other)])
    if name in MAY_DIFFER:
        return Outcome(["flag of one process"], refused=False, wrong="; ".join(said))
    is_named = bool(said) and all(each.startswith(f"--{name}") for each in said)
    return Outcome(["flag of one process"], refused=True, wrong="" if is_named else f"--{name}: {said}")


LIES = ("500", "cut", "stall", "short", "no range", "page", "another range", "flipped")
"""What a source does wrong once in a while; and for good: these and statuses that no second try changes."""


def hit_source(draw: random.Random, folder: Path, _: Alone) -> Outcome:
    """A source that lies or is away, now and then or for good."""
    data = folder / "hub"
    data.mkdir()
    test_network_faults.write_shards(data)
    lie, is_for_good, asked = draw.choice([*LIES, "401", "404", "416", "loop"]), draw.random() < 0.3, [0]
    is_for_good = is_for_good or lie not in LIES
    footers = {path.name: path.stat().st_size // 2 for path in data.glob("*.parquet")}
    begins, every = draw.randint(0, 4), draw.randint(2, 4)

    def fault(name: str, span: tuple[int, int] | None) -> str | None:
        if span is None or span[1] >= footers[name]:
            return None
        asked[0] += 1
        return lie if asked[0] > begins and (is_for_good or asked[0] % every == 0) else None

    with LoopbackHub(data, fault=fault) as hub:
        done = test_network_faults.read_all(hub, folder / "home", 4 if is_for_good else 60)
    kind = [f"a source that {'stays' if is_for_good else 'is'} away or false"]
    if done.returncode:
        is_named = is_for_good and ("SourceLostError" in done.stderr or "CorpusError" in done.stderr)
        return Outcome(kind, refused=True, wrong="" if is_named else f"{lie}: {done.stderr[-300:]}")
    read = json.loads(done.stdout)[1]
    right = test_network_faults.expected(data)
    is_right = read == right or (
        is_for_good
        and all(rows == ok or {row[0] for row in rows} == {"damaged"} for rows, ok in zip(read, right, strict=True))
    )
    return Outcome(kind, refused=False, wrong="" if is_right else f"{lie}: other rows")


KINDS = (
    (hit_run, 0.62),
    (hit_two, 0.08),
    (hit_text, 0.12),
    (hit_vocabulary, 0.06),
    (hit_flag, 0.1),
    (hit_source, 0.02),
)
"""What is hit, and its share of the campaign."""


def table(outcomes: list[Outcome]) -> str:
    """Return the faults by kind as a table: how many, and what came of what they hit."""
    struck, refused, wrong = Counter[str](), Counter[str](), Counter[str]()
    for each in outcomes:
        struck.update(each.kinds)
        refused.update(each.kinds if each.refused else ())
        wrong.update(set(each.kinds) if each.wrong else ())
    rows = ["| fault | struck | refused by name | wrong |", "|---|---|---|---|"]
    rows += [f"| {kind} | {struck[kind]} | {refused[kind]} | {wrong[kind]} |" for kind in sorted(struck)]
    total = sum(struck.values())
    lasting = sum(1 for each in outcomes if each.wrong)
    rows.append(f"| together | {total} | {sum(refused.values())} | {lasting} of {len(outcomes)} that were hit |")
    return "\n".join(rows)


def main() -> None:
    """Strike as often as asked."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--seed", type=int, default=0, help="Draws the faults (default: 0).")
    asked.add_argument("--number", type=int, default=100, help="Faults to strike (default: 100).")
    asked.add_argument("--minutes", type=float, default=1e9, help="End after so many minutes (default: no limit).")
    given = asked.parse_args()
    draw, end = random.Random(given.seed), time.monotonic() + 60 * given.minutes
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # it does not work in forked processes
    torch.set_num_threads(1)
    logging.disable()
    import_module("deepspeed")  # which Accelerate would import in each process
    gc.collect()
    gc.freeze()  # what is here stays: no process need look at it
    outcomes: list[Outcome] = []
    struck = 0
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as place:
        alone = Alone(Path(place) / "alone", Path(place) / "two alone")
        codes = life(alone.of_one, NOBODY, 1) + life_of_two(alone.of_two, NOBODY, 1, 0)
        assert not any(codes), codes
        while struck < given.number and time.monotonic() < end:
            folder = Path(place) / f"hit {len(outcomes)}"
            folder.mkdir()
            [(strike, _)] = draw.choices(KINDS, [share for _, share in KINDS])
            with redirect_stdout(io.StringIO()):  # what runs print
                outcomes.append(strike(draw, folder, alone))
            struck += len(outcomes[-1].kinds)
            if outcomes[-1].wrong:
                print(f"WRONG after {', '.join(outcomes[-1].kinds)}: {outcomes[-1].wrong}", flush=True)
            print(f"{struck} of {given.number} faults", end="\r", file=sys.stderr, flush=True)
            shutil.rmtree(folder)
    print(f"\nseed {given.seed}\n\n{table(outcomes)}")
    sys.exit(any(each.wrong for each in outcomes))


if __name__ == "__main__":
    main()
