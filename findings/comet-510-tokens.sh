#!/usr/bin/env bash
# unbabel-comet 2.2.7, a text that is longer than XLM-R can read.
#
# What one would guess: COMET reads as much of a text as XLM-R has positions for, 512 tokens with <s> and </s>, as a call
# of its tokenizer with truncation does.
#
# What happens: it reads 510 with <s> and </s>, so 508 of the text. The two special tokens are taken off the positions
# twice: once by COMET's encoder, and once by the tokenizer that is given the result as its limit.
#
# Output seen on 2026-11-30 (Python 3.11.7; the encoder is made here, without weights: the limit is of its configuration):
#
# unbabel-comet 2.2.7: positions 512, read by COMET 510, by the tokenizer alone 512
#
# It fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet unbabel-comet==2.2.7 torch==2.13.0 numpy==1.26.4 entmax==1.3 \
    huggingface_hub==0.36.2 jsonargparse==3.13.1 pandas==2.3.3 protobuf==4.25.9 pytorch-lightning==2.6.6 \
    sacrebleu==2.6.0 scipy==1.17.1 sentencepiece==0.2.0 setuptools==80.9.0 torchmetrics==0.10.3 transformers==4.57.6
cd "$folder"
cat >read.py <<'PYTHON'
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
from comet.encoders.xlmr import XLMREncoder
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import XLMRobertaConfig, XLMRobertaTokenizerFast

words = Tokenizer(models.Unigram([("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁a", -1.0)], 3, False))
words.pre_tokenizer = pre_tokenizers.Metaspace()
XLMRobertaTokenizerFast(tokenizer_object=words, model_max_length=512).save_pretrained("encoder")
sizes = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8)
config = XLMRobertaConfig(vocab_size=6, max_position_embeddings=514, **sizes)  # of which XLM-R uses 512
config.save_pretrained("encoder")
encoder = XLMREncoder("encoder", load_pretrained_weights=False)
text = " ".join(["a"] * 2000)
by_comet = encoder.prepare_sample([text])["input_ids"].shape[1]
alone = len(encoder.tokenizer(text, truncation=True, max_length=512).input_ids)
positions = config.max_position_embeddings - config.pad_token_id - 1
print(f"unbabel-comet {version('unbabel-comet')}: positions {positions}, read by COMET {by_comet}, by the tokenizer alone {alone}")
assert (positions, by_comet, alone) == (512, 510, 512)
PYTHON
venv/bin/python read.py
