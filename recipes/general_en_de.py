"""General English-German from three small corpora: news, everyday sentences, and manuals of programs.

accelerate launch recipes/general_en_de.py    (in a folder that holds general-en-de/)
accelerate launch recipes/general_en_de.py --data_dir NEWS --extra_dirs TATOEBA MANUALS
accelerate launch recipes/general_en_de.py --dataset OWNER/NAME    (one data set of the Hub, with columns en and de)

Weights are chosen by newstest2013, the validation set of the news; newstest2014, on which the paper reports, is scored
beside the test sets of the other two corpora. Muon with a cooldown, which the paper has not, has the loss of
Adam here after three fifths of the steps: docs/results/2026-12-01-general-en-de.md.
"""

from vaswani.experiment import Recipe, main
from vaswani.training import has_bf16

FOLDER = "general-en-de"
OTHERS = ["tatoeba", "manuals"]
RECIPE = Recipe(
    __doc__,
    model={
        "vocab_size": 8_000,
        "d_model": 256,
        "d_ff": 1024,
        "num_heads": 4,
        "encoder_layers": 3,
        "decoder_layers": 3,
        "norm": "pre",
        "dropout": 0.1,
    },
    data={
        "data_dir": f"{FOLDER}/news",
        "extra_dirs": [f"{FOLDER}/{name}" for name in OTHERS],
        "direction": "en-de",
        "validation_splits": [f"{name}={FOLDER}/{name}" for name in OTHERS],
        "test_splits": ["test", *(f"{name}={FOLDER}/{name}" for name in OTHERS)],
        "score_as": "wmt14",
        "max_tokens": 128,
        "tokens_per_batch": 4096,
    },
    training={
        "output_dir": "runs/general-{direction}",
        "max_steps": 12_000,
        "warmup_steps": 400,
        "cooldown_steps": 0.2,
        "peak_learning_rate": 4e-3,
        "optimizer": "muon",
        "eval_steps": 1000,
        "save_steps": 250,
        "save_total_limit": 10,
        "logging_steps": 50,
        "average_checkpoints": 8,
        "bf16": has_bf16(),
    },
)

if __name__ == "__main__":
    main(RECIPE)
