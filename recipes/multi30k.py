"""Multi30k with a small Transformer, German to English or the other way: 29,000 pairs, an hour and a half of one core.

accelerate launch recipes/multi30k.py
accelerate launch recipes/multi30k.py --direction en-de
accelerate launch recipes/multi30k.py --data_dir FOLDER    (train.de, train.en, val.de, test_2016_flickr.de ..., or .gz)
"""

from vaswani.experiment import Recipe, main
from vaswani.training import has_bf16

RECIPE = Recipe(
    __doc__,
    model={
        "vocab_size": 8000,
        "d_model": 128,
        "d_ff": 256,
        "num_heads": 4,
        "encoder_layers": 4,
        "decoder_layers": 4,
        "norm": "pre",
        "dropout": 0.3,
    },
    data={"dataset": "bentrevett/multi30k", "direction": "de-en", "tokens_per_batch": 4096, "score_as": "multi30k"},
    training={
        "output_dir": "runs/multi30k-{direction}",
        "max_steps": 8000,
        "warmup_steps": 1000,
        "peak_learning_rate": 5e-3,
        "eval_steps": 500,
        "save_steps": 250,
        "save_total_limit": 10,
        "average_checkpoints": 10,
        "logging_steps": 50,
        "bf16": has_bf16(),
    },
)

if __name__ == "__main__":
    main(RECIPE)
