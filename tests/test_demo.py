"""The page of `vaswani demo`: the numbers behind its picture, and the page itself in a real browser."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import ANY
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import torch
from forked_python import ForkedPopen, forked
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data.grammar import GrammarCorpus
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.experiment.training_sentences import training_sentences
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.plots import draw_attention_maps
from vaswani.server.attention_picture import AttentionPicture, choose
from vaswani.server.demo import build_page
from vaswani.translation.attention import attentions
from vaswani.translation.hypotheses import BeamSettings, Hypothesis
from vaswani.translation.load import by_network
from vaswani.translation.search import by_generate
from vaswani.translation.token_text import tokens_as_text

VASWANI = str(Path(sys.executable).with_name("vaswani"))
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")


TOLD = {
    "command": "recipe",
    "model": dict.fromkeys(("vocab_size", "d_model", "d_ff", "num_heads", "encoder_layers", "decoder_layers"), 1),
    "data": {"dataset": "grammar", "data_dir": None, "direction": "en-de"},
    "training": {"max_steps": 9, "warmup_steps": 3, "seed": 1, "batches_per_step": 1},
    "versions": {},
    "training_text": GrammarCorpus("train").fingerprint,
}
"""What run.json of the model on the page holds."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the run whose model is on the page."""
    folder = tmp_path_factory.mktemp("run") / "tiny"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(TOLD))
    return folder


@pytest.fixture(scope="module")
def examples(folder: Path) -> list[str]:
    return training_sentences(folder, 5, lambda _: True)


@pytest.fixture(scope="module")
def tokenizer(examples: list[str]) -> PreTrainedTokenizerFast:
    return learn_tokenizer(examples * 3, 300, show_progress=False)


@pytest.fixture(scope="module")
def model(
    tiny_model: Callable[..., VaswaniForConditionalGeneration], tokenizer: PreTrainedTokenizerFast
) -> VaswaniForConditionalGeneration:
    return tiny_model(vocab_size=len(tokenizer))


def test_attention_is_what_the_decoder_computes_symbol_by_symbol(
    model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> None:
    source, target = [5, 6, 7, 8, 3], [9, 10, 11, 3]
    weights = torch.cat(attentions(model, tokenizer, [source], [target]).cross)
    assert weights.shape == (3, 2, 4, 5)  # layers, heads, target, source
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 4, dtype=torch.float64))
    cache = None
    for place, before in enumerate([model.config.decoder_start_token_id, *target[:-1]]):
        output = model(
            input_ids=torch.tensor([source]),
            decoder_input_ids=torch.tensor([[before]]),
            past_key_values=cache,
            use_cache=True,
            output_attentions=True,
        )
        cache = output.past_key_values
        torch.testing.assert_close(torch.cat(output.cross_attentions)[:, :, 0], weights[:, :, place])
    assert choose(weights, "2", "1").equal(weights[1, 0])
    torch.testing.assert_close(choose(weights, "mean", "2"), weights[:, 1].mean(0))
    torch.testing.assert_close(choose(weights, "mean", "mean"), weights.mean((0, 1)))


def test_the_picture_has_a_row_for_each_symbol_and_takes_any_text(tokenizer: PreTrainedTokenizerFast) -> None:
    source = tokens_as_text(tokenizer, tokenizer("the $x$\n").input_ids)
    assert sum(each.startswith("▁") for each in source) == 2, source
    assert "".join(source).replace("▁", " ").strip().startswith("the $x$↵")
    weights = torch.rand(3, len(source))
    figure = draw_attention_maps(weights[None].numpy(), ["$", "a_{", "</s>"], source, [""], "attention")
    figure.canvas.draw()  # a formula would fail here
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == source
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$", "a_{", "</s>"]
    assert torch.equal(torch.as_tensor(axes.images[0].get_array()), weights)


def like_a_model(folder: Path) -> Path:
    """What is looked at before anything is loaded."""
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / name).touch()
    return folder


