"""A model as Marian itself writes it, an .npz: weights by its names and, as special:model.yml, its settings.

Needed: the .npz alone, or a folder in which it lies. For a tokenizer, beside it: the vocabulary that both sides share
(vocab.yml, or a file whose name ends in .vocab.yml) and source.spm and target.spm, as in the folders of OPUS-MT.

What Marian computes (src/models/transformer.h, layers/generic.h and tensors/cpu/tensor_operators.cpp of marian-dev):
matrices stand the other way round; layers count from 1; LayerNorm has an epsilon of 1e-6; sinusoids are sines, then
cosines, of the frequencies 10000^(-i / (D/2 - 1)), so that they become a learned table here; a learned table, Wpos, is
added to embeddings that are not scaled; its GELU was an approximation until its version 1.12.0, and is refused.

The decoder starts with a vector of zeros, for which Marian has no token. One is added after the last, "<pad>", with a
row of zeros. Its logit is NEVER, so that the probabilities of all others are Marian's. What the converter of
transformers made of such models (until 4.47) has the paper's frequencies, and a logit of 0 for that token.

Shapes: V tokens of Marian, D = d_model.
"""

import json
import math
import re
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml

from .tensor2tensor import read_variables
from .to_vaswani import CannotConvertError, ForeignModel, check_alike, tensor2tensor_sinusoids
from .tokenizer_files import check_numbers, copy_tokenizer

SETTINGS = "special:model.yml"
EPSILON = 1e-6
EOS, PAD = "</s>", "<pad>"
NEVER = -1e4
"""The logit of a token that is never written: its probability is 0, and a smoothed loss stays finite."""

_ASSUMED: dict[str, tuple[str, ...]] = {
    "type": ("transformer",),
    "right-left": ("false",),
    "transformer-ffn-depth": ("2",),
    "transformer-decoder-ffn-depth": ("0", "2"),
    "transformer-decoder-autoreg": ("self-attention",),
    "transformer-no-projection": ("false",),
    "transformer-pool": ("false",),
    "transformer-postprocess-emb": ("d", ""),
    "transformer-disable-position-embeddings": ("false",),
    "transformer-attention-mask": ("default",),
    "transformer-tied-layers": ("[]",),
    "transformer-no-bias": ("false",),
    "transformer-no-affine": ("false",),
    "ulr": ("false",),
    "lemma-dim-emb": ("0",),
    "factors-combine": ("sum",),
}
"""The values that each setting may have; the first one is the default."""
_NORMS = {("", "dan", ""): "post", ("n", "da", "n"): "pre"}
"""By what is done before a sub-layer, after it, and after a stack: dropout, addition, normalisation."""
_ACTIVATIONS = {"relu": "relu", "swish": "silu"}
_PARTS: dict[str, str | Callable[[re.Match[str]], str]] = {
    r"^(encoder|decoder)_l(\d+)_": lambda match: f"model.{match[1]}.layers.{int(match[2]) - 1}.",
    r"^(encoder|decoder)_top_ln_": r"model.\1.final_norm.",
    r"\.self_Wo_ln_": ".self_attention_residual.norm.",
    r"\.context_Wo_ln_": ".cross_attention_residual.norm.",
    r"\.ffn_ffn_ln_": ".feed_forward_residual.norm.",
    r"norm\.scale(_pre)?$": "norm.weight",
    r"norm\.bias(_pre)?$": "norm.bias",
    r"\.self_W([qkvo])$": r".self_attention.w_\1.weight",
    r"\.self_b([qkvo])$": r".self_attention.w_\1.bias",
    r"\.context_W([qkvo])$": r".cross_attention.w_\1.weight",
    r"\.context_b([qkvo])$": r".cross_attention.w_\1.bias",
    r"\.ffn_W([12])$": r".feed_forward.w_\1.weight",
    r"\.ffn_b([12])$": r".feed_forward.w_\1.bias",
}
_TABLES = ("Wemb", "encoder_Wemb", "decoder_Wemb", "decoder_ff_logit_out_Wt", "decoder_ff_logit_out_W")


class MarianFiles(NamedTuple):
    """The files of one model."""

    weights: Path
    vocabulary: Path | None
    """vocab.yml."""


