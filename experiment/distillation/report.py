"""What a distillation came to: report.md, report.json and the picture."""

from pathlib import Path
from statistics import median

from vaswani.evaluation.metric_table import SENTENCE_METRICS, as_shown, by_score_key
from vaswani.experiment import markdown
from vaswani.experiment.original_text import lines_of, paths_of
from vaswani.experiment.run_folder import processor
from vaswani.experiment.stage_report import leave_report
from vaswani.plots import SystemPoint, draw_distillation, save
from vaswani.publishing import read_metrics
from vaswani.storage.records import as_json, read_record

from .comparing import COMPARISON, ROUNDS, ComparisonRecord, SystemRecord
from .distilling import Distilled
from .options import Options


def leave(asked: Options, folder: Path, distilled: Distilled) -> str:
    """Write the report of all stages, and return report.md."""
    compared = read_record(ComparisonRecord, distilled.comparison / COMPARISON)
    data = asked.arguments.data
    given, taught = (
        sum(1 for _ in lines_of(paths_of(each, data, "train")[0])) for each in (distilled.text, distilled.pairs)
    )
    metrics = read_metrics(distilled.student)
    text = leave_report(
        folder,
        [
            f"# {folder.name}: student and teacher",
            how(asked, given, taught, metrics.parameters, compared),
            table_of(compared),
            f"Scores: {'; '.join(f'{key} {signature}' for key, signature in compared.signatures.items())}. Sentences a "
            f"second: the median of {ROUNDS} rounds, in each of which the systems translated the first "
            f"{compared.lines:,} lines of {compared.timed_on} one after another, by one thread of {processor()}; in "
            "brackets the slowest and the fastest round. Loading is not counted.",
            "![BLEU against sentences a second and megabytes](distillation.png)",
        ],
        {
            **as_json(compared),
            "direction": data.direction,
            "pairs": {"given": given, "taught": taught},
            "student": {"parameters": metrics.parameters, "folder": str(distilled.student)},
        },
    )
    save(draw_distillation([point(each, compared.timed_on) for each in compared.systems], compared.timed_on),
         folder / "distillation")  # fmt: skip
    return text


def how(asked: Options, given: int, taught: int, parameters: int, compared: ComparisonRecord) -> str:
    """Return a paragraph on what was taught to whom."""
    teacher = compared.systems[0]
    who = "The teacher" if len(asked.teacher) == 1 else f"{len(asked.teacher)} teachers as one"
    by = f"sentence {SENTENCE_METRICS[asked.choose_by]} against its reference"
    best = f"; of {asked.n_best} translations of each line, the best by {by}"
    beside = f" and {asked.original} times the original ones" if asked.original else ""
    left_out = f", without the {float(asked.drop_worst):.1%} to which {asked.reverse} gives the highest cross-entropy"
    return (
        f"{asked.arguments.data.direction}. {who} ({', '.join(asked.teacher)}) translated {given:,} lines"
        f"{best if asked.n_best > 1 else ''}. The student learned from {taught:,} pairs"
        f"{left_out if asked.reverse is not None else ''}{beside}. It has {parameters:,} parameters, "
        f"{parameters / (teacher.parameters or parameters):.2f} of the teacher's."
    )


def table_of(compared: ComparisonRecord) -> str:
    """Return a row for each system."""
    first = compared.systems[0]
    columns = [(split, key) for split, scores in first.scores.items() for key in scores]
    head = [
        "system", "beams", *(f"{name_of(key)}, {split}" for split, key in columns), "sentences a second", "megabytes",
        "million parameters",
    ]  # fmt: skip
    rows = [
        [
            each.name,
            str(each.beams),
            *(as_shown(key, each.scores[split][key]) for split, key in columns),
            f"{median(each.sentences_a_second):,.1f} ({min(each.sentences_a_second):,.1f} to "
            f"{max(each.sentences_a_second):,.1f})",
            f"{each.megabytes:,.1f}",
            "" if each.parameters is None else f"{each.parameters / 1e6:.2f}",
        ]
        for each in compared.systems
    ]
    return markdown.table(head, rows)


def name_of(key: str) -> str:
    """Return the name of a score for people."""
    metric = by_score_key(key)
    return key if metric is None else metric.score_name


def point(system: SystemRecord, split: str) -> SystemPoint:
    """Return a system as the picture shows it."""
    name = f"{system.name}, {'greedy' if system.beams == 1 else f'{system.beams} beams'}"
    return SystemPoint(name, system.scores[split]["sacrebleu"], system.sentences_a_second, system.megabytes)
