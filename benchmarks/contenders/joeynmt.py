"""JoeyNMT's Transformer, batch and loss, by its own builders.

Post-norm. Its one number for dropout also drops attention's weights and the inner features of the feed-forward layers.
Its loss is the Kullback-Leibler divergence from the smoothed labels: less than the cross entropy by their entropy.
"""

from types import SimpleNamespace
from typing import Any

import torch
from joeynmt.batch import Batch
from joeynmt.model import build_model
from joeynmt.vocabulary import Vocabulary
from torch import Tensor

from .stepping import DEVICE, Setting, Step, batch, serve, step

SPECIALS = {"unk": 0, "pad": 1, "bos": 2, "eos": 3}


def make(setting: Setting) -> Step:
    """Make the step, in bfloat16 by autocast."""
    names: dict[str, Any] = {f"{name}_id": number for name, number in SPECIALS.items()}
    names |= {f"{name}_token": f"<{name}>" for name in SPECIALS} | {"sep_token": None, "lang_tags": []}
    symbols = Vocabulary([str(each) for each in range(len(SPECIALS), setting.vocab_size)], SimpleNamespace(**names))
    stack: dict[str, Any] = {
        "type": "transformer",
        "num_layers": setting.layers,
        "num_heads": setting.num_heads,
        "hidden_size": setting.d_model,
        "ff_size": setting.d_ff,
        "dropout": setting.dropout,
        "layer_norm": "post",
        "embeddings": {"embedding_dim": setting.d_model, "scale": True, "dropout": setting.dropout},
    }
    config = {"encoder": stack, "decoder": stack, "tied_embeddings": True, "tied_softmax": True}
    model = build_model(config, symbols, symbols)
    model.loss_function = ("crossentropy", setting.label_smoothing)

    sample = batch(setting.vocab_size, setting.sentences, setting.length)
    there, learned = (each.cpu() for each in (sample.attention_mask == 1, sample.labels != -100))
    labels = sample.labels.cpu().where(learned, SPECIALS["pad"])
    labels[torch.arange(len(labels)), learned.sum(1) - 1] = SPECIALS["eos"]  # else it would not shift them
    given = Batch(
        src=sample.input_ids.cpu().where(there, SPECIALS["pad"]),
        src_length=there.sum(1),
        src_prompt_mask=None,
        trg=torch.cat([labels.new_full((len(labels), 1), SPECIALS["bos"]), labels], dim=1),
        trg_prompt_mask=None,
        indices=torch.arange(len(labels)),
        device=DEVICE,
        pad_index=SPECIALS["pad"],
        eos_index=SPECIALS["eos"],
    )

    def loss() -> Tensor:
        given.sort_by_src_length()
        total, *_ = model(return_type="loss", **vars(given))
        found: Tensor = given.normalize(total, "tokens")
        return found

    return step(model, loss, autocast=True)


if __name__ == "__main__":
    serve({"JoeyNMT, bf16": make})
