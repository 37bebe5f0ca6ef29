"""How far logits change when a model goes from one program to another.

    python -m benchmarks.decoding.conversions

Random models of the size of OPUS-MT (d_model 512, 6 + 6 layers) in float32, and the checkpoints that fairseq wrote for
the tests, small ones. A figure is the largest difference of a logit over 8 random sentences of 3 to 64 tokens.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from transformers import MarianConfig, MarianMTModel
from transformers.utils.logging import disable_progress_bar

from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import ROOT, add_output, leave
from vaswani.conversion import read_fairseq, read_marian, to_vaswani
from vaswani.conversion.to_transformers import to_transformers
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration

V, PAD = 32_000, 31_999
NOTHING: dict[str, Any] = {}
DESCENDANT: dict[str, Any] = {"attention_bias": True, "activation": "silu", "output_bias": True}
FAIRSEQ = ROOT / "tests" / "fairseq"


class Row(NamedTuple):
    """One way from a program to another."""

    what: str
    difference: float
    spread: float
    """Standard deviation of the logits."""
    weights: float | None = None
    """Largest difference of a weight after the way there and back."""


@torch.no_grad()
def main() -> None:
    """Convert, compare, and leave a report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add_output(parser)
    args = parser.parse_args()
    disable_progress_bar()
    torch.manual_seed(0)
    rows = [*from_marian(), *to_native(), *from_fairseq()]
    lines = [
        "| way | largest difference of a logit | spread of the logits | of a weight, there and back |",
        "|---|---:|---:|---:|",
    ]
    for row in rows:
        back = "" if row.weights is None else f"{row.weights:.1e}"
        lines.append(f"| {row.what} | {row.difference:.1e} | {row.spread:.2f} | {back} |")
    leave(args.output, machine(), "\n".join(lines), {"rows": [row._asdict() for row in rows]})


def from_marian() -> Iterator[Row]:
    """Yield a MarianMTModel as ours, and back; with each activation."""
    for activation in ("swish", "relu", "gelu"):
        theirs: Any = MarianMTModel(
            MarianConfig(
                vocab_size=V, pad_token_id=PAD, decoder_start_token_id=PAD, eos_token_id=0, forced_eos_token_id=0,
                d_model=512, encoder_layers=6, decoder_layers=6, encoder_attention_heads=8, decoder_attention_heads=8,
                encoder_ffn_dim=2048, decoder_ffn_dim=2048, scale_embedding=True, max_position_embeddings=512,
                activation_function=activation,
            )
        ).eval()  # fmt: skip
        draw(theirs)
        theirs.final_logits_bias.normal_(std=0.3)
        with tempfile.TemporaryDirectory() as temporary:
            theirs.save_pretrained(temporary)
            ours = to_vaswani(read_marian(Path(temporary))[0]).eval()
        back = to_transformers(ours, 1.0).state_dict()
        weights = max(float((back[name] - weight).abs().max()) for name, weight in learned(theirs).items())
        yield Row(f"MarianMTModel, {activation}, to ours", *compared(theirs, ours), weights)


def to_native() -> Iterator[Row]:
    """Yield base as a class of transformers."""
    for norm in ("post", "pre"):
        for more in NOTHING, DESCENDANT:
            config = VaswaniConfig(vocab_size=V, norm=norm, **more)
            ours: Any = VaswaniForConditionalGeneration(config).eval()
            draw(ours)
            theirs = to_transformers(ours, 1.0)
            parts = ", biases and swish" if more else ""
            yield Row(f"base, {norm}-norm{parts}, to {type(theirs).__name__}", *compared(ours, theirs))


def from_fairseq() -> Iterator[Row]:
    """Yield what fairseq wrote, as ours, against the logits that fairseq computed."""
    known = json.loads((FAIRSEQ / "logits.json").read_text(encoding="utf-8"))
    for name, logits in known["logits"].items():
        ours: Any = to_vaswani(read_fairseq(FAIRSEQ / name)).float().eval()
        found = ours(torch.tensor(known["source"]), decoder_input_ids=torch.tensor(known["target"])).logits
        expected = torch.tensor(logits)
        yield Row(f"fairseq's {name} to ours", float((found - expected).abs().max()), float(expected.std()))


def draw(model: Any) -> None:
    """Draw all that is learned, so that no bias of 0 or norm of 1 hides a mistake."""
    for weight in model.parameters():
        if not weight.requires_grad:
            continue
        if weight.dim() == 1:
            weight.add_(0.3 * torch.randn_like(weight))
        else:
            weight.normal_(std=1.5 * weight.shape[1] ** -0.5)


def learned(model: Any) -> dict[str, Tensor]:
    """Return the weights that a model saves, without tables that are computed."""
    return {name: weight for name, weight in model.state_dict().items() if "embed_positions" not in name}


def compared(one: Any, other: Any) -> tuple[float, float]:
    """Return the largest difference of a logit of two models, and the spread of the first one's."""
    generator = torch.Generator().manual_seed(1)
    source, target = (torch.randint(PAD, (8, 64), generator=generator) for _ in range(2))
    mask = (torch.arange(64) < torch.randint(3, 65, (8, 1), generator=generator)).long()
    largest, spread = 0.0, []
    for rows in torch.arange(8).split(4):
        batch = {"input_ids": source[rows], "attention_mask": mask[rows], "decoder_input_ids": target[rows]}
        expected, found = (model(**batch).logits for model in (one, other))
        largest = max(largest, float((expected - found).abs().max()))
        spread.append(float(expected.std()))
    return largest, sum(spread) / len(spread)


if __name__ == "__main__":
    main()
