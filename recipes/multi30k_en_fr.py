"""Multi30k, English to French, from the Hub or from files, with the settings of recipes/multi30k.py.

accelerate launch recipes/multi30k_en_fr.py
accelerate launch recipes/multi30k_en_fr.py --direction fr-en
accelerate launch recipes/multi30k_en_fr.py --data_dir FOLDER    (train.en, train.fr, val.fr, test_2016_flickr.fr ...)
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
    # A snapshot of the corpus with all its languages beside each other, in columns en, de, fr and cs.
    data={"dataset": "romrawinjp/multi30k", "direction": "en-fr", "tokens_per_batch": 4096, "score_as": "multi30k"},
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
