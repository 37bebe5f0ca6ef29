"""Our COMET against the package of its authors, on small random checkpoints that the package itself writes.

    python -m benchmarks.scoring.comet_parity --environments /tmp/comet [--lines 300] [--seed 0]

The package is installed by pip in an environment of its own, since it does not go together with ours: it wants
transformers below 5, numpy below 2 and huggingface-hub below 1, and needs setuptools below 81. There it makes each
checkpoint, with every weight drawn, and scores the lines; then they are scored here. Among the lines are blank ones,
some of more than 510 tokens, several scripts, and names of special tokens.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import sentencepiece
import torch
from transformers import XLMRobertaConfig, XLMRobertaTokenizer

from benchmarks.contenders.environments import Environment, python_of
from benchmarks.measuring.report import add_output, leave
from vaswani.neural_metrics.comet.checkpoint import load
from vaswani.neural_metrics.comet.scores import score_lines

ENVIRONMENT = Environment(
    "unbabel-comet==2.2.7",
    "comet",
    (
        "torch==2.13.0",
        "numpy==1.26.4",
        "entmax==1.3",
        "huggingface_hub==0.36.2",
        "jsonargparse==3.13.1",
        "pandas==2.3.3",
        "protobuf==4.25.9",
        "pytorch-lightning==2.6.6",
        "sacrebleu==2.6.0",
        "scipy==1.17.1",
        "sentencepiece==0.2.0",
        "setuptools==80.9.0",
        "torchmetrics==0.10.3",
        "transformers==4.57.6",
    ),
)
SPARSE = {"layer_transformation": "sparsemax", "layer_norm": False}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "as wmt22-comet-da": ("regression_metric", SPARSE, {}),
    "softmax, layers normalised": ("regression_metric", {"layer_norm": True}, {}),
    "one layer, maximum": ("regression_metric", {"layer": 2, "pool": "max"}, {}),
    "first token, final sigmoid": ("regression_metric", {**SPARSE, "pool": "cls", "final_activation": "Sigmoid"}, {}),
    "first token of the last layer": ("regression_metric", {"pool": "default"}, {}),
    "without references": ("referenceless_regression_metric", SPARSE, {}),
    "as wmt22-cometkiwi-da": (
        "unified_metric",
        {"input_segments": ["mt", "src"], "layer_norm": False, "layer_transformation": "softmax"},
        {"layer_transformation": "sparsemax_patch"},
    ),
    "three passes, tags for words": (
        "unified_metric",
        {**SPARSE, "word_level_training": True, "word_layer": 3},
        {},
    ),
    "translation and reference": ("unified_metric", {"input_segments": ["mt", "ref"], "sent_layer": 1}, {}),
}
"""By what is shown: the class, its settings, and what hparams.yaml says otherwise."""
PROBE = """
import json, logging, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
import pytorch_lightning, torch, yaml
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
from comet import load_from_checkpoint
from comet.models import str2model

