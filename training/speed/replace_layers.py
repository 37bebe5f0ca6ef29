"""Replaces layers of a built network by others with the same weights, so that checkpoints stay the same."""

from collections.abc import Callable
from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)


def replace_layers(model: nn.Module, kind: type[Layer], replacement: Callable[[Layer], nn.Module]) -> None:
    """Replace each layer of `model` whose class is exactly `kind`, keeping its mode.

    Args:
        model: holds the layers; it is not one itself.
        kind: their class. A subclass does more than `kind`, and stays.
        replacement: returns the replacement of a layer, with the layer's own weights.

    """
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is kind:
                setattr(parent, name, replacement(layer).train(layer.training))
