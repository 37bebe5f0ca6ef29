"""Learn to parse the built-in treebank in minutes, with no licence and no network: section 6.3 in small.

accelerate launch recipes/parsing_quickstart.py
"""

from vaswani.experiment import Recipe, main
from vaswani.training import has_bf16

RECIPE = Recipe(
    __doc__,
    model={
        "vocab_size": 700,
        "d_model": 128,
        "d_ff": 512,
        "num_heads": 4,
        "encoder_layers": 2,
        "decoder_layers": 2,
    },
    data={"dataset": "grammar", "direction": "en-trees", "max_ratio": 20.0, "tokens_per_batch": 2048},
    training={
        "output_dir": "runs/parsing_quickstart",
        "max_steps": 1000,
        "warmup_steps": 200,
        "peak_learning_rate": 3e-3,
        "metric_for_best_model": "f1",
        "test_beams": 21,
        "length_penalty": 0.3,
        "extra_symbols": 300,
        "eval_steps": 200,
        "save_steps": 100,
        "logging_steps": 25,
        "bf16": has_bf16(),
    },
)

if __name__ == "__main__":
    main(RECIPE)
