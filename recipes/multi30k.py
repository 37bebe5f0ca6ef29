"""Multi30k with a small Transformer: German to English as in the article "Grokking Transformers", or the other way.

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
        "d_model": 256,
        "d_ff": 1024,
        "num_heads": 4,
        "encoder_layers": 3,
        "decoder_layers": 3,
        "dropout": 0.3,
    },
    data={"dataset": "bentrevett/multi30k", "direction": "de-en", "tokens_per_batch": 2048, "score_as": "multi30k"},
    training={
        "output_dir": "runs/multi30k-{direction}",
        "max_steps": 15_000,
        "warmup_steps": 1000,
        "peak_learning_rate": 1e-3,
        "eval_steps": 500,
        "save_steps": 250,
        "logging_steps": 50,
        "bf16": has_bf16(),
    },
)

if __name__ == "__main__":
    main(RECIPE)
