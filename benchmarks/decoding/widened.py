"""Make a network of the paper's base size out of a smaller trained one, to measure speed on natural translations.

python -m benchmarks.decoding.widened runs/multi30k-en-de runs/widened --layers 6

An untrained network hardly ever ends a sentence, and training a base network takes a GPU. So a trained network is
doubled and says the same as before: every number of its state stands there twice, which LayerNorm does not
notice, and layers that add nothing come after its own. Nothing is skipped when it runs: the work is that of any network
of the size. Positions are a table with the same doubled sinusoids.

Shapes: D = d_model, E another width.
"""

import argparse
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoTokenizer

from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.modeling_vaswani import sinusoidal_positions
from vaswani.storage import atomic_files

LONGEST = 1024


def twice(weight: Tensor) -> Tensor:
    """Make a map from D to E numbers one from 2 D to 2 E, of which both halves are the same; or a vector, 2 E long."""
    if weight.dim() == 1:
        return torch.cat([weight, weight])
    return torch.cat([torch.cat([weight, weight], dim=1)] * 2) / 2


@torch.no_grad()
def widen(model: VaswaniForConditionalGeneration, layers: int) -> VaswaniForConditionalGeneration:
    """Return a network of twice the width and so many layers a side that translates as `model` does.

    Raises:
        ValueError: `model` has learned positions, or has more layers.

    """
    small: Any = model.config
    own = max(small.encoder_layers, small.decoder_layers)
    if small.positions != "sinusoidal" or own > layers:
        raise ValueError(
            f"positions={small.positions}, up to {own} layers a side; sinusoids and at most {layers} layers are needed"
        )
    wide: Any = VaswaniForConditionalGeneration(
        VaswaniConfig(
            vocab_size=small.vocab_size,
            d_model=2 * small.d_model,
            d_ff=2 * small.d_ff,
            num_heads=2 * small.num_heads,
            d_k=small.d_k,
            d_v=small.d_v,
            encoder_layers=layers,
            decoder_layers=layers,
            norm=small.norm,
            positions="learned",
            max_positions=LONGEST,
        )
    )
    for name, parameter in wide.named_parameters():
        if ".layers." in name and "norm" not in name:
            parameter.zero_()  # a layer after the last of the small network adds nothing
    # Embeddings are multiplied by the root of the width, and read again as the projection, whose input makes up for it.
    wide.model.tokens.weight.copy_(torch.cat([model.model.tokens.weight] * 2, dim=1) / math.sqrt(2))
    for side in ("encoder", "decoder"):
        narrow, broad = getattr(model.model, side), getattr(wide.model, side)
        broad.positions.learned.weight.copy_(sinusoidal_positions(torch.arange(LONGEST), small.d_model).repeat(1, 2))
        for before, after in zip(narrow.layers, broad.layers, strict=False):
            for one, other in zip(before.parameters(), after.parameters(), strict=True):
                other.copy_(twice(one))
        is_post, final = small.norm == "post", broad.final_norm
        ended: nn.LayerNorm = broad.layers[len(narrow.layers) - 1].feed_forward_residual.norm if is_post else final
        last: nn.LayerNorm = broad.layers[-1].feed_forward_residual.norm if is_post else final
        if not is_post:
            for one, other in zip(narrow.final_norm.parameters(), final.parameters(), strict=True):
                other.copy_(twice(one))
        gain, bias, scale = ended.weight.clone(), ended.bias.clone(), math.sqrt(2) if side == "decoder" else 1.0
        ended.weight.fill_(1)
        ended.bias.zero_()
        last.weight.copy_(gain / scale)
        last.bias.copy_(bias / scale)
    return wide.eval()


def main() -> None:
    """Widen, and save with the tokenizer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="folder of a trained model")
    parser.add_argument("output", type=Path, help="folder for the wider network")
    parser.add_argument(
        "--layers", type=int, default=6, help="layers of encoder and decoder, each (default: %(default)s)"
    )
    given = parser.parse_args()
    model = widen(VaswaniForConditionalGeneration.from_pretrained(given.model), given.layers)
    with atomic_files(given.output) as draft:
        model.save_pretrained(draft)
        AutoTokenizer.from_pretrained(given.model).save_pretrained(draft)


if __name__ == "__main__":
    main()
