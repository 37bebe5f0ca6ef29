"""A page to try a model on: the translation, the next best with their scores, and where each word looked."""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read at import; nothing here calls out

import gradio as gr
from matplotlib.figure import Figure
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.data.grammar import GrammarCorpus

from .attention import cross_attention, draw_attention, symbols_as_text
from .hypotheses import text_of, torch_search

MEAN = "mean"
MAX_BEAMS = 16
MAX_TOKENS = 256
"""Of one text: a picture of more cannot be read."""
EXAMPLES = 5
FONTS = ["system-ui", "sans-serif"]
"""The browser's own: none is fetched."""


class Found(NamedTuple):
    """What the page keeps of a translation, to draw it again."""

    source: list[int]
    target: list[int]


def example_sentences(language: str) -> list[str]:
    """Return some sentences of the built-in grammar, from short to long; `language` is en or de."""
    pairs = GrammarCorpus("test").read(0)
    sentences = sorted((pair.source if language == "en" else pair.target for pair in pairs), key=len)
    return [sentences[len(sentences) * place // EXAMPLES] for place in range(EXAMPLES)]


def choose(weights: Tensor, layer: str, head: str) -> Tensor:
    """Return `[T, S]` of `[N, H, T, S]`: a layer and a head counted from 1, or their mean."""
    of_layer = weights.mean(0) if layer == MEAN else weights[int(layer) - 1]
    return of_layer.mean(0) if head == MEAN else of_layer[int(head) - 1]


def build_page(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str, examples: Sequence[str]
) -> gr.Blocks:
    """Return the page.

    Args:
        model: loaded with attn_implementation="eager".
        tokenizer: its own.
        name: what the page calls the model.
        examples: sentences that can be clicked on.

    """
    search = torch_search(model, tokenizer)

    def translate(text: str, beams: float, n_best: float, layer: str, head: str) -> tuple[Any, ...]:
        if not text.strip():
            return "", [], None, None
        source = tokenizer(text).input_ids
        if len(source) > MAX_TOKENS:
            raise gr.Error(f"The text has {len(source)} tokens, and {MAX_TOKENS} are allowed: split it into sentences.")
        num_beams = int(beams)
        try:
            [hypotheses] = search([source], num_beams, min(int(n_best), num_beams))
            found = Found(source, hypotheses[0].symbols)
            picture = draw(found, layer, head)
        except ValueError as error:  # such as more symbols than the model has learned positions for
            raise gr.Error(str(error)) from error
        rows = [[f"{each.score:.3f}", text_of(tokenizer, each)] for each in hypotheses]
        return rows[0][1], rows, picture, found

    def draw(found: Found | None, layer: str, head: str) -> Figure | None:
        if found is None:
            return None
        source, target = Found(*found)
        weights = choose(cross_attention(model, source, target), layer, head)
        chosen = " and ".join(
            f"{MEAN} of all {part}s" if which == MEAN else f"{part} {which}"
            for part, which in (("layer", layer), ("head", head))
        )
        return draw_attention(
            weights, symbols_as_text(tokenizer, source), symbols_as_text(tokenizer, target), f"attention, {chosen}"
        )

    with gr.Blocks(title=f"vaswani: {name}", analytics_enabled=False) as page:
        gr.Markdown(f"# {name}\nA Transformer of *Attention Is All You Need*, with the search of its section 6.1.")
        found = gr.State()
        with gr.Row():
            with gr.Column():
                text = gr.Textbox(label="Text", placeholder="A sentence to translate", lines=3, elem_id="text")
                with gr.Row():
                    beams = gr.Slider(1, MAX_BEAMS, 4, step=1, label="Beams", info="1 is greedy", elem_id="beams")
                    n_best = gr.Slider(1, MAX_BEAMS, 4, step=1, label="n best", info="no more than beams")
                button = gr.Button("Translate", variant="primary", elem_id="translate")
                gr.Examples(
                    [[each] for each in examples], text, label="Sentences of the built-in grammar", elem_id="examples"
                )
            with gr.Column():
                best = gr.Textbox(
                    label="Translation", lines=3, interactive=False, buttons=["copy"], elem_id="translation"
                )
                table = gr.Dataframe(
                    headers=["score", "translation"], label="n best: log P under the length penalty; 0 is certain",
                    interactive=False, wrap=True, column_widths=["20%", "80%"], elem_id="n_best",
                )  # fmt: skip
        gr.Markdown("### Where each symbol of the translation looked in the source")
        with gr.Row():
            layers, heads = (
                [MEAN, *map(str, range(1, count + 1))] for count in cross_attention(model, [0], [0]).shape[:2]
            )
            layer = gr.Dropdown(layers, value=layers[-1], label="Layer of the decoder", elem_id="layer")
            head = gr.Dropdown(heads, value=MEAN, label="Head", elem_id="head")
        picture = gr.Plot(show_label=False, elem_id="attention")
        asked: dict[str, Any] = {
            "fn": translate, "inputs": [text, beams, n_best, layer, head], "outputs": [best, table, picture, found],
            "concurrency_id": "model", "concurrency_limit": 1,
        }  # fmt: skip
        button.click(**asked, api_name="translate")
        text.submit(**asked, api_visibility="private")
        for choice in (layer, head):
            choice.change(
                draw,
                [found, layer, head],
                picture,
                concurrency_id="model",
                concurrency_limit=1,
                api_visibility="private",
            )
    return page


def show(page: gr.Blocks, host: str, port: int) -> None:
    """Serve the page until it is interrupted."""
    theme = gr.themes.Soft(font=FONTS, font_mono=FONTS, primary_hue="blue")
    page.launch(
        server_name=host, server_port=port, share=False, ssr_mode=False, footer_links=[], theme=theme, quiet=True
    )