asked = json.loads(Path(sys.argv[1]).read_text())
torch.manual_seed(asked["seed"])
for name, (kind, settings, written) in asked["cases"].items():
    model = str2model[kind](
        pretrained_model=asked["encoder"], load_pretrained_weights=False, hidden_sizes=[48, 24], **settings
    )
    with torch.no_grad():
        for key, weight in model.named_parameters():
            weight.normal_(0, 0.5 if weight.ndim == 1 else weight.shape[-1] ** -0.5)
            if "LayerNorm.weight" in key or "gamma" in key:
                weight.add_(1)
    folder = Path(asked["folder"], name)
    (folder / "checkpoints").mkdir(parents=True)
    trainer = pytorch_lightning.Trainer(logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.strategy.connect(model)
    trainer.save_checkpoint(folder / "checkpoints/model.ckpt")
    (folder / "hparams.yaml").write_text(yaml.safe_dump({**model.hparams, "class_identifier": kind, **written}))
    loaded = load_from_checkpoint(str(folder / "checkpoints/model.ckpt"))
    found = loaded.predict(asked["lines"], batch_size=8, gpus=0, progress_bar=False)
    (folder / "scores.json").write_text(json.dumps([found.scores, found.system_score]))
"""


def leave_encoder(folder: Path, seed: int) -> None:
    """Write a small random XLM-R without weights: configuration, and a tokenizer learned from a text made here."""
    text = folder / "text"
    text.write_text("\n".join(sentences(random.Random(seed), 2000)), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "sentencepiece.bpe"), vocab_size=200, minloglevel=2
    )
    tokenizer = XLMRobertaTokenizer.from_pretrained(folder)
    tokenizer.save_pretrained(folder)
    sizes: Any = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 64}
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer), max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, **sizes
    )
    config.save_pretrained(folder)


def sentences(draw: random.Random, number: int) -> list[str]:
    """Return lines of some words in Latin, Cyrillic and Chinese letters."""
    letters = ("abcdefghiklmnopqrstuvwxyzäöüß", "абвгдежзиклмнопрст", "中文的一是不了人我在有他这为之大来以个")
    words = ["".join(draw.choices(draw.choice(letters), k=draw.randint(1, 7))) for _ in range(400)]
    return [" ".join(draw.choices(words, k=draw.randint(1, 30))) for _ in range(number)]


def drawn(seed: int, number: int) -> list[dict[str, str]]:
    """Return translations, sources and references, every tenth of them unusual."""
    draw = random.Random(seed + 1)
    strange = [
        "",
        " ",
        "a  b\tc",
        "ＡＢＣ ﬁn",
        "<pad> a <pad>",
        "</s> b <s>",
        "x\u200by ▁ z",
        "🙂 ~ \\",
        "\u00a0e\u0301",
    ]

    def one() -> str:
        if draw.random() < 0.1:
            return draw.choice([*strange, " ".join(sentences(draw, 60))])
        return sentences(draw, 1)[0]

    return [{"src": one(), "mt": one(), "ref": one()} for _ in range(number)]


def theirs(python: Path, folder: Path, encoder: Path, seed: int, lines: Sequence[dict[str, str]]) -> dict[str, Any]:
    """Have the package make and score all checkpoints in a folder; return its scores of lines and its mean."""
    asked = {"seed": seed, "cases": CASES, "encoder": str(encoder), "folder": str(folder), "lines": lines}
    (folder / "asked.json").write_text(json.dumps(asked))
    probe = folder / "probe.py"
    probe.write_text(PROBE)
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    subprocess.run([python, probe, folder / "asked.json"], env=environment, cwd=folder, check=True)
    return {name: json.loads((folder / name / "scores.json").read_text()) for name in CASES}


def main() -> None:
    """Make the environment, compare, and leave a report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--environments", metavar="FOLDER", type=Path, required=True, help="kept for the next time")
    parser.add_argument("--lines", type=int, default=300, help="lines to draw (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of weights and lines (default: %(default)s)")
    add_output(parser)
    args = parser.parse_args()
    python = python_of("comet", args.environments.resolve(), {"comet": ENVIRONMENT})
    lines = drawn(args.seed, args.lines)
    sides = {name: [each[name] for each in lines] for name in ("src", "mt", "ref")}
    rows, figures = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        for form in ("tokenizer.json", "sentencepiece.bpe.model"):
            folder, encoder = Path(temporary, form), Path(temporary, f"encoder of {form}")
            folder.mkdir()
            encoder.mkdir()
            leave_encoder(encoder, args.seed)
            for other in {"tokenizer.json", "tokenizer_config.json", "sentencepiece.bpe.model"} - {form}:
                (encoder / other).unlink()
            expected = theirs(python, folder, encoder, args.seed, lines)
            for name, (scores, mean) in expected.items():
                comet = load(str(folder / name), None, torch.device("cpu"))
                found = score_lines(comet, [sides["mt"]], sides["src"], sides["ref"])
                apart = np.abs(found.of_lines[0] - scores)
                of_mean, spread = abs(found.of_lines.mean() - mean), np.std(scores)
                rows.append(f"| {name} | {form} | {apart.max():.1e} | {of_mean:.1e} | {spread:.2f} | {found.cut} |")
                figures[f"{name}, {form}"] = {"ours": found.of_lines[0].tolist(), "theirs": scores}
    head = ["| checkpoint | tokenizer read from | largest difference of a line | of the mean | spread | cut |"]
    names = ("torch", "transformers", "tokenizers")
    about = {"here": ", ".join(f"{name} {version(name)}" for name in names)}
    about |= {"there": ", ".join([ENVIRONMENT.peer, *ENVIRONMENT.needs]), "lines": str(args.lines)}
    leave(args.output, about, "\n".join([*head, "|---|---|---:|---:|---:|---:|", *rows]), {"found": figures})


if __name__ == "__main__":
    main()
