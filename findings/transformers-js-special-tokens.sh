#!/usr/bin/env bash
# transformers.js 4.3.2, a tokenizer whose configuration says split_special_tokens.
#
# What one would guess: as in transformers, from which the setting comes, "</s>" typed in a text is text: the tokens "<",
# "/", "s" and ">", and only the end that the tokenizer adds is the end token.
#
# What happens: the setting is ignored, without a word. Whoever types "</s>" ends the sentence there for the model, and
# "<pad>" or "<s>" likewise. A tokenizer built from the same file without its added tokens gives the ids of transformers.
#
# Output seen on 2026-11-30 (Node.js 20.20, Python 3.11.7):
#
# transformers 5.23.0 [67, 30, 17, 85, 32, 68, 2]
# split_special_tokens: true
# transformers.js 4.3.2 [67, 2, 68, 2]
# without added tokens [67, 30, 17, 85, 32, 68, 2]
#
# It fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.23.0 tokenizers==0.23.3
cd "$folder"
npm init --yes >npm.log
npm install --ignore-scripts --no-audit --no-fund @huggingface/transformers@4.3.2 >>npm.log
cat >save.py <<'PYTHON'
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

bytes_ = sorted(pre_tokenizers.ByteLevel.alphabet())
vocabulary = {token: number for number, token in enumerate(["<pad>", "<s>", "</s>", *bytes_])}
bpe = Tokenizer(models.BPE(vocabulary, []))
bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
bpe.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
tokenizer = PreTrainedTokenizerFast(
    tokenizer_object=bpe, pad_token="<pad>", bos_token="<s>", eos_token="</s>", split_special_tokens=True
)
tokenizer.save_pretrained("saved")
print("transformers", transformers.__version__, tokenizer("a</s>b").input_ids)
PYTHON
cat >read.mjs <<'JAVASCRIPT'
import { readFileSync } from "node:fs";
import { env, PreTrainedTokenizer } from "@huggingface/transformers";

const [state, config] = ["tokenizer", "tokenizer_config"].map((name) =>
    JSON.parse(readFileSync(`saved/${name}.json`, "utf8")),
);
const said = (state) => `[${new PreTrainedTokenizer(state, config).encode("a</s>b").join(", ")}]`;
console.log(`split_special_tokens: ${config.split_special_tokens}`);
console.log("transformers.js", env.version, said(state));
console.log("without added tokens", said({ ...state, added_tokens: [] }));
JAVASCRIPT
venv/bin/python save.py 2>/dev/null | tee said
node read.mjs | tee -a said
python3 - <<'PYTHON'
import re

said = [re.findall(r"\[(.*)\]", line) for line in open("said")]
python, javascript, without = (ids[0] for ids in said if ids)
assert python.count(", ") == 6 and python.endswith(", 2"), "transformers takes </s> for the end now"
assert javascript.count(", ") == 3, "transformers.js takes </s> for text now"
assert without == python, "without added tokens the ids differ now"
PYTHON
