"""A web page to try a model: the translation, the next best with scores, and the attention of each word."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read at import; so that the page contacts no other host

import gradio as gr
from starlette.middleware import Middleware

from vaswani.data.blank_text import is_blank
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.loaded import LoadedModel
from vaswani.translation.longest_text import check_characters

from .admission import SmallBodies
from .hosts import KnownHosts

if TYPE_CHECKING:
    from .attention_picture import AttentionPicture

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


Shown = tuple[list[int], list[int]]
"""Tokens of a text and of its translation."""


@dataclass(frozen=True)
class Translator:
    """What the page asks a model for."""

    model: LoadedModel
    picture: "AttentionPicture | None"
    """None: the engine of the model does not show its attention."""

    @property
    def most_tokens(self) -> int:
        """How many tokens a text may have on the page, </s> included."""
        return min(MAX_TOKENS, self.model.max_tokens)

    def translate(self, text: str, beams: float, n_best: float, layer: str = "", head: str = "") -> tuple[Any, ...]:
        """Return the best translation, the n best with their scores, the picture, and what it shows.

        Raises:
            gr.Error: the text is too long.

        """
        if is_blank(text):
            return "", [], None, None
        try:
            check_characters(self.model.tokenizer, text, self.most_tokens, "The text")
        except ValueError as error:
            raise gr.Error(f"{error}.") from None
        source = self.model.tokenizer(text).input_ids
        if len(source) > self.most_tokens:
            raise gr.Error(
                f"The text has {len(source)} tokens, and {self.most_tokens} are allowed: split it into sentences."
            )
        settings = BeamSettings(int(beams), n_best=min(int(n_best), int(beams)))
        [hypotheses] = self.model.search(settings, True)([source])
        rows = [["" if each.score is None else f"{each.score:.3f}", each.text] for each in hypotheses]
        shown = None if self.picture is None else (source, self.picture.tokens_of(hypotheses[0].text))
        return hypotheses[0].text, rows, self.look(shown, layer, head), shown

    def translate_alone(self, text: str, beams: float, n_best: float) -> tuple[Any, ...]:
        """Return the best translation, and the n best with their scores; raises as `translate` does."""
        return self.translate(text, beams, n_best)[:2]

    def look(self, shown: Shown | None, layer: str, head: str) -> Any:
        """Draw where each token of a translation looked in its source."""
        return None if shown is None or self.picture is None else self.picture.draw(*shown, layer, head)


def build_page(
    model: LoadedModel,
    picture: "AttentionPicture | None",
    name: str,
    about: Sequence[str] = (),
    examples: Sequence[str] = (),
) -> gr.Blocks:
    """Return the page.

    Args:
        model: loaded for any engine.
        picture: draws the attention of the same model; None: the page does without.
        name: the model's name on the page.
        about: lines of Markdown on what it was trained on.
        examples: sentences of that text, shown for clicking.

    """
    translator = Translator(model, picture)
    with gr.Blocks(title=f"vaswani: {name}", analytics_enabled=False) as page:
        gr.Markdown(f"# {name}\nA Transformer of *Attention Is All You Need*, with the search of its section 6.1.")
        gr.Markdown("  \n".join(about or [UNKNOWN]), elem_id="about")
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
        asked: dict[str, Any] = {
            "fn": translator.translate_alone,
            "inputs": [text, beams, n_best],
            "outputs": [best, table],
            **ONE_AT_A_TIME,
        }
        if picture is not None:
            asked = add_picture(translator, picture, asked)
        button.click(**asked, api_name="translate")
        text.submit(**asked, api_visibility="private")
    return page


def add_picture(translator: Translator, picture: "AttentionPicture", asked: dict[str, Any]) -> dict[str, Any]:
    """Add the picture, and what chooses a layer, at first the last, and a head, at first the mean of all.

    Returns what is to be asked for the picture too, in place of `asked`.
    """
    shown = gr.State()
    gr.Markdown("### Attention of each token of the translation to the source")
    of_layers, of_heads = picture.choices()
    with gr.Row():
        layer = gr.Dropdown(of_layers, value=of_layers[-1], label="Layer of the decoder", elem_id="layer")
        head = gr.Dropdown(of_heads, value=of_heads[0], label="Head", elem_id="head")
    plot = gr.Plot(show_label=False, elem_id="attention")
    for choice in (layer, head):
        choice.change(translator.look, [shown, layer, head], plot, **ONE_AT_A_TIME, api_visibility="private")
    return asked | {
        "fn": translator.translate,
        "inputs": [*asked["inputs"], layer, head],
        "outputs": [*asked["outputs"], plot, shown],
    }


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
