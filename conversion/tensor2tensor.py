"""The variables of tensor2tensor's Transformer, by their names, from an .npz file.

TensorFlow is not needed here; where it is, this makes the file:

    reader = tf.train.load_checkpoint("model.ckpt-250000")
    numpy.savez("model.npz", **{name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()})
"""

import math
import re
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vaswani.data.containers import refuse_packed
from vaswani.training.checkpointing.weight_checks import check_weights

from .to_vaswani import CannotConvertError, ForeignModel, tensor2tensor_sinusoids

PAD, EOS = 0, 1
EPSILON = 1e-6
_NOT_WEIGHTS = re.compile(r"global_step|losses_avg|learning_rate|train_stats|/Adam|beta\d_power|training/|optimizer")
_SHARED = re.compile(r".*/symbol_modality_\d+_\d+(?:_\d+)?/(?:shared|input_emb|target_emb|softmax)/weights_(\d+)")
_PARTS = {
    r"^[^/]+/(?:parallel_\d+_\d+/[^/]+/)?body/": "model/",
    r"/layer_(\d+)/": r"/layers/\1/",
    r"/multihead_attention/": "/",
    r"/output_transform/kernel": "/w_o/weight",
    r"/([qkv])/kernel": r"/w_\1/weight",
    r"/ffn/conv([12])/kernel": r"/feed_forward/w_\1/weight",
    r"/ffn/conv([12])/bias": r"/feed_forward/w_\1/bias",
    r"/self_attention/layer_prepostprocess/layer_norm": "/self_attention_residual/norm",
    r"/encdec_attention/layer_prepostprocess/layer_norm": "/cross_attention_residual/norm",
    r"/ffn/layer_prepostprocess/layer_norm": "/feed_forward_residual/norm",
    r"/(encoder|decoder)/layer_prepostprocess/layer_norm": r"/\1/final_norm",
    r"/layer_norm_scale": "/weight",
    r"/layer_norm_bias": "/bias",
    r"/encdec_attention/": "/cross_attention/",
}


def read_tensor2tensor(
    path: Path, num_heads: int, target_space: int | None = None, max_positions: int = 1024
) -> ForeignModel:
    """Return the network of a file of variables.

    Its decoder starts with a vector of zeros, for which there is no token: one is added after the last, with a row of
    zeros. The logits of all other tokens are theirs.

    Args:
        path: an .npz file.
        num_heads: h, which the shapes of the variables do not tell.
        target_space: the row of target_space_embedding, which tensor2tensor adds to every source token if it was
            trained by its defaults; the `target_space_id` of its problem.
        max_positions: rows of the position table, which has to be written out.

    Raises:
        CannotConvertError: the file is damaged, a variable is missing or has no place here, or `target_space` is given
            where there is none, or not where there is one.

    """
    if num_heads < 1:
        raise CannotConvertError(f"{num_heads} heads are asked for; at least 1 is needed")
    variables = read_variables(path)
    space = space_embedding(variables, target_space)
    tokens = table(variables)
    weights = {}
    for name, variable in variables.items():
        if _SHARED.fullmatch(name):
            continue
        ours = name
        for part, our_part in _PARTS.items():
            ours = re.sub(part, our_part, ours)
        weights[ours.replace("/", ".")] = variable.T.contiguous() if name.endswith("/kernel") else variable
    weights["model.tokens.weight"] = torch.cat([tokens, tokens.new_zeros(1, tokens.shape[1])])
    layers = [depth(weights, stack) for stack in ("encoder", "decoder")]
    first = "model.encoder.layers.0."
    lacking = [
        f"{first}{part}"
        for part in ("self_attention.w_q.weight", "self_attention.w_v.weight", "feed_forward.w_1.weight")
        if f"{first}{part}" not in weights
    ]
    if lacking:
        raise CannotConvertError(f"{path} holds nothing that would be {', '.join(lacking)}")
    width = {part: len(weights[f"{first}self_attention.w_{part}.weight"]) for part in "qv"}
    if width["q"] % num_heads or width["v"] % num_heads:
        raise CannotConvertError(f"{num_heads} heads cannot share a width of {width['q']} and {width['v']}")
    d_model = tokens.shape[1]
    sinusoids = tensor2tensor_sinusoids(torch.arange(max_positions), d_model)
    return ForeignModel(
        weights,
        (sinusoids if space is None else sinusoids.to(space) + space, sinusoids),
        math.sqrt(d_model),
        EPSILON,
        fields={
            "vocab_size": len(tokens) + 1,
            "d_model": d_model,
            "d_ff": len(weights[f"{first}feed_forward.w_1.weight"]),
            "num_heads": num_heads,
            "d_k": width["q"] // num_heads,
            "d_v": width["v"] // num_heads,
            "encoder_layers": layers[0],
            "decoder_layers": layers[1],
            "norm": "pre" if "model.encoder.final_norm.weight" in weights else "post",
            "pad_token_id": PAD,
            "bos_token_id": None,
            "eos_token_id": EOS,
            "decoder_start_token_id": len(tokens),
        },
    )


