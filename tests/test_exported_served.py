"""An exported model behind `vaswani serve` and on the page: the answers of the offline command, limits and figures."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Translator
from test_server import VASWANI, Server, at_once, serving

import vaswani
from vaswani.commands import main
from vaswani.engines.export import export
from vaswani.server.demo import Translator as Page
from vaswani.server.demo import build_page

CLIENTS = 64
BEAMS = 3


class Served(NamedTuple):
    """A running server, and what the command line gives by the same model."""

    engine: str
    folder: Path
    server: Server
    lines: list[str]
    offline: list[list[dict[str, object]]]
    """The two best of each line, each with its text and score."""


@pytest.fixture(scope="module", params=["ctranslate2", "onnx"])
def served(
    request: pytest.FixtureRequest, toy_translator: Translator, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    engine, where = request.param, tmp_path_factory.mktemp(request.param)
    folder, lines = where / "tiny", [*toy_translator.lines[:200], "", "\u00fcber \U0001f600"]
    export(toy_translator.folder, folder, engine)
    (where / "in").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    files = ["--input", str(where / "in"), "--output", str(where / "out")]
    how = ["--engine", engine, "--beams", str(BEAMS), "--n_best", "2", "--format", "jsonl"]
    assert main(["translate", str(folder), *files, *how]) == 0
    rows = [json.loads(row) for row in (where / "out").read_text(encoding="utf-8").splitlines()]
    with serving(folder, "--engine", engine, "--beams", str(BEAMS)) as server:
        yield Served(engine, folder, server, lines, [row["translations"] for row in rows])


def test_sixty_four_clients_get_the_answers_of_the_offline_command(served: Served) -> None:
    server, before = served.server, served.server.figure("vaswani_sentences_total")

    def client(number: int) -> int:
        sentences = 0
        for turn in range(3):
            places = [(number * 17 + turn * 61 + step) % len(served.lines) for step in range(1 + number % 3)]
            status, _, answer = server.translate([served.lines[place] for place in places], n_best=2)
            assert status == 200, answer
            for place, found in zip(places, answer["translations"], strict=True):
                expected = served.offline[place]
                both = [found, *found["alternatives"]]
                assert [each["text"] for each in both] == [each["text"] for each in expected]
                scores = [each["score"] for each in expected]
                assert [each["score"] for each in both] == (
                    scores if scores == [None] else pytest.approx(scores, rel=1e-5)
                )
            sentences += sum(bool(served.lines[place]) for place in places)
        return sentences

    sentences = sum(at_once(CLIENTS, client))
    assert server.figure("vaswani_sentences_total") - before == sentences
    assert server.figure("vaswani_waiting_sentences") == server.figure("vaswani_requests_in_progress") == 0
    assert server.figure('vaswani_requests_total{status="200"}') == CLIENTS * 3
    assert server.figure("vaswani_batch_sentences_count") < server.figure("vaswani_sentences_total") / 2


def test_limits_are_those_of_every_server(served: Served) -> None:
    for status, said, asked in (
        (413, "tokens, and 512 are allowed: split it into sentences", {"text": "the cat " * 300}),
        (413, "129 texts; a request may have 128", {"text": ["a"] * 129}),
        (422, "n_best is 4, but 3 beams find only 3", {"text": "a", "n_best": 4}),
        (422, "less than or equal to 16", {"text": "a", "num_beams": 17}),
    ):
        found, _, answer = served.server.ask("POST", "/translate", json.dumps(asked))
        assert (found, said in answer.decode()) == (status, True), answer


def test_ctranslate2_is_served_without_torch(served: Served) -> None:
    maps = Path(f"/proc/{served.server.process.pid}/maps")
    if not maps.exists():
        pytest.skip("needs Linux, which tells what a process has loaded")
    assert ("libtorch" in maps.read_text()) == (served.engine == "onnx")


def test_the_page_shows_the_same_without_a_picture(served: Served) -> None:
    model = vaswani.load(served.folder, engine=served.engine)
    parts = build_page(model, None, "tiny").get_config_file()["components"]
    shown = {each["props"].get("elem_id") for each in parts}
    assert {"text", "translation", "n_best"} <= shown
    assert not {"attention", "layer", "head"} & shown
    best, rows = Page(model, None).translate_alone(served.lines[0], BEAMS, 2)
    assert best == served.offline[0][0]["text"]
    assert [text for _, text in rows] == [each["text"] for each in served.offline[0]]


def test_what_cannot_be_served_is_refused(
    served: Served, toy_translator: Translator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("serve", "demo"):
        assert main([command, str(served.folder)]) == 2
        assert f"a model exported to {served.engine}" in capsys.readouterr().err
        assert main([command, str(toy_translator.folder), "--engine", served.engine]) == 2
        assert f"vaswani export MODEL OUT --to {served.engine}" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"there is no engine tpu; give torch, ctranslate2 or onnx"):
        vaswani.load(served.folder, engine="tpu")
    damaged = Path(shutil.copytree(served.folder, tmp_path / "damaged"))
    for file in (*damaged.glob("*.bin"), *damaged.glob("*.onnx")):
        file.write_bytes(file.read_bytes()[:1000])
    started = [VASWANI, "serve", str(damaged), "--engine", served.engine, "--port", "0"]
    done = subprocess.run(started, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the model cannot be loaded" in done.stderr
