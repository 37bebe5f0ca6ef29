"""What a checkpoint of COMET computes, by its hparams.yaml and by what lies in the checkpoint itself.

The package of the metric reads the class alone from hparams.yaml, and all else from the checkpoint. So where both have
a setting, that of the checkpoint counts. One word of hparams.yaml overrules it: with "sparsemax_patch" the layers are
weighted by softmax, because the networks published so were trained with it, whatever was written down.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import yaml

Kind = Literal["regression_metric", "referenceless_regression_metric", "unified_metric"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""The classes that are read."""

_SHARED: dict[str, Any] = {
    "encoder_model": "XLM-RoBERTa",
    "pretrained_model": "xlm-roberta-large",
    "layer": "mix",
    "layer_transformation": "softmax",
    "layer_norm": True,
    "pool": "avg",
    "hidden_sizes": [3072, 1024],
    "activations": "Tanh",
    "final_activation": None,
    "input_segments": ["mt", "src", "ref"],
}
_DEFAULTS: dict[Kind, dict[str, Any]] = {
    "regression_metric": _SHARED,
    "referenceless_regression_metric": _SHARED | {"hidden_sizes": [2048, 1024]},
    "unified_metric": _SHARED
    | {
        "pretrained_model": "microsoft/infoxlm-large",
        "sent_layer": "mix",
        "layer_transformation": "sparsemax",
    },
}
"""Of the package, version 2.2.7; a checkpoint of an older one may lack settings that came later."""
_ACTIVATIONS = ("Tanh", "Sigmoid")
_POOLS = ("avg", "cls", "max", "default")
_SEGMENTS = ("mt", "src", "ref")


class Settings(NamedTuple):
    """What differs between the networks that are read."""

    kind: Kind
    encoder: str
    """Where the configuration and the tokenizer of XLM-R are: a folder, or a name on the Hub."""
    segments: tuple[str, ...]
    """Those that are read, of mt (the translation), src and ref, in this order."""
    layer: int | None
    """The layer whose states are taken, 0 for the embeddings; None for a weighted sum of all."""
    transformation: Literal["softmax", "sparsemax"]
    """What makes weights of the layers' scores."""
    layer_norm: bool
    """Whether each layer is normalised before it is weighted, over all tokens of a sentence at once."""
    pool: str
    """How the states of tokens become a vector: avg, cls (the first), max, or default (the first of the last layer)."""
    hidden_sizes: tuple[int, ...]
    """Of the estimator."""
    activation: str
    final_activation: str | None

    @property
    def needs_references(self) -> bool:
        """Whether it cannot score without references."""
        return self.kind == "regression_metric" or self.segments == ("mt", "ref")

    @property
    def reads_references(self) -> bool:
        """Whether references change its scores."""
        return "ref" in self.segments

    @property
    def reads_sources(self) -> bool:
        """Whether it reads sources."""
        return "src" in self.segments


def read_hparams(file: Path) -> dict[str, Any]:
    """Return the content of hparams.yaml, of a class that is read.

    Raises:
        ValueError: it is damaged, or of another class.

    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is damaged ({' '.join(str(error).split())}); copy it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file} is damaged: it holds no settings; copy it again")
    kind = content.get("class_identifier")
    if kind not in KINDS:
        raise ValueError(f"{file} is of the class {kind}; those that are read are {', '.join(KINDS)}")
    return content


def settings_of(hparams: Mapping[str, Any], of_checkpoint: Mapping[str, Any], where: Path) -> Settings:
    """Return the settings of a network.

    Args:
        hparams: the content of hparams.yaml.
        of_checkpoint: the settings in the checkpoint; they count where both have one.
        where: the folder of both, for messages.

    Raises:
        ValueError: a setting is none that is read; names it, its value and those that are.

    """
    kind: Kind = hparams["class_identifier"]
    found = {**_DEFAULTS[kind], **hparams, **of_checkpoint}
    if "sparsemax_patch" in (hparams.get("layer_transformation"), found["layer_transformation"]):
        found["layer_transformation"] = "softmax"

    def check(name: str, fits: bool, those: str) -> None:
        if not fits:
            raise ValueError(f"{where}: {name} is {found[name]!r}; what is read is {those}")

    layer_name = "sent_layer" if kind == "unified_metric" else "layer"
    layer, segments = found[layer_name], _segments(kind, found)
    check("encoder_model", found["encoder_model"] == "XLM-RoBERTa", "XLM-RoBERTa")
    check("pretrained_model", isinstance(found["pretrained_model"], str), "the name of a folder or repository")
    check(layer_name, layer == "mix" or _is_number(layer, 0), "mix, or the number of a layer")
    check("layer_transformation", found["layer_transformation"] in ("softmax", "sparsemax"), "softmax or sparsemax")
    check("layer_norm", isinstance(found["layer_norm"], bool), "true or false")
    check("pool", found["pool"] in _POOLS, ", ".join(_POOLS))
    sizes = found["hidden_sizes"]
    is_row = isinstance(sizes, list | tuple) and bool(sizes) and all(_is_number(size, 1) for size in sizes)
    check("hidden_sizes", is_row, "a list of numbers")
    for name in ("activations", "final_activation"):
        is_none = name == "final_activation" and found[name] is None
        fits = is_none or (isinstance(found[name], str) and found[name].title() in _ACTIVATIONS)
        check(name, fits, " or ".join(_ACTIVATIONS))
    check("input_segments", segments is not None, "mt, and src or ref or both")
    assert segments is not None
    final = found["final_activation"]
    return Settings(
        kind,
        encoder=found["pretrained_model"],
        segments=segments,
        layer=None if layer == "mix" else layer,
        transformation=found["layer_transformation"],
        layer_norm=found["layer_norm"],
        pool="cls" if kind == "unified_metric" else found["pool"],
        hidden_sizes=tuple(sizes),
        activation=found["activations"].title(),
        final_activation=None if final is None else final.title(),
    )


def unlike(hparams: Mapping[str, Any], of_checkpoint: Mapping[str, Any]) -> list[str]:
    """Return the settings that hparams.yaml and the checkpoint both have, and not alike; those of training aside."""
    kind: Kind = hparams["class_identifier"]
    return [
        f"{name} ({hparams[name]!r}, and {of_checkpoint[name]!r} in the checkpoint)"
        for name in _DEFAULTS[kind]
        if name in hparams
        and name in of_checkpoint
        and hparams[name] != of_checkpoint[name]
        and hparams[name] != "sparsemax_patch"
    ]


def _segments(kind: Kind, found: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return what a network reads, in the order of the package; None if that is nothing it can judge by."""
    if kind != "unified_metric":
        return ("mt", "src", "ref") if kind == "regression_metric" else ("mt", "src")
    given = found["input_segments"]
    if not isinstance(given, list | tuple) or not {*given} <= {*_SEGMENTS} or "mt" not in given or len({*given}) < 2:
        return None
    return tuple(each for each in _SEGMENTS if each in given)


def _is_number(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
