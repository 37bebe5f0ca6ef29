"""`vaswani serve` in a real process: every answer right, none lost, and no more memory than its limits allow."""

import asyncio
import gzip
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
import torch
import uvicorn
from conftest import outspoken
from fastapi import FastAPI, Request
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.server.admission import Admission
from vaswani.server.hosts import KnownHosts, known_names
from vaswani.server.queue import Queue, QueueFullError, Sentence, next_batch
from vaswani.server.statistics import ServerStatistics
from vaswani.translation.hypotheses import BatchSearch, BeamSettings, Hypothesis
from vaswani.translation.search import by_generate
from vaswani.translation.translate import translate

VASWANI = str(Path(sys.executable).with_name("vaswani"))
CLIENTS = 50
WORDS = ("the cat sat on the mat and the dog sat by the door über 12 " * 2).split()
TEXTS = [" ".join(WORDS[start : start + length]) for length in (1, 2, 3, 5, 8, 13) for start in range(5)] + ["", " "]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokenizer(["the cat sat on the mat and the dog sat by the door"] * 3, 280, show_progress=False)


@pytest.fixture(scope="module")
def model(tokenizer: PreTrainedTokenizerFast) -> VaswaniForConditionalGeneration:
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"d_model": 16, "d_ff": 32, "num_heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    model = outspoken(VaswaniForConditionalGeneration(VaswaniConfig(vocab_size=len(tokenizer), **sizes)))
    return model.double().eval()  # no near tie is decided by the shape of a batch


