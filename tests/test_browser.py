"""A model as a page: the graphs give the tokens of `generate`, and the page works in a real browser, also offline."""

import copy
import dataclasses
import http.server
import io
import json
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from conftest import Translator
from hypothesis import given, settings
from hypothesis import strategies as st
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast

from benchmarks.measuring.chromium import MISSING, chromium, has_chromium
from vaswani.commands import main
from vaswani.data.blank_text import is_blank
from vaswani.data.tokenizer import learn_tokenizer
from vaswani.engines.browser import bundle
from vaswani.engines.browser.bundle import bundled_page
from vaswani.engines.browser.calibration import drawn_sources, measure
from vaswani.engines.browser.folder import check_tokenizer, escaped, write_network, write_page, write_settings
from vaswani.engines.browser.greedy import load_greedy
from vaswani.engines.browser.record import read_browser, write_browser
from vaswani.engines.eight_bits import rounded, to_8_bits
from vaswani.engines.export import export_to_browser
from vaswani.evaluation.scores import figure
from vaswani.training.validation_figures import shown
from vaswani.translation.search import positions
from vaswani.translation.settings import generation_settings
from vaswani.translation.translate import translate

NPM = shutil.which("npm")
needs_npm = pytest.mark.skipif(NPM is None, reason="npm is not installed; on Debian: apt-get install npm")

LAYERS = {"encoder_layers": 1, "decoder_layers": 1}
SHAPES: dict[str, dict[str, Any]] = {
    "paper": {"encoder_layers": 1, "decoder_layers": 2},
    "a descendant, d_k and d_v apart, three heads": {
        "num_heads": 3,
        "d_k": 6,
        "d_v": 10,
        "attention_bias": True,
        "activation": "silu",
        "output_bias": True,
        **LAYERS,
    },
    "learned positions, pre-norm": {"positions": "learned", "norm": "pre", "max_positions": 12, **LAYERS},
}
HARD = [
    "a\tb  c ",
    "x </s> y<s><pad>",
    "שלום 👩‍👩‍👧 \x07\x00 ok",
    "<2de>don't ＡＢ ½ ① e\u0301 \u2028 \u00a0 \U000e0041",
    "%s {0} <b>bold</b> $x_{i}$",
    "\r a",
]
BLANK = ["", " \t", "\u200b\ufeff", "\U000e0020\u3000", "\x85\x1c"]


# The graphs


def by_generate(model: Any, source: list[int]) -> list[int]:
    """Greedy tokens, the end included."""
    with torch.no_grad():
        tokens = model.generate(torch.tensor([source]), num_beams=1, do_sample=False)[0, 1:].tolist()
    ends = np.ravel(model.generation_config.eos_token_id)
    first = next((place for place, token in enumerate(tokens) if token in ends), len(tokens))
    return tokens[: first + 1]


def sources(count: int, longest: int, vocab_size: int) -> list[list[int]]:
    draw = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, longest, (count,), generator=draw).tolist()
    return [[*torch.randint(4, vocab_size, (length,), generator=draw).tolist(), 3] for length in lengths]


@pytest.fixture(scope="module")
def exported(
    tiny_model: Callable[..., Any], toy_tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Any, Path]]:
    """Return `exported(shape)`: a network with its graphs and settings, made once for each of SHAPES."""

    @cache
    def export(shape: str) -> tuple[Any, Path]:
        folder = tmp_path_factory.mktemp("graphs")
        model = tiny_model(vocab_size=len(toy_tokenizer), **SHAPES[shape])
        write_network(model, folder, "float32")
        return model, described(model, toy_tokenizer, folder)

    return export


