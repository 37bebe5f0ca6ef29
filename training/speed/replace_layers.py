"""Layers of a built network replaced by others of the same weights, so that a checkpoint cannot tell them apart."""

from collections.abc import Callable
from typing import TypeVar

from torch import nn

Layer = TypeVar("Layer", bound=nn.Module)


def replace_layers(model: nn.Module, kind: type[Layer], replacement: Callable[[Layer], nn.Module]) -> None:
    """Replace each layer of `model` whose class is `kind` itself, in the mode that it was in.

    Args:
        model: holds them; it is not one itself.
        kind: their class. A subclass does more than `kind`, and stays.
        replacement: returns what to put in the place of a layer, with the layer's own weights.

    """
    for parent in list(model.modules()):
        for name, layer in list(parent.named_children()):
            if type(layer) is kind:
                setattr(parent, name, replacement(layer).train(layer.training))