def find_marian(source: Path) -> MarianFiles | None:
    """Return the files of a model of Marian's own, given its .npz or its folder; None if it is not one.

    Raises:
        ValueError: several models, or several vocabularies.

    """
    if source.is_dir():
        found = sorted(file for file in source.glob("*.npz") if _is_marian(file))
        if len(found) > 1:
            names = ", ".join(file.name for file in found)
            raise ValueError(f"{source} has several models of Marian's ({names}); give one of them")
    else:
        found = [source] if source.suffix == ".npz" and _is_marian(source) else []
    if not found:
        return None
    beside = found[0].parent
    vocabularies = sorted({*beside.glob("*.vocab.yml"), *beside.glob("vocab.yml")})
    if len(vocabularies) > 1:
        names = ", ".join(file.name for file in vocabularies)
        raise ValueError(
            f"{beside} has several vocabularies ({names}), and here one is shared by source and target; leave that one "
            "there"
        )
    return MarianFiles(found[0], vocabularies[0] if vocabularies else None)


def _is_marian(file: Path) -> bool:
    """Return whether a file holds Marian's settings; the loader reports a damaged one."""
    with suppress(zipfile.BadZipFile, OSError), zipfile.ZipFile(file) as archive:
        return f"{SETTINGS}.npy" in archive.namelist()
    return False