@pytest.mark.parametrize("port", [0, 70000])
def test_a_port_that_cannot_be(tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", str(like_a_model(tmp_path)), "--port", str(port)])
    assert f"argument --port: {port} is out of range; give from 1 to 65,535" in capsys.readouterr().err


def test_a_port_that_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["demo", str(like_a_model(tmp_path)), "--port", str(taken.getsockname()[1])]) == 2
    assert "choose another --port" in capsys.readouterr().err


def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # Python's own way to say that a module is not to be had
    assert main(["demo", str(tmp_path)]) == 2
    assert "gradio not installed; pip install 'vaswani[demo]'" in capsys.readouterr().err


# The page


@pytest.fixture(scope="module")
def address(model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Iterator[str]:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = forked(VASWANI, "demo", folder, "--port", str(port))
    process: ForkedPopen[str] = ForkedPopen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    try:
        assert process.stderr
        said = process.stderr.readline()
        assert said == f"tiny on http://127.0.0.1:{port}\n", said + process.stderr.read()
        end = time.monotonic() + 300
        while not reachable(port):
            assert process.poll() is None, process.stderr.read()
            assert time.monotonic() < end, "it never listened"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


def reachable(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(scope="module")
def expected(
    model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, examples: list[str]
) -> list[Hypothesis]:
    """The four best of the second example."""
    [found] = by_generate(model, tokenizer, BeamSettings(4, n_best=4))([tokenizer(examples[1]).input_ids])
    assert len({each.text for each in found}) == 4
    return found


def call(address: str, *values: Any) -> tuple[str, Any]:
    """Ask the page as its script does: return the kind of the last event, and its data."""
    asked = Request(
        f"{address}/gradio_api/call/translate",
        json.dumps({"data": values}).encode(),
        {"Content-Type": "application/json"},
    )
    with urlopen(asked, timeout=300) as answer:
        event = json.load(answer)["event_id"]
    with urlopen(f"{address}/gradio_api/call/translate/{event}", timeout=300) as answer:
        kind, data = answer.read().decode().strip().split("\n\n")[-1].split("\n")
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_what_is_behind_the_page_over_http(address: str, expected: list[Hypothesis], examples: list[str]) -> None:
    text = examples[1]
    kind, (best, table, picture, *_) = call(address, text, 4, 4, "3", "mean")
    assert (kind, best) == ("complete", expected[0].text)
    assert table["data"] == [[f"{each.score:.3f}", each.text] for each in expected]
    assert picture["plot"].startswith("data:image/")
    assert call(address, text, 4, 4, "3", "1")[1][2] != picture
    assert call(address, text, 1, 4, "3", "mean")[1][1]["data"] == [["", ANY]]  # greedy search has no score
    for blank in (" ", "\u200b\u00ad", "\ufeff"):
        best, table, picture, *_ = call(address, blank, 4, 4, "3", "mean")[1]
        assert (best, table["data"], picture) == ("", [], None)
    kind, said = call(address, "the " * 300, 4, 4, "3", "mean")
    assert kind == "error"
    assert "tokens, and 256 are allowed: split it into sentences" in json.dumps(said)


def refused(address: str, content: bytes, **headers: str) -> int:
    """Return the status of a request to translate that is refused."""
    kind = {"Content-Type": "application/json"}
    with pytest.raises(HTTPError) as met:
        urlopen(Request(f"{address}/gradio_api/call/translate", content, kind | headers), timeout=60)
    return met.value.code


def test_what_is_too_large_or_for_another_host_is_refused_before_it_is_read(address: str, examples: list[str]) -> None:
    asked = json.dumps({"data": [examples[0], 4, 3, "1", "mean"]}).encode()
    assert refused(address, asked, Host="evil.example:80") == 421
    assert refused(address, json.dumps({"data": ["a" * (1 << 21), 4, 3, "1", "mean"]}).encode()) == 413


def test_a_text_of_too_many_characters_is_not_encoded(address: str) -> None:
    event, message = call(address, "word " * 50_000, 4, 3, "1", "mean")
    assert event == "error"
    assert "250,000 characters, and 256 tokens hold" in str(message)


def drawn(about: Sequence[str], examples: Sequence[str], model: Any, tokenizer: Any) -> tuple[str, list[Any]]:
    """Return what a page says of the training, and its examples."""
    page = build_page(by_network(model, tokenizer), AttentionPicture(model, tokenizer), "tiny", about, examples)
    parts = page.get_config_file()["components"]
    [said] = [each["props"]["value"] for each in parts if each["props"].get("elem_id") == "about"]
    return said, [each["props"]["samples"] for each in parts if each["type"] == "dataset"]


def test_the_page_tells_of_the_training_and_offers_its_sentences_alone(
    model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, address: str, examples: list[str]
) -> None:
    assert drawn(["One.", "Two."], ["a", "b"], model, tokenizer) == ("One.  \nTwo.", [[["a"], ["b"]]])
    assert drawn([], [], model, tokenizer) == ("Its folder does not record what it was trained on.", [])
    with urlopen(f"{address}/config", timeout=300) as answer:
        page = json.dumps(json.load(answer), ensure_ascii=False)
    assert "Trained from `en` to `de` on `grammar`." in page
    pairs = {pair.source for pair in GrammarCorpus("train").read(0)}
    assert len(examples) == 5
    assert set(examples) <= pairs
    assert all(json.dumps(each, ensure_ascii=False) in page for each in examples)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if not CHROMIUM or not DRIVER:
        pytest.skip("chromium and chromedriver are not installed; on Debian: apt-get install chromium-driver")
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync"
    for flag in (*flags.split(), "disable-component-update", "disable-dev-shm-usage", "window-size=1280,1500"):
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    chrome = Chrome(options, ChromeService(DRIVER))
    try:
        yield chrome
    finally:
        chrome.quit()


class Page:
    """The page as its user sees it; what is not there yet, or is just being drawn again, is waited for."""

    def __init__(self, browser: Chrome) -> None:
        redrawn = [StaleElementReferenceException, NoSuchElementException, ElementClickInterceptedException]
        self.browser, self.wait = browser, WebDriverWait(browser, 120, ignored_exceptions=redrawn)

    def find(self, selector: str) -> Any:
        return self.wait.until(lambda browser: browser.find_element(By.CSS_SELECTOR, selector))

    def value(self, selector: str) -> str:
        return self.find(selector).get_property("value")

    def picture(self) -> str | None:
        return self.find("#attention img").get_attribute("src")

    def click(self, selector: str, text: str | None = None) -> None:
        """Click on the first that has this text."""

        def clicked(browser: Chrome) -> bool:
            found = browser.find_elements(By.CSS_SELECTOR, selector)
            for each in (each for each in found if text is None or each.text == text):
                each.click()
                return True
            return False

        self.wait.until(clicked)

    def choose(self, dropdown: str, option: str) -> None:
        """Choose an option, and wait until the picture is another one."""
        before = self.picture()
        self.click(f"{dropdown} input")
        self.click("[role=option]", option)
        self.wait.until(lambda _: self.picture() != before)

    def requested_hosts(self) -> set[str]:
        """Every host that the browser was told to ask by this page."""
        hosts = set()
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                url = urlsplit(message["params"]["request"]["url"])
                hosts |= {str(url.hostname)} if url.scheme in ("http", "https", "ws", "wss") else set()
        return hosts


def test_the_page_translates_and_shows_where_it_looked(
    address: str, browser: Chrome, expected: list[Hypothesis], examples: list[str], tmp_path: Path
) -> None:
    page, example = Page(browser), examples[1]
    browser.get(address)
    page.click("#examples td, #examples button", example)
    page.wait.until(lambda _: page.value("#text textarea") == example)
    page.click("#translate")
    page.wait.until(lambda _: page.value("#translation textarea") == expected[0].text)
    page.wait.until(lambda _: all(f"{each.score:.3f}" in page.find("#n_best").text for each in expected))
    page.wait.until(lambda _: page.picture())
    page.choose("#layer", "1")
    page.choose("#head", "2")
    field = page.find("#text textarea")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("the " * 300)
    page.click("#translate")
    page.wait.until(lambda _: "tokens, and 256 are allowed" in page.find("body").text)
    browser.save_screenshot(str(tmp_path / "page.png"))
    assert page.requested_hosts() == {"127.0.0.1"}
    assert [each for each in browser.get_log("browser") if each["level"] == "SEVERE"] == []
