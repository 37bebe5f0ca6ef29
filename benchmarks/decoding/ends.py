"""Show what CTranslate2's search leaves out: its first translations, and those of `generate` with one rule changed.

python -m benchmarks.decoding.ends MODEL --input source.txt --references target.txt --lines 300

Of the best 2K continuations of a step the paper's search counts every end, CTranslate2's those among the best K. The
same is asked of `generate` here, so that what the engine returns can be held against both. Float32, all batches alike;
seconds are of the processor, of one pass each.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from sacrebleu.metrics.chrf import CHRF
from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

import vaswani.modeling  # noqa: F401  (teaches the Auto classes)
from benchmarks.measuring.flags import add_model_and_texts
from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from vaswani.commands.line_files import read_lines
from vaswani.engines.engine import Candidate, Engine, engine_module
from vaswani.engines.export import export
from vaswani.modeling import search_vaswani
from vaswani.modeling.search_vaswani import NEVER, SearchState, StopSignal, merge, penalty
from vaswani.translation.hypotheses import BeamSettings

from .compare_engines import Torch, translations

PAPER = "generate"
AMONG_K = "generate, ends among the best K"
ROUNDING = 1e-4
paper_step = search_vaswani.step


def step_among_k(
    search: SearchState, log_p: Tensor, prompt: int, ends: Tensor, alpha: float, is_ended: StopSignal | None = None
) -> SearchState:
    """Lengthen as `step` does, and count the ends among the best K continuations alone."""
    beams, vocab_size, place_of_token = search.ended.scores.shape[1], log_p.shape[2], prompt + search.length
    best, place = (search.running.scores[:, :, None] + log_p).flatten(1).topk(beams, dim=1)
    grown = search.running.select(place // vocab_size)
    grown.tokens[:, :, place_of_token], grown.parents[:, :, place_of_token] = place % vocab_size, place // vocab_size
    with_penalty = best / penalty(search.length + 1, alpha).to(best)
    ended = grown._replace(scores=with_penalty.masked_fill(~torch.isin(place % vocab_size, ends), NEVER))
    return paper_step(search, log_p, prompt, ends, alpha, is_ended)._replace(ended=merge(search.ended, ended))


@contextmanager
def ends_among_k() -> Iterator[None]:
    """Have `generate` search so inside."""
    search_vaswani.step = step_among_k
    try:
        yield
    finally:
        search_vaswani.step = paper_step


def first(engine: Engine, sources: list[list[int]], beams: BeamSettings, budget: int) -> tuple[list[Candidate], float]:
    """Return the first translation of each source, and the seconds of the processor that all took."""
    before = time.process_time()
    return translations(engine, sources, beams, budget), time.process_time() - before


def against(found: list[Candidate], other: list[Candidate], end: int) -> dict[str, int]:
    """Return how many are the same as another search's, how many of the others score lower, and how many higher.

    What was cut off scores lower than what ended.
    """
    same = [one.tokens == two.tokens for one, two in zip(found, other, strict=True)]
    better = [
        (one.tokens[-1] == end, one.score - ROUNDING) > (two.tokens[-1] == end, two.score)
        for one, two in zip(found, other, strict=True)
    ]
    higher = sum(is_better and not is_same for is_better, is_same in zip(better, same, strict=True))
    return {"same": sum(same), "lower": len(same) - sum(same) - higher, "higher": higher}


def main() -> None:
    """Export, translate, and leave a report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_model_and_texts(parser, 300)
    parser.add_argument("--beams", type=int, default=4, help="beams of the search (default: %(default)s)")
    parser.add_argument("--more_beams", type=int, nargs="*", default=[], help="ask the engine for so many, too")
    add_output(parser)
    given = parser.parse_args()
    lines, references = (read_lines(file)[: given.lines] for file in (given.input, given.references))
    tokenizer = AutoTokenizer.from_pretrained(given.model)
    sources: list[list[int]] = tokenizer(lines).input_ids
    model: Any = AutoModelForSeq2SeqLM.from_pretrained(given.model, dtype=torch.float32).eval()
    beams, budget = BeamSettings(given.beams), 4096 // given.beams
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        export(given.model, Path(folder) / "exported", "ctranslate2")
        engine = engine_module("ctranslate2").Engine(Path(folder) / "exported", "cpu", torch.get_num_threads())
        found = {PAPER: first(Torch(model), sources, beams, budget)}
        with ends_among_k():
            found[AMONG_K] = first(Torch(model), sources, beams, budget)
        for number in (given.beams, *given.more_beams):
            found[f"CTranslate2, {number} beams"] = first(engine, sources, BeamSettings(number), budget)
    rows = []
    for name, (candidates, seconds) in found.items():
        texts = tokenizer.batch_decode([each.tokens for each in candidates], skip_special_tokens=True)
        row = {"search": name, **against(candidates, found[PAPER][0], tokenizer.eos_token_id), "seconds": seconds}
        row["same_among_k"] = against(candidates, found[AMONG_K][0], tokenizer.eos_token_id)["same"]
        rows.append(row | {"chrf": CHRF().corpus_score(texts, [references]).score})
    table = ["| search | as by generate | lower score | higher | as with ends among the best K | chrF | seconds |"]
    table += ["|---|---|---|---|---|---|---|"]
    table += [
        f"| {row['search']} | {row['same']} of {len(lines)} | {row['lower']} | {row['higher']} | {row['same_among_k']} "
        f"| {row['chrf']:.1f} | {row['seconds']:.1f} |"
        for row in rows
    ]
    about = machine("torch", "transformers", "ctranslate2", "sacrebleu") | {"lines": str(len(lines))}
    leave(given.output, about, "\n".join(table), {"rows": rows})


if __name__ == "__main__":
    main()
