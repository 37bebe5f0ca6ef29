"""A web page to try a model: the translation, the next best with scores, and the attention of each word."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read at import; so that the page contacts no other host

import gradio as gr
import torch
from matplotlib.figure import Figure
from starlette.middleware import Middleware
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.data.blank_text import is_blank
from vaswani.plots import draw_attention_maps
from vaswani.translation.attention import attentions
from vaswani.translation.longest_text import check_characters
from vaswani.translation.search import BeamSettings, by_generate, evaluating, positions
from vaswani.translation.token_text import tokens_as_text

from .admission import SmallBodies
from .hosts import KnownHosts

MEAN = "mean"
MAX_BEAMS = 16
MAX_TOKENS = 256
"""Most tokens of one text: a larger picture would be unreadable."""
MAX_WAITING = 64
"""Most translations that wait for their turn; further ones are refused."""
EXAMPLES = 5
UNKNOWN = "Its folder does not record what it was trained on."
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
FONTS = ["system-ui", "sans-serif"]
"""The browser's own fonts: none is fetched."""


def most_tokens(model: PreTrainedModel) -> int:
    """Return how many tokens a text may have on the page, </s> included."""
    return min(MAX_TOKENS, positions(model))


def choose(weights: Tensor, layer: str, head: str) -> Tensor:
    """Return `[T, S]` of `[N, H, T, S]`: a layer and a head counted from 1, or their mean."""
    of_layer = weights.mean(0) if layer == MEAN else weights[int(layer) - 1]
    return of_layer.mean(0) if head == MEAN else of_layer[int(head) - 1]


Shown = tuple[list[int], list[int]]
"""Tokens of a text and of its translation."""


@dataclass(frozen=True)
class Translator:
    """What the page asks a model for."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def translate(self, text: str, beams: float, n_best: float, layer: str, head: str) -> tuple[Any, ...]:
        """Return the best translation, the n best with their scores, the picture, and what it shows.

        Raises:
            gr.Error: the text is too long.

        """
        if is_blank(text):
            return "", [], None, None
        most = most_tokens(self.model)
        try:
            check_characters(self.tokenizer, text, most, "The text")
        except ValueError as error:
            raise gr.Error(f"{error}.") from None
        source = self.tokenizer(text).input_ids
        if len(source) > most:
            raise gr.Error(f"The text has {len(source)} tokens, and {most} are allowed: split it into sentences.")
        settings = BeamSettings(int(beams), n_best=min(int(n_best), int(beams)))
        with evaluating(self.model), torch.inference_mode():
            [hypotheses] = by_generate(self.model, self.tokenizer, settings)([source])
        shown = source, self.tokenizer(text_target=hypotheses[0].text).input_ids[: positions(self.model)]
        rows = [["" if each.score is None else f"{each.score:.3f}", each.text] for each in hypotheses]
        return hypotheses[0].text, rows, self.look(shown, layer, head), shown

    def look(self, shown: Shown | None, layer: str, head: str) -> Figure | None:
        """Draw where each token of a translation looked in its source."""
        if shown is None:
            return None
        source, target = shown
        chosen = " and ".join(
            f"{MEAN} of all {part}s" if which == MEAN else f"{part} {which}"
            for part, which in (("layer", layer), ("head", head))
        )
        return draw_attention_maps(
            choose(self.weights(source, target), layer, head)[None].float().numpy(),
            tokens_as_text(self.tokenizer, target),
            tokens_as_text(self.tokenizer, source),
            [""],
            f"attention, {chosen}",
        )

    def weights(self, source: list[int], target: list[int]) -> Tensor:
        """Return the attention of the decoder to the encoder, `[N, H, T, S]`."""
        with evaluating(self.model), torch.inference_mode():
            return torch.cat(attentions(self.model, self.tokenizer, [source], [target]).cross).cpu()


def build_page(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    name: str,
    about: Sequence[str] = (),
    examples: Sequence[str] = (),
) -> gr.Blocks:
    """Return the page.

    Args:
        model: on any device.
        tokenizer: its own.
        name: the model's name on the page.
        about: lines of Markdown on what it was trained on.
        examples: sentences of that text, shown for clicking.

    """
    translator = Translator(model, tokenizer)
    with gr.Blocks(title=f"vaswani: {name}", analytics_enabled=False) as page:
        gr.Markdown(f"# {name}\nA Transformer of *Attention Is All You Need*, with the search of its section 6.1.")
        gr.Markdown("  \n".join(about or [UNKNOWN]), elem_id="about")
        shown = gr.State()
        with gr.Row():
            with gr.Column():
                text = gr.Textbox(label="Text", placeholder="A sentence to translate", lines=3, elem_id="text")
                with gr.Row():
                    beams = gr.Slider(1, MAX_BEAMS, 4, step=1, label="Beams", info="1 is greedy", elem_id="beams")
                    n_best = gr.Slider(1, MAX_BEAMS, 4, step=1, label="n best", info="no more than beams")
                button = gr.Button("Translate", variant="primary", elem_id="translate")
                if examples:
                    gr.Examples(
                        [[each] for each in examples], text, label="Sentences of its training text", elem_id="examples"
                    )
            with gr.Column():
                best = gr.Textbox(
                    label="Translation", lines=3, interactive=False, buttons=["copy"], elem_id="translation"
                )
                table = gr.Dataframe(
                    headers=["score", "translation"],
                    label="n best: log P over the length penalty",
                    interactive=False,
                    wrap=True,
                    column_widths=["20%", "80%"],
                    elem_id="n_best",
                )
        gr.Markdown("### Attention of each token of the translation to the source")
        with gr.Row():
            layer, head = add_choices(*translator.weights([0], [0]).shape[:2])
        picture = gr.Plot(show_label=False, elem_id="attention")
        asked: dict[str, Any] = {
            "fn": translator.translate,
            "inputs": [text, beams, n_best, layer, head],
            "outputs": [best, table, picture, shown],
            **ONE_AT_A_TIME,
        }
        button.click(**asked, api_name="translate")
        text.submit(**asked, api_visibility="private")
        for choice in (layer, head):
            choice.change(translator.look, [shown, layer, head], picture, **ONE_AT_A_TIME, api_visibility="private")
    return page


def add_choices(layers: int, heads: int) -> tuple[gr.Dropdown, gr.Dropdown]:
    """Add the choice of a layer, at first the last, and of a head, at first their mean."""
    of_layers, of_heads = ([MEAN, *map(str, range(1, count + 1))] for count in (layers, heads))
    return (
        gr.Dropdown(of_layers, value=of_layers[-1], label="Layer of the decoder", elem_id="layer"),
        gr.Dropdown(of_heads, value=MEAN, label="Head", elem_id="head"),
    )


def show(page: gr.Blocks, host: str, port: int, hosts: frozenset[str]) -> None:
    """Serve the page until it is interrupted.

    Args:
        page: what `build_page` returned.
        host: address to listen on.
        port: TCP port.
        hosts: names by which it may be asked, as of `KnownHosts`.

    """
    page.queue(max_size=MAX_WAITING)
    theme = gr.themes.Soft(font=FONTS, font_mono=FONTS, primary_hue="blue")
    page.launch(
        server_name=host,
        server_port=port,
        share=False,
        ssr_mode=False,
        footer_links=[],
        theme=theme,
        quiet=True,
        app_kwargs={"middleware": [Middleware(KnownHosts, names=hosts), Middleware(SmallBodies)]},
    )
