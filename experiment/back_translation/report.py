"""What back-translation came to: report.md and report.json."""

from pathlib import Path

from vaswani.evaluation.metric_table import as_shown
from vaswani.experiment import markdown
from vaswani.experiment.original_text import lines_of, paths_of
from vaswani.experiment.stage_report import leave_report
from vaswani.publishing import MetricsRecord, read_metrics
from vaswani.storage.records import as_json

from .options import Options
from .translating_back import Translated

SHOWN = ("sacrebleu", "chrf")


def leave(asked: Options, folder: Path, done: Translated) -> str:
    """Write the report of all stages, and return report.md."""
    data = asked.arguments.data
    pairs = sum(1 for _ in lines_of(paths_of(done.pairs, data, data.train_split)[0]))
    found = {name: read_metrics(run) for name, run in done.runs.items()}
    tag = "without a tag" if asked.tag is None else f"after the tag `{asked.tag}`"
    signatures = {
        score.signature for each in found.values() for scores in each.test.values()
        for key, score in scores.items() if key == "sacrebleu"
    }  # fmt: skip
    return leave_report(
        folder,
        [
            f"# {folder.name}: text translated back",
            f"{data.direction}. {asked.reverse} translated {asked.monolingual.name} back "
            f"(`{' '.join(asked.search)}`), {pairs:,} pairs, whose sources stand {tag}. An epoch read the original "
            f"{asked.mix[0]} time(s) and these {asked.mix[1]} time(s).",
            table_of(found),
            f"Validation chose each run's weights. BLEU: {'; '.join(sorted(signatures))}.",
        ],
        {
            "direction": data.direction,
            "pairs": pairs,
            "tag": asked.tag,
            "search": asked.search,
            "mix": asked.mix,
            "runs": {
                name: {
                    "folder": str(done.runs[name]),
                    "steps": each.steps,
                    "seconds": each.training_seconds,
                    "validation": as_json(each.validation),
                    "test": as_json(each.test),
                }
                for name, each in found.items()
            },
        },
    )


def table_of(found: dict[str, MetricsRecord]) -> str:
    """Return a row for each run."""
    sets = list(next(iter(found.values())).test)
    head = ["trained on", "steps", "validation BLEU"]
    head += [f"{name}, {split}" for split in sets for name in ("sacreBLEU", "chrF")]
    rows = [
        [
            name,
            f"{each.steps:,}",
            as_shown("bleu", each.validation["bleu"]),
            *(as_shown(key, each.test[split][key].value) for split in sets for key in SHOWN),
        ]
        for name, each in found.items()
    ]
    return markdown.table(head, rows)
