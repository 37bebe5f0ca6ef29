"""Compare engines with float32 `generate`: sentences that come out token for token the same, and BLEU.

python -m benchmarks.decoding.compare_engines MODEL --input source.txt --references target.txt --lines 1000

The model is exported to every engine that is installed, in float32 and int8, and translates the same batches, greedily
and with beams. decode.py tells how fast they are.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from sacrebleu.metrics.bleu import BLEU
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, StoppingCriteriaList

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from benchmarks.measuring.flags import add_model_and_texts, add_threads
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from vaswani.commands.line_files import read_lines
from vaswani.engines.engine import Candidate, Engine
from vaswani.translation.batches import batches
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.search import LengthLimit, limits_of_batch, padded

from .exported import exported

GENERATE = "generate, float32"


class Torch:
    """`generate`, asked as an engine is."""

    max_positions = 2**62

    def __init__(self, model: Any) -> None:
        self.model, self.ends = model, torch.tensor(model.config.eos_token_id).flatten()

    def search(self, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the best candidate of each sentence."""
        input_ids, mask = padded(sources, self.model.config.pad_token_id)
        limits = limits_of_batch(self.model, mask)
        # The paper's search knows the limit of each sentence; greedy, `generate` has one for the batch.
        criteria = StoppingCriteriaList([LengthLimit(limits)] if beams.number == 1 else [])
        output = self.model.generate(
            input_ids,
            attention_mask=mask,
            num_beams=beams.number,
            length_penalty=beams.length_penalty,
            max_new_tokens=int(limits.max()),
            do_sample=False,
            return_dict_in_generate=True,
            stopping_criteria=criteria,
        )
        scores = [0.0] * len(sources) if beams.number == 1 else output.sequences_scores.tolist()
        found = []
        for row, score, limit in zip(output.sequences[:, 1:], scores, limits.tolist(), strict=True):
            ends = torch.isin(row, self.ends).nonzero()
            found.append([Candidate(row[: int(ends[0]) + 1 if len(ends) else limit].tolist(), score)])
        return found


def translations(engine: Engine, sources: list[list[int]], beams: BeamSettings, budget: int) -> list[Candidate]:
    """Return the best translation of each source."""
    found: dict[int, Candidate] = {}
    for batch in batches([len(source) for source in sources], budget):
        results = engine.search([sources[place] for place in batch], beams)
        found |= {place: result[0] for place, result in zip(batch, results, strict=True)}
    return [found[place] for place in range(len(sources))]


def compare(
    engines: dict[str, Engine], tokenizer: Any, sources: list[list[int]], references: list[str], beams: list[int]
) -> list[dict[str, Any]]:
    """Return a row for each number of beams and engine; the first engine is what the others are held against."""
    rows = []
    for number in beams:
        first: list[list[int]] | None = None
        for name, engine in engines.items():
            found = [each.tokens for each in translations(engine, sources, BeamSettings(number), 4096 // number)]
            first = first or found
            texts = tokenizer.batch_decode(found, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            same = sum(one == other for one, other in zip(found, first, strict=True))
            bleu = BLEU()
            score = bleu.corpus_score(texts, [references])
            rows.append({"engine": name, "beams": number, "same": same, "of": len(sources), "bleu": score.score})
            rows[-1]["signature"] = str(bleu.get_signature())
    return rows


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table for a report."""
    text = ["| beams | engine | sentences as by generate | sacreBLEU |", "|---|---|---|---|"]
    for row in rows:
        share = f"{row['same']:,} of {row['of']:,} ({row['same'] / row['of']:.1%})"
        text.append(f"| {row['beams']} | {row['engine']} | {share} | {row['bleu']:.2f} |")
    return "\n".join(text)


def main() -> None:
    """Export, translate, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_and_texts(parser, 1000)
    parser.add_argument(
        "--beams", type=int, nargs="+", default=[1, 4], help="beams of the search, one run each (default: %(default)s)"
    )
    add_threads(parser)
    add_output(parser)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    lines, references = (read_lines(file)[: given.lines] for file in (given.input, given.references))
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    sources: list[list[int]] = tokenizer(lines).input_ids
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(given.model, dtype=torch.float32).eval()
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        engines: dict[str, Engine] = {
            GENERATE: Torch(model),
            **dict(exported(given.model, Path(folder), given.threads)),
        }
        rows = compare(engines, tokenizer, sources, references, given.beams)
    about = machine("torch", "transformers", "ctranslate2", "onnxruntime", "sacrebleu")
    leave(given.output, about | {"signature": rows[0]["signature"]}, table(rows), {"rows": rows})


if __name__ == "__main__":
    main()