def described(model: Any, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    """Write the settings of a model beside its graphs, and a page without contents."""
    write_settings(model, tokenizer, folder, "float32")
    nothing = folder.with_name(f"{folder.name}-page")
    nothing.mkdir(exist_ok=True)
    for name in ("index.html", "service-worker.js"):
        (nothing / name).touch()
    write_page(nothing, model, folder, "tiny", "float32")
    return folder


@pytest.mark.parametrize("shape", SHAPES)
def test_the_graphs_write_the_tokens_of_generate(exported: Callable[[str], tuple[Any, Path]], shape: str) -> None:
    model, folder = exported(shape)
    greedy, tested = load_greedy(folder), sources(12, 11, model.config.vocab_size)
    found = [greedy.search(source) for source in tested]
    assert found == [by_generate(model, source) for source in tested]
    assert len({tuple(each) for each in found}) > (1 if shape.startswith("learned") else 6)
    if model.config.positions == "learned":
        assert max(map(len, found)) == 12
        with pytest.raises(ValueError, match="a sentence has 13 tokens, and the exported model has 12 positions"):
            greedy.search([5] * 13)


@pytest.mark.parametrize(
    "saved",
    [
        {"extra_tokens": 1},
        {"max_new_tokens": 4},
        {"max_length": 5},
        {"max_new_tokens": 6, "forced_eos_token_id": 3},
        {"eos_token_id": [3]},
        {"bad_words_ids": [[token] for token in range(60, 200)], "suppress_tokens": [204]},
    ],
    ids=lambda saved: list(saved)[-1],
)
def test_the_settings_that_a_model_is_saved_with_go_along(
    exported: Callable[[str], tuple[Any, Path]],
    toy_tokenizer: PreTrainedTokenizerFast,
    saved: dict[str, Any],
    tmp_path: Path,
) -> None:
    model, folder = exported("paper")
    model = copy.deepcopy(model)
    tested = sources(12, 11, model.config.vocab_size)
    before = [by_generate(model, source) for source in tested]
    if "eos_token_id" in saved:
        saved = {"eos_token_id": [3, *(tokens[len(tokens) // 2] for tokens in before[:3])]}
    for name, value in saved.items():
        setattr(model.generation_config, name, value)
    again = described(model, toy_tokenizer, shutil.copytree(folder, tmp_path / "again"))
    greedy, expected = load_greedy(again), [by_generate(model, source) for source in tested]
    assert [greedy.search(source) for source in tested] == expected != before


def in_8_bits(folder: Path) -> None:
    """Round the graphs of a folder, as an export does."""
    for file in (folder / "onnx").iterdir():
        to_8_bits(file)  # to the nearest numbers; an export fits them
        file.rename(file.with_stem(f"{file.stem}_quantized"))


def test_rounding_is_by_blocks_of_inputs_and_never_by_more_than_half_a_step() -> None:
    draw = np.random.default_rng(0)
    for shape, axis, blocks in (((32, 5), 0, (2, 16, 5)), ((5, 48), 1, (5, 3, 16)), ((7, 5), 0, (1, 7, 5))):
        matrix = draw.standard_normal(shape, dtype=np.float32) * np.exp(draw.standard_normal((1, shape[1]), np.float32))
        matrix[:1] *= 1e-6  # smaller than a number of 16 bits can be
        numbers, scales = rounded(matrix, axis)
        assert (str(numbers.dtype), numbers.shape, str(scales.dtype)) == ("int8", blocks, "float16")
        assert scales.size == matrix.size // blocks[axis + 1]
        found = numbers * scales.astype(np.float32)
        step = np.broadcast_to(np.maximum(scales.astype(np.float32), 6e-8), blocks)
        assert (np.abs(found - matrix.reshape(blocks)) <= 0.5001 * step).all()
    assert not rounded(np.zeros((16, 2), np.float32), 0)[0].any()


@given(st.integers(0, 10**6), st.sampled_from([(3, 16), (9, 32), (4, 7)]))
@settings(deadline=None, max_examples=60)
def test_rounding_that_is_fitted_keeps_scales_and_axes_and_is_the_nearest_for_independent_inputs(
    seed: int, shape: tuple[int, int]
) -> None:
    draw = np.random.default_rng(seed)
    matrix = draw.standard_normal(shape, dtype=np.float32)
    inputs = draw.standard_normal((400, shape[1])) @ draw.standard_normal((shape[1], shape[1])) ** 3  # correlated
    moments = inputs.T @ inputs
    nearest, scales = rounded(matrix, 1)
    found, same = rounded(matrix, 1, moments)
    assert (scales == same).all()
    assert np.abs(found).max() <= 127
    independent = rounded(matrix, 1, np.diag(np.exp(draw.standard_normal(shape[1]))))
    assert (independent[0] == nearest).all()
    turned = rounded(np.ascontiguousarray(matrix.T), 0, moments)
    assert (found.reshape(shape) == turned[0].reshape(shape[::-1]).T).all()


def test_it_is_much_better_where_inputs_go_together() -> None:
    draw = np.random.default_rng(0)
    matrix = draw.standard_normal((40, 64), dtype=np.float32)
    inputs = draw.standard_normal((2000, 8)) @ draw.standard_normal((8, 64)) + draw.standard_normal((2000, 64)) / 10
    squares = []
    for moments in (None, inputs.T @ inputs):
        numbers, scales = rounded(matrix, 1, moments)
        found = (numbers * scales.astype(np.float64)).reshape(matrix.shape)
        squares.append((((found - matrix) @ inputs.T) ** 2).sum())
    assert squares[1] < squares[0] / 10


@pytest.mark.parametrize("shape", SHAPES)
def test_what_matrices_multiply_is_measured_in_the_graphs(
    exported: Callable[[str], tuple[Any, Path]], toy_tokenizer: PreTrainedTokenizerFast, shape: str
) -> None:
    model, folder = exported(shape)
    graphs = folder / "onnx" / "encoder_model.onnx", folder / "onnx" / "decoder_model_merged.onnx"
    tested, generation = sources(6, 8, model.config.vocab_size), generation_settings(model.generation_config, "it")
    most = positions(model)
    found = measure(graphs, [*tested, [], *([[5] * 13] if most == 12 else [])], generation, most)
    for file, moments in zip(graphs, found, strict=True):
        graph = onnx.load(file).graph
        multiplied = {each for node in graph.node if node.op_type == "MatMul" for each in node.input}
        transposed = {node.input[0] for node in graph.node if node.op_type == "Transpose"} - multiplied
        matrices = {each.name for each in graph.initializer if len(each.dims) == 2}
        assert moments.keys() == matrices & (multiplied | transposed)
    start, hidden = model.generation_config.decoder_start_token_id, list[torch.Tensor]()
    for source in tested:
        written = [start, *by_generate(model, source)[:-1]]
        hook = model.lm_head.register_forward_pre_hook(lambda _, inputs: hidden.append(inputs[0][0].double()))
        with torch.no_grad():
            model(torch.tensor([source]), decoder_input_ids=torch.tensor([written]))
        hook.remove()
    rows = torch.cat(hidden)
    vocab_size = model.config.vocab_size
    [of_logits] = (
        found[1][each.name] for each in graph.initializer if vocab_size in each.dims and each.name in found[1]
    )
    assert torch.from_numpy(of_logits).allclose(rows.T @ rows, rtol=1e-4, atol=1e-4)
    drawn = drawn_sources(toy_tokenizer, 12)
    assert drawn == drawn_sources(toy_tokenizer, 12)
    assert {source[-1] for source in drawn} == {toy_tokenizer.eos_token_id}
    assert max(map(len, drawn)) <= 12
    assert not {token for source in drawn for token in source[:-1]} & set(toy_tokenizer.all_special_ids)


# What is refused


def test_a_tokenizer_that_transformers_js_cannot_read_is_refused() -> None:
    class MarianTokenizer:
        pass

    with pytest.raises(ValueError, match=r"its tokenizer is a MarianTokenizer, .* export it to onnx or ctranslate2"):
        check_tokenizer(MarianTokenizer())  # type: ignore[arg-type]


def test_without_npm_the_way_out_is_named(
    toy_translator: Translator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("VASWANI_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"npm is not installed.*install Node.js 20 or later .*copy the folder"):
        export_to_browser(toy_translator.folder, tmp_path / "out", "toy")
    assert not list(tmp_path.iterdir())


@needs_npm
def test_what_npm_says_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that does not fit its package.json, as after an incomplete change."""
    source = shutil.copytree(bundle.SOURCE, tmp_path / "page", ignore=shutil.ignore_patterns("node_modules"))
    package = source / "package.json"
    package.write_text(package.read_text().replace('"typescript": "', '"typescript": ">'))
    monkeypatch.setattr(bundle, "SOURCE", source)
    monkeypatch.setenv("VASWANI_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ValueError, match=r"(?s)npm could not bundle the page \(ci .*typescript.*or export where both"):
        bundled_page()
    assert not list((tmp_path / "cache" / "browser_page").iterdir())


# The page


@pytest.fixture(scope="module")
def folder(toy_translator: Translator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the toy translator's page, in float32, with the score on a validation set on its card."""
    if NPM is None:
        pytest.skip("npm is not installed; on Debian: apt-get install npm")
    folder = tmp_path_factory.mktemp("page") / "toy <1>"
    source = shutil.copytree(toy_translator.folder, folder.parent / "toy <1> model")
    GenerationConfig.from_pretrained(source, num_beams=4, length_penalty=0.6).save_pretrained(source)
    lines = toy_translator.lines[:40]
    for name, content in (("source", lines), ("reference", reversed_words(lines))):
        (folder.parent / name).write_text("".join(f"{line}\n" for line in content), encoding="utf-8")
    files = [folder.parent / name for name in ("source", "reference")]
    command = ["export", source, folder, "--to", "browser", "--quantization", "float32", "--validation", *files]
    with redirect_stdout(io.StringIO()) as said:
        assert main(list(map(str, command))) == 0
    assert f"float32; to see it: python -m http.server --directory {folder}" in said.getvalue()
    return folder


def reversed_words(lines: list[str]) -> list[str]:
    return [" ".join(reversed(line.split(" "))) for line in lines]


def test_a_page_is_told_from_a_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["translate", str(folder)]) == 2
    said = f"holds a page for the browser; see it by: python -m http.server --directory {folder}"
    assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def small(folder: Path, toy_translator: Translator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same page in 8 bits, under another name."""
    small = tmp_path_factory.mktemp("small") / "second"
    shutil.copytree(folder / "onnx", small / "onnx")
    in_8_bits(small)
    write_settings(toy_translator.model, toy_translator.tokenizer, small, "int8")
    write_page(bundled_page(), toy_translator.model, small, "second", "int8")
    return small


def test_in_8_bits_a_file_is_a_quarter_and_nearly_all_translations_stay(
    folder: Path, small: Path, toy_translator: Translator
) -> None:
    tested = toy_translator.tokenizer(toy_translator.lines[:150]).input_ids
    found = [[greedy.search(source) for source in tested] for greedy in (load_greedy(folder), load_greedy(small))]
    assert found[0] == [by_generate(toy_translator.model, source) for source in tested]
    assert sum(one == other for one, other in zip(*found, strict=True)) >= 147
    for name in ("encoder_model", "decoder_model_merged"):
        files = [folder / "onnx" / f"{name}.onnx", small / "onnx" / f"{name}_quantized.onnx"]
        kept = [[each for each in onnx.load(file).graph.initializer if len(each.dims) > 1] for file in files]
        weights = [sum(len(each.raw_data) for each in graph) for graph in kept]
        assert weights[1] == pytest.approx(weights[0] * (1 + 2 / 16) / 4)  # the numbers, and a scale for each 16


def test_the_card_has_sizes_and_the_score_of_greedy_search(folder: Path, toy_translator: Translator) -> None:
    card = (folder / "README.md").read_text(encoding="utf-8")
    lines = toy_translator.lines[:40]
    for search, beams in (("the paper's, 4 beams, length penalty 0.6, float32", 4), ("greedy, float32: this page", 1)):
        found = translate(toy_translator.model, toy_translator.tokenizer, lines, num_beams=beams)
        assert f"| {search} | {shown('bleu', figure('bleu', found, reversed_words(lines)))} |" in card
    sizes = {name: float(size) for name, size in re.findall(r"^\| (.+) \| ([\d.]+) \|$", card, re.MULTILINE)}
    assert sizes["all"] == pytest.approx(sum(file.stat().st_size for file in folder.rglob("*")) / 1e6, abs=0.2)
    assert max(len(line) for line in card.splitlines()) <= 120


class Server:
    """A folder behind HTTP, below a path, as on a server that has other pages too."""

    def __init__(self, folder: Path) -> None:
        self.root, self.asked = folder, list[str]()
        self.held: str | None = None
        """The name of a file that is given only after `release`."""
        self.waits, self.released = threading.Event(), threading.Event()
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def translate_path(self, path: str) -> str:
                return str(server.root / path.split("?")[0].removeprefix("/pages/toy/"))

            def do_GET(self) -> None:
                server.asked.append(self.path)
                if server.held and self.path.endswith(server.held):
                    server.waits.set()
                    server.released.wait(60)
                super().do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}/pages/toy/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    yield server
    server.stop()


class Page:
    """The page as its user sees it."""

    def __init__(self, browser: Chrome) -> None:
        self.browser, self.wait = browser, WebDriverWait(browser, 120)

    def find(self, name: str) -> Any:
        return self.browser.find_element(By.ID, name)

    def open(self, address: str) -> None:
        self.browser.get(address)
        self.wait.until(lambda _: "Ready" in self.find("status").text or self.find("error").text)
        assert self.find("error").text == ""

    def until(self, name: str, text: str) -> str:
        """Wait until a part shows a text, and return all of it."""
        self.wait.until(lambda _: text in self.find(name).text)
        return str(self.find(name).text)

    def value(self, name: str) -> str:
        return str(self.find(name).get_property("value"))

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        self.browser.switch_to.active_element.send_keys(*keys)

    def focused(self) -> str:
        return str(self.browser.switch_to.active_element.get_attribute("id"))

    def paste(self, text: str) -> None:
        """Put a text where typing it is not possible."""
        self.browser.execute_script("arguments[0].value = arguments[1]", self.find("text"), text)


@pytest.fixture
def browser() -> Iterator[Chrome]:
    if not has_chromium():
        pytest.skip(MISSING)
    with chromium() as chrome:
        yield chrome


def test_a_click_translates_each_line_as_generate_does_alone(
    server: Server, browser: Chrome, toy_translator: Translator
) -> None:
    model, tokenizer, _, toy_lines = toy_translator
    lines = [*toy_lines[:3], *BLANK, *HARD, toy_lines[3]]
    page = Page(browser)
    page.open(server.address)
    assert browser.title == "toy <1> model: translation"
    page.paste("\n".join(lines))
    page.find("translate").click()
    said = page.until("status", "Translated")
    shown = [part for line in lines for part in line.split("\r")]  # a text area takes these for line ends
    expected = translate(model, tokenizer, shown, num_beams=1)
    assert page.value("translation").split("\n") == expected
    words = sum(len(line.split()) for line in shown if not is_blank(line))
    assert said == f"Translated {len(shown)} lines, {words} words."
    assert re.fullmatch(r"[\d,.]+ words a second", page.find("figures").text)
    page.find("copy").click()
    page.wait.until(lambda _: page.find("status").text.startswith(("Copied", "The translation is selected")))
    assert [each for each in browser.get_log("browser") if each["level"] == "SEVERE"] == []


def test_the_keyboard_alone_is_enough(server: Server, browser: Chrome, toy_translator: Translator) -> None:
    model, tokenizer, _, lines = toy_translator
    page = Page(browser)
    page.open(server.address)
    assert page.focused() == "text"
    page.press(lines[0], Keys.ENTER, lines[1])
    page.press(Keys.CONTROL, Keys.ENTER)
    page.until("status", "Translated 2 lines")
    assert page.value("translation").split("\n") == translate(model, tokenizer, lines[:2], num_beams=1)
    order = []
    for _ in range(4):
        page.press(Keys.TAB)
        order.append(page.focused())
    assert order == ["translate", "stop", "translation", "copy"]
    for _ in range(4):
        page.press(Keys.SHIFT, Keys.TAB)
    assert page.focused() == "text"
    page.press(Keys.END, Keys.ENTER, lines[2], Keys.TAB, Keys.ENTER)  # on the button
    page.until("status", "Translated 3 lines")
    page.paste("\n".join(lines * 40))
    page.press(Keys.CONTROL, Keys.ENTER)
    page.until("figures", "words a second")
    page.press(Keys.ESCAPE)
    said = page.until("status", "Stopped after")
    done = int(re.findall(r"Stopped after ([\d,]+) line", said)[0].replace(",", ""))
    assert 0 < done < 40 * len(lines)
    assert len(page.value("translation").split("\n")) == done


def test_after_the_first_load_no_server_is_needed(server: Server, browser: Chrome, toy_translator: Translator) -> None:
    model, tokenizer, _, lines = toy_translator
    page = Page(browser)
    page.open(server.address)
    page.until("status", "Ready. It works without its server from now on.")
    large = [name for name in read_browser(server.root).files if name.endswith((".onnx", ".wasm"))]
    assert [server.asked.count(f"/pages/toy/{name}") for name in large] == [1, 1, 1]
    browser.execute_cdp_cmd("Page.reload", {"ignoreCache": True})  # past what is kept, as by Shift and the button
    page.until("status", "Ready. It works without its server from now on.")
    server.stop()
    page.open(server.address)
    page.press(lines[0], Keys.CONTROL, Keys.ENTER)
    page.until("status", "Translated 1 line")
    assert page.value("translation") == translate(model, tokenizer, lines[:1], num_beams=1)[0]


def test_a_new_export_replaces_the_old_one(
    server: Server, browser: Chrome, small: Path, toy_translator: Translator
) -> None:
    page = Page(browser)
    page.open(server.address)
    page.until("status", "It works without its server")
    later = time.time() + 10  # http.server calls a file unchanged that is replaced within the second
    for file in small.iterdir():
        os.utime(file, (later, later))
    server.root = small
    page.open(server.address)  # shown from what is kept; the new one is fetched meanwhile
    kept = "return (async () => (await caches.keys()).filter((name) => name.endsWith(arguments[0])).length)()"
    page.wait.until(lambda _: browser.execute_script(kept, read_browser(server.root).content))
    waiting = "return (async () => Boolean((await navigator.serviceWorker.getRegistration()).waiting))()"
    page.wait.until(lambda _: browser.execute_script(waiting))
    assert browser.title == "toy <1> model: translation"
    browser.get("about:blank")  # no page shows the old one now
    server.stop()
    page.open(server.address)
    assert browser.title == "second: translation"
    page.press(toy_translator.lines[0], Keys.CONTROL, Keys.ENTER)
    page.until("status", "Translated 1 line")
    tokens = load_greedy(small).search(toy_translator.tokenizer(toy_translator.lines[0]).input_ids)
    assert page.value("translation") == toy_translator.tokenizer.decode(tokens, skip_special_tokens=True)
    assert browser.execute_script("return (async () => (await caches.keys()).length)()") == 1


TOKENS = """
const [lines, done] = arguments;
const worker = new Worker(new URL("worker.js", location.href), { type: "module" });
const tokens = [];
worker.onmessage = ({ data }) => {
    if (data.kind === "ready") worker.postMessage({ kind: "translate", lines });
    if (data.kind === "line") tokens.push(data.tokens);
    if (data.kind === "done") done(tokens);
    if (data.kind === "failed") done(data.reason);
};
worker.postMessage({ kind: "load" });
"""


def test_the_browser_writes_the_tokens_of_generate(server: Server, browser: Chrome, toy_translator: Translator) -> None:
    browser.set_script_timeout(120)
    Page(browser).open(server.address)
    lines = [*toy_translator.lines[:60], *HARD]
    expected = [by_generate(toy_translator.model, source) for source in toy_translator.tokenizer(lines).input_ids]
    assert browser.execute_async_script(TOKENS, lines) == expected


def test_progress_is_shown_and_what_was_asked_for_meanwhile_is_done(
    server: Server, browser: Chrome, toy_translator: Translator
) -> None:
    server.held = ".wasm"
    page = Page(browser)
    browser.get(server.address)
    assert server.waits.wait(60)
    sizes = read_browser(server.root).files
    total = f"{sum(sizes.values()) / 1e6:.1f} MB"
    assert re.fullmatch(rf"[\d.]+ of {total}", page.until("figures", total))
    assert float(page.find("progress").get_property("max")) == sum(sizes.values())
    page.press(toy_translator.lines[0], Keys.CONTROL, Keys.ENTER)
    page.until("status", "The text will be translated when the model is there")
    server.released.set()
    page.until("status", "Translated 1 line")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("onnx/encoder_model.onnx", Path.unlink, "onnx/encoder_model.onnx is not on the server (HTTP 404): copy the w"),
        ("tokenizer.json", lambda path: path.write_text("{}"), "tokenizer.json has 2 bytes on the server and had"),
        ("worker.js", Path.unlink, "worker.js does not run"),
    ],
    ids=["missing", "incomplete", "no worker"],
)
def test_a_damaged_folder_is_named(
    folder: Path, browser: Chrome, tmp_path: Path, name: str, change: Callable[[Path], Any], said: str
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    change(copy / name)
    server = Server(copy)
    browser.get(server.address)
    assert said in Page(browser).until("error", name)
    server.stop()


def test_opened_as_a_file_it_says_how_to_serve_it(folder: Path, browser: Chrome) -> None:
    browser.get((folder / "index.html").as_uri())
    assert "python -m http.server" in Page(browser).until("error", "Opened as a file")


@pytest.mark.skipif(not has_chromium(), reason=MISSING)
def test_without_web_assembly_it_says_so(server: Server) -> None:
    with chromium() as browser:
        without = {"source": "delete globalThis.WebAssembly"}
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", without)
        browser.get(server.address)
        Page(browser).until("error", "This browser has no WebAssembly")


def test_a_line_beyond_the_positions_is_left_empty_and_named(folder: Path, browser: Chrome, tmp_path: Path) -> None:
    copied = shutil.copytree(folder, tmp_path / "copied")
    write_browser(copied, dataclasses.replace(read_browser(copied), max_positions=12))
    server, page = Server(copied), Page(browser)
    page.open(server.address)
    page.paste("the old tree.\nthe old tree sees the old ship. the new dog sees the old child.\nthe new dog.")
    page.find("translate").click()
    assert "1 line left empty" in page.until("status", "Translated 3 lines")
    assert re.search(
        r"Line 2 is left empty: it has \d+ tokens, and the model has 12 positions", page.find("faults").text
    )
    first, second, third = page.value("translation").split("\n")
    assert first
    assert third
    assert second == ""
    server.stop()


# The page's source


JAVASCRIPT_TOKENS = """
import { readFileSync } from "node:fs";
import { PreTrainedTokenizer } from "@huggingface/transformers";
const [folder, lines] = [process.argv[2], JSON.parse(readFileSync(process.argv[3], "utf8"))];
const [state, config] = ["tokenizer", "tokenizer_config"].map((name) =>
    JSON.parse(readFileSync(`${folder}/${name}.json`, "utf8")));
const added = state.added_tokens;
const tokenizer = new PreTrainedTokenizer({ ...state, added_tokens: added.filter((each) => !each.special) }, config);
const ids = lines.map((line) => tokenizer.encode(line));
const text = ids.map((each) => tokenizer.decode(each.slice(0, -1), { clean_up_tokenization_spaces: false }));
const whole = new PreTrainedTokenizer(state, config);
console.log(JSON.stringify([ids, text, lines.map((line) => whole.encode(line))]));
"""


@needs_npm
@pytest.mark.slow
def test_types_of_the_page_and_tokens_of_hard_lines_in_javascript(tmp_path: Path) -> None:
    page = shutil.copytree(bundle.SOURCE, tmp_path / "page", ignore=shutil.ignore_patterns("node_modules", "dist"))
    assert NPM is not None
    for command in (["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ["run", "check"]):
        done = subprocess.run([NPM, *command], cwd=page, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    (page / "tokens.mjs").write_text(JAVASCRIPT_TOKENS.replace('"@huggingface/transformers"', '"./transformers.mjs"'))
    library = page / "node_modules" / "@huggingface" / "transformers" / "dist" / "transformers.web.js"
    esbuild = page / "node_modules" / ".bin" / "esbuild"
    command = [
        str(esbuild),
        str(library),
        "--bundle",
        "--format=esm",
        "--platform=browser",
        f"--outfile={page}/transformers.mjs",
    ]
    subprocess.run([*command, "--external:node:*", "--log-level=error"], cwd=page, check=True)
    text = ["the cat sat on the mat. Größe <2de> 東京"] * 3
    for kind in ({}, {"user_symbols": ["<2de>", "ß%"]}, {"brackets": ["(NP", ")NP"]}):
        tokenizer = learn_tokenizer(text, 300, show_progress=False, **kind)
        tokenizer.save_pretrained(tmp_path / "tokenizer")
        lines = [*HARD, "(NP the )NP (NN)", "ab<2de>cd ß% 'ſ 's 'LL ǅ٣²", *noise(300)]
        (tmp_path / "lines.json").write_text(json.dumps(lines))
        found = subprocess.run(
            ["node", "tokens.mjs", tmp_path / "tokenizer", tmp_path / "lines.json"],
            cwd=page, capture_output=True, text=True, check=True,
        )  # fmt: skip
        ids, texts, with_symbols = json.loads(found.stdout)
        read = AutoTokenizer.from_pretrained(tmp_path / "tokenizer")
        assert ids == read(lines).input_ids
        assert texts == read.batch_decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        assert with_symbols != ids  # "</s>" in a text: why the page takes the special tokens out before it reads one


def noise(count: int) -> list[str]:
    """Texts of characters from everywhere, but for surrogates."""
    draw = np.random.default_rng(0)
    highest = [0x80, 0x250, 0x3000, 0xD800, 0x110000]
    codes = [draw.integers(0, highest[place % 5], 12) for place in range(count)]
    return ["".join(chr(code) for code in row if not 0xD800 <= code < 0xE000) for row in codes]


def test_invisible_characters_are_written_in_ascii() -> None:
    assert escaped("\x00-\x1f\xad\U000e0fff") == r"\u{0}-\u{1f}\u{ad}\u{e0fff}"
