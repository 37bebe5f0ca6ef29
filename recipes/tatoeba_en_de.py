"""Everyday sentences of Tatoeba, English to German or the other way.

accelerate launch recipes/tatoeba_en_de.py    (in a folder that holds general-en-de/tatoeba/)
accelerate launch recipes/tatoeba_en_de.py --data_dir FOLDER --direction de-en    (train.en, train.de, val.en ...)
accelerate launch recipes/tatoeba_en_de.py --dataset OWNER/NAME    (a data set of the Hub, with columns en and de)
"""

from vaswani.experiment import Recipe, main
from vaswani.training import has_bf16

RECIPE = Recipe(
    __doc__,
    model={
        "vocab_size": 8000,
        "d_model": 256,
        "d_ff": 1024,
        "num_heads": 4,
        "encoder_layers": 4,
        "decoder_layers": 3,
        "norm": "pre",
        "dropout": 0.1,
    },
    data={"data_dir": "general-en-de/tatoeba", "direction": "en-de", "tokens_per_batch": 4096},
    training={
        "output_dir": "runs/tatoeba-{direction}",
        "max_steps": 10_000,
        "warmup_steps": 500,
        "peak_learning_rate": 2e-3,
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