def read_marian_npz(files: MarianFiles, max_positions: int = 1024) -> ForeignModel:
    """Return the network.

    Args:
        files: its own.
        max_positions: rows of the position table, which has to be written out.

    Raises:
        CannotConvertError: settings under which Marian computes something else, or tables that are not shared.
        ValueError: the vocabulary has tokens that the network lacks.

    """
    variables = read_variables(files.weights, (SETTINGS,))
    try:
        text = variables.pop(SETTINGS).numpy().tobytes().split(b"\0")[0].decode()
        settings = {name: _plain(value) for name, value in yaml.load(text, Loader=yaml.BaseLoader).items()}
    except (KeyError, AttributeError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CannotConvertError(f"{files.weights} has no {SETTINGS} that can be read; Marian writes it") from error
    norm = check_settings(settings)
    tables = {name: variables.pop(name) for name in _TABLES if name in variables}
    if "decoder_ff_logit_out_W" in tables:  # as Marian wrote it at first
        tables["decoder_ff_logit_out_W"] = tables["decoder_ff_logit_out_W"].T
    check_alike(tables)
    tokens = next(iter(tables.values())).float()
    size, d_model = tokens.shape
    bias = variables.pop("decoder_ff_logit_out_b", torch.zeros(size)).flatten().float()
    learned = variables.pop("Wpos", None)
    weights = {
        our_name(name): (variable.T.contiguous() if re.search(r"_W[qkvo12]$", name) else variable.flatten()).float()
        for name, variable in variables.items()
    }
    weights["model.tokens.weight"] = torch.cat([tokens, tokens.new_zeros(1, d_model)])
    weights["lm_head.bias"] = torch.cat([bias, bias.new_full((1,), NEVER)])
    table = tensor2tensor_sinusoids(torch.arange(max_positions), d_model) if learned is None else learned.float()
    return ForeignModel(
        weights,
        (table, table),
        math.sqrt(d_model) if learned is None else 1.0,
        EPSILON,
        fields={
            "vocab_size": size + 1,
            "d_model": d_model,
            "d_ff": int(settings["transformer-dim-ffn"]),
            "num_heads": int(settings["transformer-heads"]),
            "encoder_layers": int(settings["enc-depth"]),
            "decoder_layers": int(settings["dec-depth"]),
            "norm": norm,
            "activation": _ACTIVATIONS[settings["transformer-ffn-activation"]],
            "pad_token_id": size,
            "bos_token_id": None,
            "eos_token_id": end_of(files.vocabulary, size),
            "decoder_start_token_id": size,
        },
    )


def check_settings(settings: dict[str, str]) -> str:
    """Return where layers are normalised, and raise CannotConvertError where Marian computes something else."""
    needed = ("transformer-dim-ffn", "transformer-heads", "enc-depth", "dec-depth", "transformer-ffn-activation")
    if lacking := [name for name in needed if name not in settings]:
        raise CannotConvertError(f"its settings lack {', '.join(lacking)}, which a transformer of Marian has")
    for name, allowed in _ASSUMED.items():
        if (value := settings.get(name, allowed[0])) not in allowed:
            raise CannotConvertError(f"it was trained with --{name} {value}, which has no place here")
    if (width := settings.get("transformer-decoder-dim-ffn", "0")) not in ("0", settings["transformer-dim-ffn"]):
        raise CannotConvertError(
            f"transformer-decoder-dim-ffn is {width} and transformer-dim-ffn {settings['transformer-dim-ffn']}; here "
            "they are one number"
        )
    if (activation := settings["transformer-ffn-activation"]) not in _ACTIVATIONS:
        why = ", which in Marian was an approximation until 1.12.0" if activation == "gelu" else ""
        raise CannotConvertError(f"its feed-forward networks compute {activation}{why}; only relu and swish are read")
    steps = [settings.get(f"transformer-{name}", "") for name in ("preprocess", "postprocess", "postprocess-top")]
    undropped = tuple(step.replace("d", "") for step in steps)
    norms = {tuple(step.replace("d", "") for step in known): norm for known, norm in _NORMS.items()}
    if undropped not in norms:
        raise CannotConvertError(
            f"its layers do {steps[0] or 'nothing'!r} before, {steps[1] or 'nothing'!r} after a sub-layer and "
            f"{steps[2] or 'nothing'!r} at the top; here it is nothing, dan and nothing, or n, da and n"
        )
    return norms[undropped]


def our_name(name: str) -> str:
    """Return our name of a variable; one without a name is reported when weights are loaded."""
    for part, ours in _PARTS.items():
        name = re.sub(part, ours, name)
    return name


def end_of(vocabulary: Path | None, size: int) -> int:
    """Return the number of the token that ends a text: 0 without a vocabulary, as Marian makes them."""
    if vocabulary is None:
        return 0
    numbers = read_vocabulary(vocabulary)
    check_numbers(vocabulary, numbers.values(), size)
    return numbers[EOS]


def read_vocabulary(file: Path) -> dict[str, int]:
    """Return the number of each token of a vocab.yml.

    Raises:
        ValueError: it is not a vocabulary of Marian's.

    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))
        numbers = {token: int(number) for token, number in content.items()}
    except (yaml.YAMLError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{file} is no vocabulary of Marian's, which numbers tokens ({str(error).splitlines()[0]}); copy it again"
        ) from error
    if EOS not in numbers:
        raise ValueError(f"{file} has no {EOS}, which ends a text; it is no vocabulary of Marian's")
    return numbers


def leave_tokenizer(files: MarianFiles, draft: Path, vocab_size: int) -> list[str]:
    """Write the files of a MarianTokenizer, and return their names; none without models of SentencePiece.

    Args:
        files: of the model.
        draft: where to, a folder in the making.
        vocab_size: the tokens of the network, including the one for padding.

    Raises:
        ValueError: there is only one model of SentencePiece, or both without a vocabulary.

    """
    beside = files.weights.parent
    models = [name for name in ("source.spm", "target.spm") if (beside / name).is_file()]
    if models and files.vocabulary is None:
        raise ValueError(
            f"{beside} has {' and '.join(models)} without a vocabulary: vocab.yml, which numbers their pieces, lies in "
            "the same archive; put it there"
        )
    if files.vocabulary is None or not models:
        return []
    if len(models) == 1:
        raise ValueError(
            f"{beside} has {models[0]} alone: a MarianTokenizer needs source.spm and target.spm; put the other there"
        )
    numbers = read_vocabulary(files.vocabulary) | {PAD: vocab_size - 1}
    (draft / "vocab.json").write_text(json.dumps(numbers, ensure_ascii=False), encoding="utf-8")
    for name in models:
        (draft / name).write_bytes((beside / name).read_bytes())
    return copy_tokenizer(draft, draft, vocab_size)


def _plain(value: Any) -> str:
    """Return a setting as Marian writes it in a line; lists between brackets."""
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list) else str(value)
