#!/usr/bin/env bash
# transformers 5.24.0, a named class that is given the folder of another kind of model.
#
# What one would guess: `MarianMTModel.from_pretrained` of a T5 or a BERT refuses. config.json names another model_type,
# and nearly no tensor of the file is one of Marian's.
#
# What happens: a warning and a report, and a model whose weights are drawn at random: two loads of one folder give
# different logits. Its config in memory still calls it t5 (bert); saved, it says marian, and nothing tells any more that
# these weights were drawn. That of 511 tensors 504 are missing is an error nowhere; a program learns of it by
# `output_loading_info=True`.
#
# Output seen on 2026-11-29 (Python 3.11, torch 2.13.0):
#
# transformers 5.24.0
# t5: 504 of 511 tensors are missing, 25 are left over; two loads agree: False; it calls itself t5, saved marian
# bert: 332 of 335 tensors are missing, 23 are left over; two loads agree: False; it calls itself bert, saved marian
#
# It fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 transformers==5.24.0
cat >"$folder/load.py" <<'PYTHON'
import json
import pathlib

import torch
import transformers
from transformers import BertConfig, BertModel, MarianMTModel, T5Config, T5ForConditionalGeneration

here = pathlib.Path("models")
print("transformers", transformers.__version__)
t5 = T5Config(vocab_size=40, d_model=16, d_ff=32, d_kv=8, num_layers=1, num_heads=2)
bert = BertConfig(
    vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
)
T5ForConditionalGeneration(t5).save_pretrained(here / "t5")
BertModel(bert).save_pretrained(here / "bert")
ids = torch.arange(5)[None]
for kind in ("t5", "bert"):
    models, found = zip(
        *(MarianMTModel.from_pretrained(here / kind, output_loading_info=True) for _ in range(2))
    )
    first, second = (model.eval()(ids, decoder_input_ids=ids).logits for model in models)
    agree = torch.equal(first, second)
    models[0].save_pretrained(here / "again")
    saved = json.loads((here / "again" / "config.json").read_text())["model_type"]
    print(
        f"{kind}: {len(found[0]['missing_keys'])} of {len(models[0].state_dict())} tensors are missing, "
        f"{len(found[0]['unexpected_keys'])} are left over; two loads agree: {agree}; it calls itself "
        f"{models[0].config.model_type}, saved {saved}"
    )
    assert not agree, "two loads agree now"
    assert (models[0].config.model_type, saved) == (kind, "marian"), "it calls itself something else now"
PYTHON
cd "$folder"
venv/bin/python load.py 2>/dev/null
