"""Learn English to German from the built-in grammar in minutes, with no network: `make train` calls this.

accelerate launch recipes/quickstart.py
"""

from vaswani.experiment import Recipe, main
from vaswani.training import has_bf16

RECIPE = Recipe(
    __doc__,
    model={
        "vocab_size": 2000,
        "d_model": 256,
        "d_ff": 1024,
        "num_heads": 4,
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
    data={"dataset": "grammar", "test_splits": ["test", "unseen"], "tokens_per_batch": 2048},
    training={
        "output_dir": "runs/quickstart",
        "max_steps": 1800,
        "warmup_steps": 250,
        "peak_learning_rate": 2e-3,
        "eval_steps": 300,
        "save_steps": 100,
        "logging_steps": 25,
        "bf16": has_bf16(),
    },
)

if __name__ == "__main__":
    main(RECIPE)
