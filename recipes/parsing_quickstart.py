"""Learn to parse the built-in treebank in minutes, with no licence and no network: section 6.3 in small.

accelerate launch recipes/parsing_quickstart.py
"""

from vaswani.experiment import Recipe, main

RECIPE = Recipe(
    __doc__,
    model={
        "vocab_size": 700,
        "d_model": 64,
        "d_ff": 256,
        "num_heads": 4,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "dropout": 0.0,
        "label_smoothing": 0.0,
    },
    data={"dataset": "grammar", "direction": "en-trees", "max_ratio": 20.0, "tokens_per_batch": 1024},
    training={
        "output_dir": "runs/parsing_quickstart",
        "max_steps": 4000,
        "warmup_steps": 200,
        "peak_learning_rate": 5e-3,
        "metric_for_best_model": "f1",
        "test_beams": 21,
        "length_penalty": 0.3,
        "extra_tokens": 300,
        "eval_steps": 500,
        "save_steps": 250,
        "logging_steps": 50,
    },
)

if __name__ == "__main__":
    main(RECIPE)
