#!/usr/bin/env bash
# sacrebleu 2.6.0, `--paired-bs`: two outputs that are equally good by construction, again and again.
#
# What one would guess: the documentation calls it a paired bootstrap test after Koehn (2004), and p the share of
# resamples that part the outputs as far by chance. Where nothing differs, p is then uniform: as many pairs above 0.5 as
# below, and one in five below 0.2.
#
# What happens: p is never above about one half, its median is below 0.25, and about half of the pairs lie below 0.2.
# The test takes the absolute difference of each resample before it takes away their mean, so that hardly more than one
# side of the distribution can lie beyond the difference. `--paired-ar` on the same pairs is uniform.
#
# Output seen on 2026-11-29 (Python 3.11, numpy 2.4.6):
#
# sacrebleu 2.6.0
# --paired-bs: of 60 pairs, median p 0.19, 32 below 0.2, largest 0.42
# --paired-ar: of 60 pairs, median p 0.55, 9 below 0.2, largest 0.99
#
# It fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sacrebleu==2.6.0 numpy==2.4.6
cat >"$folder/null.py" <<'PYTHON'
import random

import sacrebleu
from sacrebleu.metrics import BLEU
from sacrebleu.significance import PairedTest

PAIRS, LINES = 60, 200
WORDS = [f"w{number}" for number in range(50)]


def garbled(line: list[str], draw: random.Random) -> str:
    """A translation in which every word is wrong with probability 0.3, independently of all else."""
    return " ".join(draw.choice(WORDS) if draw.random() < 0.3 else word for word in line)


def p_values(test_type: str, samples: int) -> list[float]:
    found = []
    for seed in range(PAIRS):
        draw = random.Random(seed)
        lines = [[draw.choice(WORDS) for _ in range(draw.randint(5, 25))] for _ in range(LINES)]
        outputs = [(name, [garbled(line, draw) for line in lines]) for name in ("a", "b")]
        references = [[" ".join(line) for line in lines]]
        test = PairedTest(outputs, {"BLEU": BLEU(references=references)}, None, test_type, n_samples=samples)
        found.append(test()[1]["BLEU"][1].p_value)
    return sorted(found)


print("sacrebleu", sacrebleu.__version__)
seen = {}
for test_type, samples in (("bs", 1000), ("ar", 1000)):
    found = p_values(test_type, samples)
    below = sum(p < 0.2 for p in found)
    seen[test_type] = found[PAIRS // 2], below, found[-1]
    print(f"--paired-{test_type}: of {PAIRS} pairs, median p {found[PAIRS // 2]:.2f}, {below} below 0.2, largest {found[-1]:.2f}")
bootstrap, randomised = seen["bs"], seen["ar"]
assert bootstrap[0] < 0.25 and bootstrap[1] > 0.4 * PAIRS and bootstrap[2] < 0.6, "the bootstrap's p has changed"
assert 0.35 < randomised[0] < 0.65 and randomised[1] < 0.35 * PAIRS and randomised[2] > 0.9, "the other test has changed"
PYTHON
"$folder/venv/bin/python" "$folder/null.py"
