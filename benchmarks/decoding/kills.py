"""Kill `vaswani translate --resume` over and over, and compare what comes out with a run that was left alone.

python -m benchmarks.decoding.kills --lines 200000 --kills 100 --seed 1

A tiny network of random weights translates built-in text. Each life of the command ends by SIGKILL at a drawn moment:
some seconds after its start, or just after a window was listed. After a tenth of the kills the last line of the journal
is cut off, as a power cut may leave it; a tenth of the lives meet a full disk (a limit on the size of files; with
--disk, a real one); and some lives are two processes that share the work. The report says how many outputs came out,
all compared with the bytes of the undisturbed run, and how much was done twice. Afterwards the command with a journal
and the same to /dev/null take turns, to tell what the journal costs.
"""

import argparse
import json
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from vaswani.data.grammar import GrammarCorpus
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.engines.export import export
from vaswani.experiment import markdown
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration

TINY: dict[str, Any] = {"d_model": 16, "d_ff": 32, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
TOKENS = 2
"""The most of a translation, so that random weights come to an end."""


class Campaign(NamedTuple):
    """What is translated, and what comes out undisturbed."""

    command: list[str]
    """Without --output."""
    right: bytes
    ends: list[int]
    """Bytes of the output up to the end of each window."""
    seconds: float
    """From start to end, undisturbed."""


class Left(NamedTuple):
    """What a life leaves."""

    windows: int
    """That the journal lists."""
    beyond: int
    """Bytes of the output behind the last of these."""


# --- What is translated -----------------------------------------------------------------------------------------------


def prepare(folder: Path, lines: int) -> list[str]:
    """Write a text and an exported network, and return the command that translates it."""
    sources = [pair.source for pair in GrammarCorpus("train").read(0)]
    words = (source.split()[0] for source in cycle(sources))  # short lines: the windows are what matters
    text = (f"{word} {number}\n" for number, word in enumerate(islice(words, lines)))
    (folder / "text").write_text("".join(text), encoding="utf-8")
    torch.manual_seed(0)
    tokenizer = learn_tokenizer(sources[:1000], 400, show_progress=False)
    model = VaswaniForConditionalGeneration(VaswaniConfig(vocab_size=len(tokenizer), **TINY))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(6)  # so that what comes out depends on what goes in
    settings: Any = model.generation_config
    settings.max_new_tokens = TOKENS
    model.save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    export(folder / "model", folder / "exported", "ctranslate2")
    command = [sys.executable, "-m", "vaswani.commands", "translate", str(folder / "exported")]
    return [*command, "--engine", "ctranslate2", "--beams", "1", "--input", str(folder / "text")]


def undisturbed(command: list[str], folder: Path) -> Campaign:
    """Translate without an interruption, and see where windows end."""
    started = time.monotonic()
    process = subprocess.Popen([*command, "--output", str(folder / "right")])
    ends: list[int] = []
    while process.poll() is None:
        ends = windows_of(folder / "right") or ends
        time.sleep(0.001)
    assert process.returncode == 0
    right = (folder / "right").read_bytes()
    if ends[-1] != len(right):
        ends.append(len(right))
    return Campaign(command, right, ends, time.monotonic() - started)


def windows_of(output: Path) -> list[int]:
    """Return where each window of an unfinished output ends, by the whole lines of its journal."""
    try:
        rows = output.with_name(f"{output.name}.journal").read_bytes().split(b"\n")[1:-1]
    except FileNotFoundError:
        return []
    return [found["end"] for found in map(json.loads, rows) if "end" in found]


# --- Lives ------------------------------------------------------------------------------------------------------------


def born(command: list[str], processes: int, most: int | None) -> list["subprocess.Popen[bytes]"]:
    """Start a life: so many processes that share the work, whose files may have `most` bytes."""
    meet: dict[str, str] = {}
    if processes > 1:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            meet = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
        meet |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    limit = None if most is None else partial(resource.setrlimit, resource.RLIMIT_FSIZE, (most, most))
    return [
        subprocess.Popen(
            command,
            env={**os.environ, **meet, **({"RANK": str(rank), "LOCAL_RANK": str(rank)} if meet else {})},
            stderr=subprocess.PIPE,
            preexec_fn=limit,
        )
        for rank in range(processes)
    ]


@contextmanager
def filled(disk: Path | None, leave_bytes: int) -> Iterator[None]:
    """Leave so many bytes free on a small file system, if there is one."""
    if disk is None:
        yield
        return
    status, filler = os.statvfs(disk), disk / "filler"
    with filler.open("wb") as file:
        for _ in range(max(0, status.f_bavail * status.f_frsize - leave_bytes) >> 12):
            file.write(bytes(1 << 12))
    try:
        yield
    finally:
        filler.unlink()


def killed(lives: list["subprocess.Popen[bytes]"], moment: float, output: Path, rows: int) -> bool:
    """Kill a life so many seconds after the journal lists `rows` windows; return whether it still lived."""
    while len(windows_of(output)) < rows and all(each.poll() is None for each in lives):
        time.sleep(0.0005)
    end = time.monotonic() + moment
    while time.monotonic() < end and all(each.poll() is None for each in lives):
        time.sleep(0.0005)
    lived = all(each.poll() is None for each in lives)
    for each in lives:
        each.kill()
    for each in lives:
        each.communicate()
    return lived


def full_disk(campaign: Campaign, command: list[str], output: Path, disk: Path | None, draw: random.Random) -> None:
    """Let a life meet a full disk, which has to end it by itself, with the way out."""
    partly = output.with_name(f"{output.name}.partial")
    size = partly.stat().st_size if partly.exists() else 0
    room = draw.randrange(1, max(2, (len(campaign.right) - size) // 2))
    with filled(disk, room):
        [life] = born(command, 1, None if disk else size + room)
        _, said = life.communicate()
    assert life.returncode == 2, said.decode()
    assert (b"No space left" if disk else b"File too large") in said, said.decode()


def cut_journal(output: Path, draw: random.Random) -> int:
    """Cut the last line of a journal off somewhere; return how many windows are no longer listed."""
    journal = output.with_name(f"{output.name}.journal")
    content = journal.read_bytes() if journal.exists() else b""
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    if not last:
        return 0
    before = len(windows_of(output))
    journal.write_bytes(content[: draw.randrange(last, len(content))])
    return before - len(windows_of(output))


def left(output: Path) -> Left:
    """Return what is on the disk of an unfinished output."""
    ends, partly = windows_of(output), output.with_name(f"{output.name}.partial")
    return Left(len(ends), (partly.stat().st_size if partly.exists() else 0) - (ends[-1] if ends else 0))


def kill_often(campaign: Campaign, folder: Path, kills: int, seed: int, disk: Path | None) -> dict[str, Any]:
    """Kill lives until there were so many kills and the output that was under way is done; return the counts."""
    draw, counts, number = random.Random(seed), Counter[str](), 0
    most_beyond = 0
    while counts["kills"] < kills:
        output = (disk or folder) / f"out{number}"
        number += 1
        command = [*campaign.command, "--output", str(output), "--resume"]
        while not output.exists():
            before = left(output)
            if counts["kills"] >= kills:  # nothing more is in its way
                assert [each.wait() for each in born(command, 1, None)] == [0]
                counts["lives"] += 1
                break
            chance = draw.random()
            if chance < 0.1:
                full_disk(campaign, command, output, disk, draw)
                counts["lives"] += 1
                counts["full disks"] += 1
                continue
            processes = 2 if chance < 0.15 else 1
            rows = before.windows + draw.randint(0, 1)
            moment = draw.uniform(0, 1) * (campaign.seconds / 16 if draw.random() < 0.5 else 0.02)
            lived = killed(born(command, processes, None), moment, output, rows)
            counts["lives"] += 1
            counts["kills"] += lived
            counts["kills of two processes"] += lived and processes == 2
            if output.exists():
                continue
            after = left(output)
            assert after.windows >= before.windows, "a window that was listed is gone"
            window = campaign.ends[after.windows] - (campaign.ends[after.windows - 1] if after.windows else 0)
            assert after.beyond <= window, "more than one window was written and not listed"
            most_beyond = max(most_beyond, after.beyond)
            counts["kills between a window and its line"] += lived and after.beyond > 0
            if draw.random() < 0.1:
                lost = cut_journal(output, draw)
                assert lost <= 1
                counts["journals cut off"] += 1
        assert output.read_bytes() == campaign.right, f"{output} has other bytes"
        counts["outputs, all the same bytes"] += 1
        print(f"{counts['kills']} kills, {counts['lives']} lives, {number} outputs", file=sys.stderr, flush=True)
        output.unlink()
    return {**counts, "windows of an output": len(campaign.ends), "most bytes done twice": most_beyond}


# --- What the journal costs -------------------------------------------------------------------------------------------


def costs(campaign: Campaign, folder: Path, rounds: int) -> list[dict[str, float]]:
    """Return processor time and time of the command, with a journal and to /dev/null, of each round."""

    def measured(command: list[str], into: Path | None) -> tuple[float, float]:
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        assert done.returncode == 0
        took, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
        if into is not None:
            into.unlink()
        return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime), took

    found = []
    for turn in range(rounds + 1):
        order = [None, folder / "costs"] if turn % 2 else [folder / "costs", None]
        seen = {into: measured([*campaign.command, *(["--output", str(into)] if into else [])], into) for into in order}
        with_journal, without = seen[folder / "costs"], seen[None]
        if turn:
            found.append(
                {
                    "processor with": with_journal[0],
                    "processor without": without[0],
                    "seconds with": with_journal[1],
                    "seconds without": without[1],
                }
            )
    return found


def of_costs(rounds: list[dict[str, float]]) -> list[list[str]]:
    """Return a row for processor time and one for time: medians, and the median of the ratios within a round."""
    rows = []
    for clock in ("processor", "seconds"):
        ratios = [each[f"{clock} with"] / each[f"{clock} without"] for each in rounds]
        medians = [statistics.median(each[f"{clock} {how}"] for each in rounds) for how in ("with", "without")]
        spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        rows.append(
            ["processor time" if clock == "processor" else "time", *(f"{each:.2f} s" for each in medians), spread]
        )
    return rows


def main() -> None:
    """Kill, compare, measure, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=200_000, help="lines of the text (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=100, help="kills by SIGKILL (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the moments (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of measuring the journal (default: %(default)s)")
    parser.add_argument(
        "--disk", type=Path, help="folder of a small file system of its own, such as a tmpfs of 64 MiB, to be filled"
    )
    add_output(parser)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        campaign = undisturbed(prepare(folder, given.lines), folder)
        counts = kill_often(campaign, folder, given.kills, given.seed, given.disk)
        rounds = costs(campaign, folder, given.rounds) if given.rounds else []
    finally:
        shutil.rmtree(folder)
    about = machine("ctranslate2", "tokenizers") | {"lines": str(given.lines), "seed": str(given.seed)}
    tables = [markdown.table(["what", "how many"], [[name, f"{value:,}"] for name, value in counts.items()])]
    if rounds:
        head = ["", "with a journal", "to /dev/null", "ratio, median (least to most)"]
        tables.append(markdown.table(head, of_costs(rounds)))
    leave(given.output, about, "\n\n".join(tables), {"counts": counts, "rounds": rounds})


if __name__ == "__main__":
    main()
