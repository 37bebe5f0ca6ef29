"""A network as an ONNX graph: what every export to ONNX begins with, and how a traced module becomes a file.

Shapes: B sentences, S source tokens, H heads.
"""

import copy
import logging
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from vaswani.modeling import VaswaniForConditionalGeneration


def to_trace(model: VaswaniForConditionalGeneration) -> VaswaniForConditionalGeneration:
    """Return a copy of a model that a trace can follow: float32, without dropout, with plain products."""
    model = copy.deepcopy(model).float().eval()
    model.set_attn_implementation("eager")  # the fused implementations depend on their inputs
    return model


def encoded(model: Any, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
    """Return the encoder's output, `[B, S, D]`.

    Args:
        model: a VaswaniModel.
        input_ids: `[B, S]`.
        attention_mask: `[B, S]`, 1 at tokens and 0 at padding.

    """
    encoder, mask = model.encoder, added(attention_mask)
    hidden: Tensor = encoder.positions(encoder.tokens(input_ids))
    for layer in encoder.layers:
        hidden = layer(hidden, mask)
    return encoder.final_norm(hidden)


def added(attention_mask: Tensor) -> Tensor:
    """Return the mask added to the scores of `[B, S]` places, `[B, 1, 1, S]`: 0, and very negative at padding."""
    nothing = torch.zeros_like(attention_mask, dtype=torch.float32)
    return nothing.masked_fill(attention_mask == 0, torch.finfo(torch.float32).min)[:, None, None]


def write(
    graph: nn.Module, example: tuple[Any, ...], file: Path, inputs: list[str], outputs: list[str], dimensions: Any
) -> None:
    """Write a graph whose `dimensions` may differ from the example."""
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)  # it misses torchvision
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "# The axis name")  # of several inputs that share one
        warnings.filterwarnings("ignore", category=FutureWarning)  # among its own parts
        # Traced separately: the exporter would silently fix a dimension in the file that the code fixes.
        program = torch.export.export(graph, example, dynamic_shapes=dimensions)
        torch.onnx.export(
            program,
            (),
            file,
            input_names=inputs,
            output_names=outputs,
            dynamic_shapes=dimensions,
            external_data=False,
            verbose=False,
        )
    onnx.checker.check_model(file, full_check=True)