@pytest.fixture(scope="module")
def folder(
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    path = tmp_path_factory.mktemp("run") / "tiny"
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def right(model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast) -> dict[tuple[str, int], str]:
    """What `translate` gives for each text, by text and beams."""
    return {
        (text, beams): translation
        for beams in (1, 3, 16)
        for text, translation in zip(TEXTS, translate(model, tokenizer, TEXTS, num_beams=beams), strict=True)
    }


class Server:
    """A running server, as its clients see it."""

    def __init__(self, process: "subprocess.Popen[str]", port: int) -> None:
        self.process, self.port = process, port

    def ask(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, HTTPResponse, bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            connection.request(method, path, body, {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer, answer.read()
        finally:
            connection.close()

    def translate(self, text: Any, **how: Any) -> tuple[int, HTTPResponse, Any]:
        status, answer, body = self.ask("POST", "/translate", json.dumps({"text": text, **how}))
        return status, answer, json.loads(body)

    def figure(self, name: str) -> float:
        """A figure of /metrics, 0 if it has none yet."""
        found = re.search(rf"^{re.escape(name)} (\S+)$", self.ask("GET", "/metrics")[2].decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    def peak_memory(self) -> int:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())
        assert found
        return int(found[1]) * 1024


def until(condition: Callable[[], bool], process: "subprocess.Popen[str] | None" = None, seconds: float = 300) -> None:
    """Wait for what the server is about to do; fail if it dies or never does it."""
    end = time.monotonic() + seconds
    while not condition():
        assert process is None or process.poll() is None, "the server has ended"
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Server]:
    """Start a server and wait until it is ready; it says that it is not, until it is."""
    command = [VASWANI, "serve", str(folder), "--port", "0", *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r"http://127.0.0.1:(\d+)", said)
        assert found, said + process.stderr.read()
        server = Server(process, int(found[1]))
        seen: list[int] = []

        def ready() -> bool:
            status, _, body = server.ask("GET", "/health")
            assert json.loads(body) == {"status": {503: "loading", 200: "ready"}[status], "model": "tiny"}
            seen.append(status)
            return status == 200

        until(ready, process)
        assert seen == sorted(seen, reverse=True)
        yield server
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with serving(folder) as running:
        yield running


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run `work` in so many threads, all of which begin together."""
    barrier = threading.Barrier(count)

    def begin(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(begin, range(count)))


def test_fifty_clients_at_once_get_every_answer_and_the_right_one(
    server: Server, right: dict[tuple[str, int], str]
) -> None:
    before = {name: server.figure(name) for name in ("vaswani_sentences_total", "vaswani_batch_seconds_count")}

    def client(number: int) -> tuple[int, int]:
        sentences = 0
        for turn in range(2):
            first = number * 2 + turn
            texts = [TEXTS[(first + 7 * place) % len(TEXTS)] for place in range(1 + first % 4)]
            beams = 1 if number % 5 == 0 else 3
            status, _, answer = server.translate(texts if first % 4 else texts[0], num_beams=beams)
            assert status == 200, answer
            assert [each["text"] for each in answer["translations"]] == [right[text, beams] for text in texts]
            sentences += sum(bool(text.strip()) for text in texts)
        return sentences, 2

    done = at_once(CLIENTS, client)
    assert sum(requests for _, requests in done) == 2 * CLIENTS
    sentences = server.figure("vaswani_sentences_total") - before["vaswani_sentences_total"]
    assert sentences == sum(count for count, _ in done)
    batches = server.figure("vaswani_batch_seconds_count") - before["vaswani_batch_seconds_count"]
    assert batches < sentences / 3  # those that came together were translated together
    assert server.figure("vaswani_waiting_sentences") == server.figure("vaswani_requests_in_progress") == 0


def test_the_n_best_with_scores_are_those_of_the_offline_search(
    server: Server, model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    status, _, answer = server.translate(["the cat sat", "", TEXTS[-3], "\u200b\u00ad"], num_beams=3, n_best=3)
    assert (status, answer["model"]) == (200, "tiny")
    first, blank, second, unseen = answer["translations"]
    search = by_generate(model, tokenizer, BeamSettings(3, n_best=3))
    for found, text in ((first, "the cat sat"), (second, TEXTS[-3])):
        [right] = search([tokenizer(text).input_ids])
        assert [each["text"] for each in (found, *found["alternatives"])] == [each.text for each in right]
        assert [each["score"] for each in (found, *found["alternatives"])] == pytest.approx(
            [each.score for each in right]
        )
    assert blank == unseen == {"text": "", "score": None, "alternatives": []}
    greedy = server.translate("the cat sat", num_beams=1)[2]["translations"][0]
    assert greedy["score"] is None


@pytest.mark.parametrize(
    ("status", "said", "body"),
    [
        (413, "text 2 has 515 tokens, and 512 are allowed: split it into sentences", {"text": ["a", "a " * 256 + "a"]}),
        (413, "text 1 has 900000 characters, and 512 tokens hold", {"text": "a" * 900_000}),
        (413, "129 texts; a request may have 128: send several", {"text": ["a"] * 129}),
        (422, "n_best is 3, but 2 beams find only 2; raise num_beams", {"text": "a", "num_beams": 2, "n_best": 3}),
        (422, "less than or equal to 16", {"text": "a", "num_beams": 17}),
        (422, "greater than or equal to 1", {"text": "a", "num_beams": 0}),
        (422, "not permitted", {"text": "a", "num_beems": 2}),
        (422, "character 2 is half of a surrogate pair", {"text": "a\ud800"}),
        (422, "valid string", {"text": 3}),
        (422, "Field required", {}),
        (422, "Field required", b""),
        (422, "JSON decode error", b'{"text": '),
        (400, "error parsing", b"[" * 200_000),
        (400, "byte 13 of the body, 0xfc, is not UTF-8; send JSON in UTF-8", '{"text": "gr\u00fcn"}'.encode("latin-1")),
        (400, "0x8b, is not UTF-8 (it holds gzip data); send JSON in UTF-8", gzip.compress(b'{"text": "a"}', mtime=0)),
        (413, "the body has more than 1048576 bytes; send several requests", b'{"text": "' + b"a" * (1 << 20) + b'"}'),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_way_out(server: Server, status: int, said: str, body: Any) -> None:
    found, _, answer = server.ask("POST", "/translate", body if isinstance(body, bytes) else json.dumps(body))
    assert found == status, answer
    assert said in json.dumps(json.loads(answer))
    assert len(answer) < 1000  # what was sent does not come back


def test_what_is_empty_is_answered_and_what_is_odd_comes_through(
    server: Server, model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    assert server.translate([])[2]["translations"] == []
    odd = [
        "\u05e9\u05dc\u05d5\u05dd",
        "\U0001f600 \u200d",
        "a\x00b\x1b",
        "two\r\nlines",
        "\u3000",
        "\ufeffx",
        "e\u0301",
    ]
    status, _, answer = server.translate(odd)
    assert status == 200
    assert [each["text"] for each in answer["translations"]] == translate(model, tokenizer, odd)
    described = json.loads(server.ask("GET", "/openapi.json")[2])
    assert {"/translate", "/health", "/metrics"} <= set(described["paths"])
    assert server.ask("GET", "/translate")[0] == 405


def test_memory_stays_bounded_whatever_is_sent(server: Server) -> None:
    at_once(CLIENTS, lambda _: server.translate(TEXTS, num_beams=1))  # warm
    before = server.peak_memory()

    def flood(number: int) -> int:
        long = json.dumps({"text": "a " * 500_000}).encode()
        endless = (b'{"text": "' if not part else b"a" * (1 << 18) for part in range(64))  # 16 MiB, no length given
        try:
            return server.ask("POST", "/translate", long if number % 2 else endless)[0]
        except (BrokenPipeError, ConnectionResetError):  # refused while we were still sending
            return 413

    for _ in range(2):
        assert set(at_once(CLIENTS, flood)) == {413}
    assert server.peak_memory() - before < 200 << 20
    assert server.translate("the cat")[0] == 200


def test_a_full_queue_says_when_to_come_back_and_who_leaves_takes_its_sentences_along(
    server: Server, right: dict[tuple[str, int], str]
) -> None:
    before = server.figure("vaswani_sentences_total")
    many = json.dumps({"text": ["a " * 100] * 128, "num_beams": 16})  # of which a batch holds one
    with ExitStack() as opened:
        for _ in range(4):
            connection = opened.enter_context(closing(HTTPConnection("127.0.0.1", server.port, timeout=300)))
            connection.request("POST", "/translate", many, {"Content-Type": "application/json"})
        until(lambda: server.figure("vaswani_waiting_sentences") > 500, server.process)
        status, answer, said = server.translate([TEXTS[0]] * 128)
        assert status == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert re.fullmatch(r"\d+ sentences are waiting, and the limit is 512; try again", said["detail"])
    until(lambda: server.figure('vaswani_requests_total{status="499"}') == 4, server.process)
    assert server.figure("vaswani_waiting_sentences") == 0
    status, _, answered = server.translate(TEXTS[0], num_beams=3)
    assert (status, answered["translations"][0]["text"]) == (200, right[TEXTS[0], 3])
    assert server.figure("vaswani_sentences_total") - before < 100  # and not 513


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", ""])
def test_a_name_of_a_stranger_is_refused(server: Server, host: str) -> None:
    for method, path in (("POST", "/translate"), ("GET", "/metrics"), ("GET", "/health")):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.putrequest(method, path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        assert connection.getresponse().status == 421
        connection.close()


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("[::1]:80", 200),
        ("10.1.2.3:8000", 200),
        ("LOCALHOST.", 200),
        (socket.gethostname(), 200),
        ("proxy.example:443", 200),
        ("proxy.example.evil", 421),
        ("127.0.0.1.evil", 421),
        ("1.2.3", 421),
    ],
)
def test_own_names_and_addresses_are_known(host: str, status: int) -> None:
    seen: list[int] = []

    async def send(message: Any) -> None:
        seen.append(message.get("status", 0))

    async def app(*_: Any) -> None:
        seen.append(200)

    scope = {"type": "http", "headers": [(b"host", host.encode())]}
    asyncio.run(KnownHosts(app, known_names("0.0.0.0", ["Proxy.example"]))(scope, ANY, send))
    assert seen[0] == status


# What is refused at the start


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--beams", "17"], "give 16 or less"),
        (["--max_texts", "9", "--max_waiting", "8"], "would never find room"),
    ],
)
def test_numbers_that_cannot_be(folder: Path, flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(folder), *flags]) == 2
    assert said in capsys.readouterr().err


def test_a_port_that_is_taken(folder: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", str(folder), "--port", str(server.port)]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_a_host_that_is_not_this_machine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """192.0.2.1 is kept for documents, and no machine has it."""
    assert main(["serve", str(folder), "--host", "192.0.2.1"]) == 2
    assert "cannot listen on 192.0.2.1:" in (error := capsys.readouterr().err)
    assert "give a --host that this machine has" in error


def test_health_is_asked_for_by_head_too(server: Server) -> None:
    assert server.ask("HEAD", "/health")[0] == 200


def test_json_that_is_not_said_to_be_json(server: Server) -> None:
    status, _, answer = server.ask("POST", "/translate", '{"text": "a"}', "text/plain")
    assert status == 422
    assert b"is text/plain; send application/json: curl --json" in answer


def test_asked_to_end_it_answers_what_it_has_taken(server: Server, right: dict[tuple[str, int], str]) -> None:
    # The last one with this server.
    before = server.figure('vaswani_requests_total{status="200"}')
    with ThreadPoolExecutor(CLIENTS) as threads:
        asked = [[TEXTS[number % 30], TEXTS[(number + 9) % 30]] for number in range(CLIENTS)]
        answers = [threads.submit(server.translate, texts, num_beams=16) for texts in asked]

        def all_taken() -> bool:
            answered = server.figure('vaswani_requests_total{status="200"}') - before
            return server.figure("vaswani_requests_in_progress") + answered == CLIENTS

        until(all_taken, server.process)
        assert server.figure("vaswani_waiting_sentences") > 0
        server.process.send_signal(signal.SIGTERM)
        for texts, answer in zip(asked, answers, strict=True):
            status, _, found = answer.result()
            assert status == 200
            assert [each["text"] for each in found["translations"]] == [right[text, 16] for text in texts]
    assert server.process.wait(300) == 0
    with pytest.raises(ConnectionRefusedError):
        server.translate("the cat")


def test_a_missing_extra_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)  # Python's own way to say that a module is not to be had
    assert main(["serve", str(folder)]) == 2
    assert "uvicorn not installed; pip install 'vaswani[serve]'" in capsys.readouterr().err


@pytest.mark.usefixtures("own_signals")
def test_a_model_that_cannot_be_loaded_ends_the_server(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    assert main(["serve", str(tmp_path), "--port", "0"]) == 2
    assert "vaswani serve: the model cannot be loaded: " in capsys.readouterr().err


@pytest.fixture
def own_signals() -> Iterator[None]:
    """Give back what a server that ran in this process has taken."""
    before = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


# Who is let in


@contextmanager
def echo(**limits: Any) -> Iterator[Callable[[], HTTPConnection]]:
    """Serve /echo, which Admission guards, and /health; return what connects to it."""
    app = FastAPI()
    app.add_middleware(Admission, path="/echo", **limits)

    @app.post("/echo")
    async def echo(request: Request) -> str:
        return (await request.body()).decode()

    @app.get("/health")
    async def health() -> str:
        return "ready"

    with uvicorn_of(app) as port, ExitStack() as opened:
        yield lambda: opened.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=300)))


def begin(connection: HTTPConnection) -> None:
    """Send the beginning of a request whose body has nine bytes."""
    connection.putrequest("POST", "/echo")
    connection.putheader("Content-Length", "9")
    connection.endheaders(b"part")


def test_one_request_too_many_is_refused_unread() -> None:
    with echo(most=2) as connect:
        slow = [connect(), connect()]
        for connection in slow:
            begin(connection)
        until(lambda: asked(connect(), "POST", "/echo").status == 503)
        refused = asked(connect(), "POST", "/echo")
        assert refused.headers["Retry-After"] == "1"
        assert json.loads(refused.read()) == {
            "detail": "2 requests are in progress, and no more are accepted; try again"
        }
        assert asked(connect(), "GET", "/health").status == 200
        for connection in slow:
            connection.send(b" two.")
            assert json.loads(connection.getresponse().read()) == "part two."
        assert asked(connect(), "POST", "/echo").status == 200


def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    with echo(most=2, body_seconds=0.1) as connect:
        for _ in range(4):  # none keeps its place
            connection = connect()
            begin(connection)
            late = connection.getresponse()
            assert late.status == 408
            assert json.loads(late.read()) == {"detail": "the body did not arrive within 0.1 seconds; send it at once"}


def asked(connection: HTTPConnection, method: str, path: str, body: bytes = b"") -> HTTPResponse:
    connection.request(method, path, body)
    return connection.getresponse()


@contextmanager
def uvicorn_of(app: FastAPI) -> Iterator[int]:
    """Run an application in a thread; returns its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join()


# The queue alone


@given(
    lengths=st.lists(st.tuples(st.integers(1, 40), st.sampled_from([1, 4])), min_size=1, max_size=30),
    budget=st.integers(1, 300),
)
def test_the_next_batch_holds_the_oldest_and_keeps_to_the_budget(lengths: list[tuple[int, int]], budget: int) -> None:
    async def check() -> None:
        future = asyncio.get_running_loop().create_future()
        waiting = [Sentence([0] * length, BeamSettings(beams), future) for length, beams in lengths]
        while waiting:
            batch = next_batch(waiting, budget)
            assert waiting[0] in batch
            assert len({each.beams for each in batch}) == 1
            longest = max(len(each.source) for each in batch)
            assert len(batch) == 1 or len(batch) * longest * batch[0].beams.number <= budget
            waiting = [each for each in waiting if each not in batch]

    asyncio.run(check())


def test_what_arrives_while_a_batch_is_translated_becomes_the_next_one() -> None:
    batches: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def search(beams: BeamSettings) -> BatchSearch:
        def search_batch(sources: list[list[int]]) -> list[list[Hypothesis]]:
            if sources == [[13]]:
                raise RuntimeError("no memory")
            batches.append(len(sources))
            begun.set()
            go_on.wait()
            return [[Hypothesis(str(source), float(beams.number))] for source in sources]

        return search_batch

    async def check() -> None:
        with ThreadPoolExecutor(1) as worker:
            queue = Queue(tokens_per_batch=1000, max_waiting=8, metrics=ServerStatistics())
            running = asyncio.create_task(queue.run(search, worker))
            first = asyncio.create_task(queue.translate([[1, 2]], BeamSettings(4)))
            await asyncio.to_thread(begun.wait)
            later = [asyncio.create_task(queue.translate([[each, 3]], BeamSettings(4))) for each in range(5)]
            gone = asyncio.create_task(queue.translate([[9], [9], [9]], BeamSettings(4)))
            await asyncio.sleep(0)  # they are put down in their turn
            with pytest.raises(QueueFullError, match="8 sentences are waiting, and the limit is 8"):
                await queue.translate([[1]], BeamSettings(4))
            gone.cancel()
            go_on.set()
            assert await first == [[Hypothesis("[1, 2]", 4.0)]]
            assert await asyncio.gather(*later) == [[[Hypothesis(f"[{each}, 3]", 4.0)]] for each in range(5)]
            assert batches == [1, 5]  # without the three whose client left
            with pytest.raises(RuntimeError, match="no memory"):  # it fails those who asked, and no one else
                await queue.translate([[13]], BeamSettings(4))
            assert await queue.translate([[7]], BeamSettings(1)) == [[Hypothesis("[7]", 1.0)]]
            running.cancel()

    asyncio.run(check())
