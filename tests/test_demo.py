"""The page of `vaswani demo`: the numbers behind its picture, and the page itself in a real browser."""

import json
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from transformers import PreTrainedTokenizerFast

from vaswani.commands import main
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.modeling import VaswaniForConditionalGeneration
from vaswani.serving.attention import cross_attention, draw_attention, symbols_as_text
from vaswani.serving.demo import choose, example_sentences
from vaswani.serving.hypotheses import text_of, torch_search

VASWANI = str(Path(sys.executable).with_name("vaswani"))
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokenizer(example_sentences("en") * 3, 300, show_progress=False)


@pytest.fixture(scope="module")
def model(
    tiny_model: Callable[..., VaswaniForConditionalGeneration], tokenizer: PreTrainedTokenizerFast
) -> VaswaniForConditionalGeneration:
    return tiny_model(vocab_size=len(tokenizer))


def test_attention_is_what_the_decoder_computes_symbol_by_symbol(model: VaswaniForConditionalGeneration) -> None:
    source, target = [5, 6, 7, 8, 3], [9, 10, 11, 3]
    weights = cross_attention(model, source, target)
    assert weights.shape == (3, 2, 4, 5)  # layers, heads, target, source
    torch.testing.assert_close(weights.sum(-1), torch.ones(3, 2, 4, dtype=torch.float64))
    cache = None
    for place, before in enumerate([model.config.decoder_start_token_id, *target[:-1]]):
        output = model(
            input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([[before]]), past_key_values=cache,
            use_cache=True, output_attentions=True,
        )  # fmt: skip
        cache = output.past_key_values
        torch.testing.assert_close(torch.cat(output.cross_attentions)[:, :, 0], weights[:, :, place])
    assert choose(weights, "2", "1").equal(weights[1, 0])
    torch.testing.assert_close(choose(weights, "mean", "2"), weights[:, 1].mean(0))
    torch.testing.assert_close(choose(weights, "mean", "mean"), weights.mean((0, 1)))


def test_attention_that_keeps_no_weights_is_refused(
    tiny_model: Callable[..., VaswaniForConditionalGeneration],
) -> None:
    with pytest.raises(ValueError, match="attn_implementation='eager'"):
        cross_attention(tiny_model(attention="sdpa"), [5, 3], [6, 3])


def test_the_picture_has_a_row_for_each_symbol_and_takes_any_text(tokenizer: PreTrainedTokenizerFast) -> None:
    source = symbols_as_text(tokenizer, tokenizer("the $x$\n").input_ids)
    assert sum(each.startswith("▁") for each in source) == 2, source
    assert "".join(source).replace("▁", " ").strip().startswith("the $x$↵")
    weights = torch.rand(3, len(source))
    figure = draw_attention(weights, source, ["$", "a_{", "</s>"], "attention")
    figure.canvas.draw()  # a formula would fail here
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == source
    assert [label.get_text() for label in axes.get_yticklabels()] == ["$", "a_{", "</s>"]
    assert torch.equal(torch.as_tensor(axes.images[0].get_array()), weights)


def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "gradio", None)  # Python's own way to say that a module is not to be had
    assert main(["demo", str(tmp_path)]) == 2
    assert "gradio not installed; pip install 'vaswani[demo]'" in capsys.readouterr().err


# The page


@pytest.fixture(scope="module")
def address(
    model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast, tmp_path_factory: Any
) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("run") / "tiny"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [VASWANI, "demo", str(folder), "--port", str(port)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stderr
        said = process.stderr.readline()
        assert said == f"tiny on http://127.0.0.1:{port}\n", said + process.stderr.read()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate()


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
    """The page as its user sees it."""

    def __init__(self, browser: Chrome) -> None:
        self.browser, self.wait = (
            browser,
            WebDriverWait(browser, 180, ignored_exceptions=[StaleElementReferenceException]),
        )

    def find(self, selector: str) -> Any:
        return self.wait.until(lambda browser: browser.find_element(By.CSS_SELECTOR, selector))

    def value(self, selector: str) -> str:
        return self.find(selector).get_property("value")

    def picture(self) -> str:
        return self.find("#attention img").get_attribute("src")

    def choose(self, dropdown: str, option: str) -> None:
        """Choose an option, and wait until the picture is another one."""
        before = self.picture()
        self.find(f"{dropdown} input").click()
        options = self.wait.until(lambda browser: browser.find_elements(By.CSS_SELECTOR, "[role=option]"))
        next(each for each in options if each.get_attribute("aria-label") == option).click()
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
    address: str,
    browser: Chrome,
    model: VaswaniForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    tmp_path: Path,
) -> None:
    page = Page(browser)
    WebDriverWait(browser, 180).until(lambda _: reachable(address))
    browser.get(address)
    examples = example_sentences("en")
    page.wait.until(lambda _: examples[1] in page.find("body").text)
    cells = "#examples td, #examples button"
    page.wait.until(
        lambda browser: any(each.text == examples[1] for each in browser.find_elements(By.CSS_SELECTOR, cells))
    )
    first = next(each for each in browser.find_elements(By.CSS_SELECTOR, cells) if each.text == examples[1])
    first.click()
    page.wait.until(lambda _: page.value("#text textarea") == examples[1])
    page.find("#translate").click()

    [expected] = torch_search(model, tokenizer)(tokenizer([examples[1]]).input_ids, 4, 4)
    texts = [text_of(tokenizer, each) for each in expected]
    page.wait.until(lambda _: page.value("#translation textarea").split() == texts[0].split())
    page.wait.until(lambda _: f"{expected[3].score:.3f}" in page.find("#n_best").text)
    shown = page.find("#n_best").text
    for each in expected:
        assert f"{each.score:.3f}" in shown
    assert page.picture().startswith(("data:image", address))
    page.choose("#layer", "1")
    page.choose("#head", "2")

    field = page.find("#text textarea")
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys("the " * 300)
    page.find("#translate").click()
    page.wait.until(lambda _: re.search(r"tokens, and 256 are allowed", page.find("body").text))
    assert page.requested_hosts() == {"127.0.0.1"}
    browser.save_screenshot(str(tmp_path / "page.png"))
    assert [each for each in browser.get_log("browser") if each["level"] == "SEVERE"] == []


def reachable(address: str) -> bool:
    url = urlsplit(address)
    try:
        socket.create_connection((str(url.hostname), int(url.port or 0)), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True
