"""Which versions of transformers read what `vaswani export --to transformers` wrote, and whether they give the same.

    python -m benchmarks.decoding.native_readers runs/mine --input test.en --transformers 4.57.6 5.0.0 5.23.0

The model is exported, and each version, in a folder of its own where this package cannot be imported, loads it without
`trust_remote_code`: logits, the texts of beam search, four steps of the stock Seq2SeqTrainer, saved and loaded again.
Logits and texts are compared with those of our own network here, searched by transformers (`paper_search=False`).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from benchmarks.decoding.readers import with_accelerate, with_torch, with_transformers
from benchmarks.measuring.report import add_output, leave
from vaswani.engines.export import export_to_transformers
from vaswani.translation.loading import load_tokenizer, load_whole

BATCH = 32
"""Sentences translated at a time, by all alike."""
PROBE = """
import json, sys
sys.modules["vaswani"] = None
import torch, transformers
from safetensors.torch import save_file
from transformers import (AutoModelForSeq2SeqLM, AutoTokenizer, DataCollatorForSeq2Seq, Seq2SeqTrainer,
                          Seq2SeqTrainingArguments)
folder, lines, out = sys.argv[1], json.load(open(sys.argv[2])), sys.argv[3]
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()

def logits(model):
    batch = tokenizer(lines[:8], padding=True, return_tensors="pt")
    with torch.no_grad():
        return model(**batch, decoder_input_ids=batch["input_ids"]).logits.contiguous()

texts = []
for first in range(0, len(lines), BATCH):
    batch = tokenizer(lines[first : first + BATCH], padding=True, return_tensors="pt")
    texts += tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True)
before = logits(model)
save_file({"logits": before}, out)
rows = [{"input_ids": tokenizer(line).input_ids, "labels": tokenizer(line).input_ids} for line in lines[:16]]
arguments = Seq2SeqTrainingArguments("tuned", max_steps=4, per_device_train_batch_size=4, learning_rate=1e-3,
                                     report_to=[], use_cpu=True, save_strategy="no")
trainer = Seq2SeqTrainer(model, arguments, train_dataset=rows, data_collator=DataCollatorForSeq2Seq(tokenizer, model))
trainer.train()
trainer.save_model("tuned")
tuned = logits(model.eval())
again = logits(AutoModelForSeq2SeqLM.from_pretrained("tuned").eval())
is_tuned = not torch.equal(tuned, before)
print(json.dumps([type(model).__name__, texts, is_tuned, torch.equal(tuned, again)]))
""".replace("BATCH", str(BATCH))


def main() -> None:
    """Export, try each version, and leave a report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", metavar="MODEL", type=Path, help="folder of a trained model, such as runs/quickstart")
    parser.add_argument("--input", metavar="FILE", type=Path, required=True, help="sentences to translate, one a line")
    parser.add_argument("--lines", metavar="N", type=int, default=1000, help="how many of them (default: 1000)")
    parser.add_argument("--transformers", metavar="X.Y.Z", nargs="+", required=True, help="versions to try")
    parser.add_argument("--torch", metavar="X.Y.Z", default="2.13.0", help="(default: 2.13.0)")
    parser.add_argument(
        "--environments", metavar="FOLDER", type=Path, help="kept for the next time (default: not kept)"
    )
    add_output(parser)
    args = parser.parse_args()
    lines = args.input.read_text(encoding="utf-8").splitlines()[: args.lines]
    with tempfile.TemporaryDirectory() as temporary:
        native = Path(temporary) / "native"
        record = export_to_transformers(args.model, native)
        place = (args.environments or Path(temporary)).resolve()
        python = with_torch(args.torch, place)
        logits, texts = ours(args.model, lines, record.beams, record.exponent)
        rows = {}
        for version in args.transformers:
            libraries = with_transformers(version, python, place), with_accelerate(python, place)
            found = tried(native, lines, python, libraries)
            rows[version] = found if isinstance(found, str) else compared(*found, logits, texts)
    about = {"Python": sys.version.split()[0], "torch": args.torch, "model": args.model.resolve().name}
    about |= {"class": record.architecture, "sentences": str(len(lines)), "beams": str(record.beams)}
    leave(args.output, about, table(rows), {"found": rows})


@torch.no_grad()
def ours(folder: Path, lines: list[str], beams: int, exponent: float) -> tuple[torch.Tensor, list[str]]:
    """Return logits and texts by our own network, searched by transformers."""
    tokenizer, model = load_tokenizer(folder), load_whole(folder, dtype=torch.float32).eval()
    search: Any = model.generate
    batch = tokenizer(lines[:8], padding=True, return_tensors="pt")
    logits = model(**batch, decoder_input_ids=batch["input_ids"]).logits
    texts = []
    for first in range(0, len(lines), BATCH):
        batch = tokenizer(lines[first : first + BATCH], padding=True, return_tensors="pt")
        found = search(
            **batch,
            paper_search=False,
            num_beams=beams,
            length_penalty=exponent,
            max_length=512,
        )
        texts += tokenizer.batch_decode(found, skip_special_tokens=True)
    return logits, texts


def tried(
    native: Path, lines: list[str], python: Path, libraries: Sequence[Path]
) -> str | tuple[list[Any], torch.Tensor]:
    """Return what the probe printed and its logits, or its last word."""
    with tempfile.TemporaryDirectory() as temporary:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, libraries)),
            "HF_HOME": temporary,
            "HF_HUB_OFFLINE": "1",
        }
        (Path(temporary) / "lines.json").write_text(json.dumps(lines), encoding="utf-8")
        command: list[str | Path] = [python, "-c", PROBE, native, "lines.json", "logits.safetensors"]
        done = subprocess.run(command, env=environment, cwd=temporary, capture_output=True, text=True, check=False)
        if done.returncode:
            return next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no word")
        return json.loads(done.stdout.splitlines()[-1]), load_file(Path(temporary) / "logits.safetensors")["logits"]


def compared(printed: list[Any], found: torch.Tensor, logits: torch.Tensor, texts: list[str]) -> dict[str, Any]:
    """Return how a version's results differ from ours."""
    name, theirs, is_tuned, is_kept = printed
    return {
        "class": name,
        "logits": float((found - logits).abs().max()),
        "same texts": sum(one == other for one, other in zip(theirs, texts, strict=True)),
        "sentences": len(texts),
        "tuned": is_tuned,
        "loaded again": is_kept,
    }


def table(rows: dict[str, Any]) -> str:
    """Return a row a version."""
    lines = [
        "| transformers | class | largest difference of a logit | same text | tuned by the stock trainer, loaded |",
        "|---|---|---:|---:|---|",
    ]
    for version, row in rows.items():
        if isinstance(row, str):
            lines.append(f"| {version} | `{row[:200]}` | | | |")
            continue
        tuned = "yes" if row["tuned"] and row["loaded again"] else "no"
        same = f"{row['same texts']:,} of {row['sentences']:,}"
        lines.append(f"| {version} | {row['class']} | {row['logits']:.1e} | {same} | {tuned} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