def read_variables(path: Path, others: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Return the variables of a file by name, without those of training; `others` need not be weights."""
    if path.is_file():
        refuse_packed(path)
    with path.open("rb") as file:
        try:
            content = np.load(file, allow_pickle=False)
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise CannotConvertError(f"{path} is damaged, or no .npz ({error}); was it cut off?") from error
        if not isinstance(content, np.lib.npyio.NpzFile):
            raise CannotConvertError(f"{path} is one array and no .npz of variables by name; write it by numpy.savez")
        arrays = {name: content[name] for name in content.files if not _NOT_WEIGHTS.search(name)}
    strange = [name for name, array in arrays.items() if array.dtype.kind != "f" and name not in others]
    if strange:
        raise CannotConvertError(f"{path} holds {', '.join(strange[:3])}, which are no weights; leave them out")
    variables = {name: torch.from_numpy(array) for name, array in arrays.items()}
    check_weights(((name, variable) for name, variable in variables.items() if name not in others), path)
    return variables


def space_embedding(variables: dict[str, Tensor], row: int | None) -> Tensor | None:
    """Take the embeddings of target spaces out of `variables`, and return the one `[D]` that is added to each source.

    A constant beside the positions is a part of the encoder's table.
    """
    name = next((name for name in variables if name.endswith("body/target_space_embedding/kernel")), None)
    if name is None:
        if row is not None:
            raise CannotConvertError(f"it has no embeddings of target spaces; leave out --target_space {row}")
        return None
    rows = variables.pop(name)
    if row is None or not 0 <= row < len(rows):
        asked = "" if row is None else f", and --target_space {row} is none of them"
        raise CannotConvertError(
            f"it adds one of {len(rows)} embeddings of target spaces to each source token{asked}; give --target_space "
            "N, the target_space_id of the problem that it was trained on"
        )
    return rows[row]


def table(variables: dict[str, Tensor]) -> Tensor:
    """Return the embeddings `[V, D]`, which lie in several parts."""
    parts = {name: int(match[1]) for name in variables if (match := _SHARED.fullmatch(name))}
    folders = {name.rpartition("/")[0] for name in parts}
    if len(folders) != 1:
        raise CannotConvertError(
            f"{len(folders)} tables of tokens ({', '.join(sorted(folders)) or 'none'}); embeddings and projection are "
            "one matrix here (shared_embedding_and_softmax_weights)"
        )
    return torch.cat([variables[name] for name in sorted(parts, key=lambda name: parts[name])])


def depth(weights: dict[str, Tensor], stack: str) -> int:
    """Return how many layers a stack has."""
    found = [re.match(rf"model\.{stack}\.layers\.(\d+)\.", name) for name in weights]
    return 1 + max((int(match[1]) for match in found if match), default=-1)
