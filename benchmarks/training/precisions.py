"""Train the same network in float32, by autocast and in bfloat16 throughout, with several seeds, and compare the BLEU.

python -m benchmarks.training.precisions recipes/multi30k.py --data_dir FOLDER --max_steps 2000 --output_dir runs/two

Flags are those of the recipe. Runs lie in --output_dir by precision and seed; the same command goes on where it was
stopped. All precisions of a seed train the same batches from the same weights.
"""

import argparse
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring.machine import machine
from benchmarks.measuring.report import add_output, leave
from vaswani.publishing import read_metrics
from vaswani.storage.records import as_json

PRECISIONS = {
    "float32": ("--bf16", "false"),
    "autocast": ("--bf16", "true"),
    "bf16 throughout": ("--bf16_throughout", "true"),
}


def spread(values: list[float]) -> str:
    """Return mean and standard deviation in words."""
    deviation = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{deviation}"


def main() -> None:
    """Train what is missing, and leave a report."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a flag of the recipe may begin as one of ours
    )
    parser.add_argument("recipe", help="file of a recipe; its flags may follow")
    parser.add_argument("--seeds", type=int, default=3, help="from 1 on")
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=PRECISIONS,
        default=list(PRECISIONS),
        help="precisions to train in (default: all)",
    )
    parser.add_argument("--output_dir", type=Path, required=True, help="folder for the runs")
    add_output(parser)
    given, flags = parser.parse_known_args()
    folders = {
        (precision, seed): given.output_dir / precision.replace(" ", "-") / f"seed-{seed}"
        for seed in range(1, given.seeds + 1)
        for precision in given.precisions
    }
    for (precision, seed), folder in folders.items():
        if not (folder / "metrics.json").exists():
            print(f"=== {precision}, seed {seed}", flush=True)
            own = [*PRECISIONS[precision], "--seed", str(seed), "--output_dir", str(folder), "--resume"]
            subprocess.run([sys.executable, given.recipe, *flags, *own], check=True)
    sets = list(read_metrics(folders[given.precisions[0], 1]).test)
    lines = [
        f"| | loss on validation | BLEU on validation | {' | '.join(f'BLEU on {each}' for each in sets)} |",
        "|---|---|---|" + "---|" * len(sets),
    ]
    figures = {}
    for precision in given.precisions:
        runs = [read_metrics(folders[precision, seed]) for seed in range(1, given.seeds + 1)]
        cells = [
            spread([run.validation["loss"] for run in runs]),
            spread([run.validation["bleu"] for run in runs]),
            *(spread([run.test[each]["sacrebleu"].value for run in runs]) for each in sets),
        ]
        lines.append(f"| {precision} | {' | '.join(cells)} |")
        figures[precision] = [{"validation": as_json(run.validation), "test": as_json(run.test)} for run in runs]
    about = machine("torch", "transformers") | {"seeds": str(given.seeds)}
    leave(given.output, about, "\n".join(lines), figures)


if __name__ == "__main__":
    main()
