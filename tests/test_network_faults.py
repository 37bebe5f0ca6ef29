"""What a network does wrong is waited for, said, and ended after a limit; it never changes what is trained on.

The real clients read from a Hub on loopback, in a process of its own, since they read their settings on import.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from loopback_hub import LoopbackHub

GROUPS = 6

READ_ALL = """
import json, sys
from vaswani.data.hub import open_hub
from vaswani.data.retrying import RetryPolicy
corpus = open_hub("owner/name", None, "train", "en", "de", RetryPolicy(float(sys.argv[1])))
print(json.dumps([corpus.fingerprint, [corpus.read(group) for group in range(corpus.groups)]]))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "hub"
    data.mkdir()
    write_shards(data)
    return data


def write_shards(data: Path) -> None:
    """Write two files of three groups of 100 rows."""
    for shard in range(2):
        rows = [{"en": f"sentence {shard} {row} " * 5, "de": f"Satz {shard} {row} " * 5} for row in range(300)]
        path = data / f"train-{shard:05}-of-00002.parquet"
        pq.write_table(
            pa.table({"translation": rows}), path, row_group_size=100, compression="none", write_page_checksum=True
        )


def read_all(hub: LoopbackHub, home: Path, patience: float) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(home),
        "HF_HUB_DOWNLOAD_TIMEOUT": "1",
        "HF_HUB_OFFLINE": "0",
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.run(
        [sys.executable, "-c", READ_ALL, str(patience)], env=environment, capture_output=True, text=True, check=False
    )


def expected(folder: Path) -> list[list[list[str]]]:
    tables = [pq.read_table(path).column("translation").to_pylist() for path in sorted(folder.glob("*.parquet"))]
    rows = [[row["en"], row["de"]] for table in tables for row in table]
    return [rows[first : first + 100] for first in range(0, 600, 100)]


@pytest.mark.parametrize("fault", ["500", "cut", "stall", "short", "no range", "page", "another range", "flipped"])
def test_a_passing_fault_costs_time_and_nothing_else(folder: Path, tmp_path: Path, fault: str) -> None:
    """Every fourth answer with text in it goes wrong."""
    answers = 0

    def every_fourth(_: str, span: tuple[int, int] | None) -> str | None:
        nonlocal answers
        answers += 1
        return fault if span and answers % 4 == 0 else None

    with LoopbackHub(folder, fault=every_fourth) as hub:
        done = read_all(hub, tmp_path / "home", 60)
    assert done.returncode == 0, done.stderr[-2000:]
    assert answers > GROUPS + 1
    assert json.loads(done.stdout)[1] == expected(folder)
    if fault in ("short", "no range"):  # the clients take it for whole, so it is for us to say
        assert "received. Trying again in 1 s" in done.stderr
    if fault in ("page", "another range", "flipped"):
        assert "it cannot be decoded (" in done.stderr


def test_a_server_that_stays_away_ends_the_run_with_the_way_on(folder: Path, tmp_path: Path) -> None:
    footers = {path.name: path.stat().st_size for path in folder.glob("*.parquet")}

    def after_the_footers(name: str, span: tuple[int, int] | None) -> str | None:
        return "short" if span and span[1] < footers[name] // 2 else None

    with LoopbackHub(folder, fault=after_the_footers) as hub:
        done = read_all(hub, tmp_path / "home", 4)
    assert done.returncode != 0
    assert "SourceLostError" in done.stderr
    assert "row group 0 did not arrive within 4 s" in done.stderr
    assert "--source_timeout waits longer" in done.stderr
    assert done.stderr.count("Trying again in") == 2  # after 1 s and 2 s more; 4 s more would be too long


def test_what_comes_twice_alike_is_damage_and_costs_two_requests(folder: Path, tmp_path: Path) -> None:
    """As if the file itself were damaged: 100 rows of one group are counted, the others come as they are."""
    path = folder / "train-00001-of-00002.parquet"
    content = bytearray(path.read_bytes())
    chunk = pq.read_metadata(path).row_group(1).column(0)
    content[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1
    asked = 0

    def count(name: str, span: tuple[int, int] | None) -> None:
        nonlocal asked
        asked += name == path.name and span is not None and span[0] <= chunk.data_page_offset <= span[1]

    right = expected(folder)
    path.write_bytes(content)
    with LoopbackHub(folder, fault=count) as hub:
        done = read_all(hub, tmp_path / "home", 60)
    assert done.returncode == 0, done.stderr[-2000:]
    read = json.loads(done.stdout)[1]
    assert [rows for place, rows in enumerate(read) if place != 4] == [
        rows for place, rows in enumerate(right) if place != 4
    ]
    assert {row[0] for row in read[4]} == {"damaged"}
    assert done.stderr.count("it cannot be decoded (") == 1
    assert asked <= 4


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("401", "the server answers 401: the token is wrong or has ended"),
        ("404", "the server answers 404: it was moved or deleted"),
        ("416", "the server answers 416: the file is shorter than when it was opened"),
        ("loop", "the server redirects without end"),
    ],
)
def test_an_answer_that_no_try_changes_gets_a_sentence(folder: Path, tmp_path: Path, fault: str, words: str) -> None:
    footers = {path.name: path.stat().st_size for path in folder.glob("*.parquet")}

    def after_the_footers(name: str, span: tuple[int, int] | None) -> str | None:
        return fault if span and span[1] < footers[name] // 2 else None

    with LoopbackHub(folder, fault=after_the_footers) as hub:
        done = read_all(hub, tmp_path / "home", 60)
    assert done.returncode != 0
    assert (
        f"SourceLostError: owner/name@{'5' * 40}/train-00000-of-00002.parquet, row group 0 cannot be read: {words}"
        in (done.stderr)
    )
    assert "Trying again" not in done.stderr


def test_another_state_of_the_data_is_another_fingerprint(folder: Path, tmp_path: Path) -> None:
    with LoopbackHub(folder) as hub:
        one = read_all(hub, tmp_path / "home", 4)
    path = folder / "train-00001-of-00002.parquet"
    pq.write_table(pq.read_table(path).slice(1), path, row_group_size=100)
    with LoopbackHub(folder, commit="6" * 40) as hub:
        other = read_all(hub, tmp_path / "home", 4)
    assert json.loads(one.stdout)[0] != json.loads(other.stdout)[0]
