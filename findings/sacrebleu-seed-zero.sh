#!/usr/bin/env bash
# sacrebleu 2.6.0, paired tests under SACREBLEU_SEED=0.
#
# What one would guess: the variable fixes the seed (its documentation names "none" as the way to leave it open), so two
# runs of one command print the same p-values, and the signature's `seed:0` says how to get them again.
#
# What happens: under another number two runs agree. Under 0 the p-values are drawn anew each time, though the signature
# says `seed:0`: where the seed is handed to a test, 0 counts as none.
#
# Output seen on 2026-11-29 (Python 3.11, numpy 2.4.6):
#
# sacrebleu 2.6.0
# SACREBLEU_SEED=7: p of three runs: 0.0849 0.0849 0.0849
# SACREBLEU_SEED=0: p of three runs: 0.0739 0.0769 0.0859
#
# It fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet sacrebleu==2.6.0 numpy==2.4.6
cat >"$folder/outputs.py" <<'PYTHON'
import pathlib
import random
import sys

folder, draw = pathlib.Path(sys.argv[1]), random.Random(1)
words = [f"w{number}" for number in range(50)]
lines = [[draw.choice(words) for _ in range(draw.randint(5, 25))] for _ in range(100)]
(folder / "reference").write_text("".join(" ".join(line) + "\n" for line in lines))
for name, wrong in (("a", 0.3), ("b", 0.32)):
    garbled = (" ".join(draw.choice(words) if draw.random() < wrong else word for word in line) for line in lines)
    (folder / name).write_text("".join(line + "\n" for line in garbled))
PYTHON
cd "$folder"
venv/bin/python outputs.py .
for seed in 0 7; do
    for run in 1 2 3; do
        SACREBLEU_SEED=$seed venv/bin/sacrebleu reference -i a b -m chrf --paired-ar --paired-ar-n 1000 \
            --format json 2>/dev/null >"$seed-$run"
    done
done
venv/bin/python - <<'PYTHON'
import json
import pathlib

import sacrebleu

print("sacrebleu", sacrebleu.__version__)
seen = {}
for seed in (7, 0):
    runs = [json.loads(pathlib.Path(f"{seed}-{run}").read_text()) for run in (1, 2, 3)]
    seen[seed] = [run[1]["chrF2"]["p_value"] for run in runs]
    print(f"SACREBLEU_SEED={seed}: p of three runs:", *(f"{p:.4f}" for p in seen[seed]))
assert len(set(seen[7])) == 1, "another number fixes nothing any more"
assert len(set(seen[0])) > 1, "0 is a seed now"
PYTHON
