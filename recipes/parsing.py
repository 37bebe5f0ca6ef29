r"""English constituency parsing as translation into linearised trees (section 6.3), Wall Street Journal only.

accelerate launch recipes/parsing.py --data_dir wsj    (folders 00 to 24 of .mrg files, or 02.mrg ...; docs/parsing.md)

Semi-supervised, with more trees in the folder `more` (train.mrg), and what tensor2tensor changed for it:

accelerate launch recipes/parsing.py --data_dir wsj --extra_dirs more --vocab_size 32000 --dropout 0.1 \
    --attention_dropout 0 --d_ff 4096 --num_heads 16 --warmup_steps 4000 --peak_learning_rate 2.5e-4
"""

from vaswani.experiment import Recipe, main

RECIPE = Recipe(
    __doc__,
    model={
        "vocab_size": 16_000,
        "d_model": 1024,
        "encoder_layers": 4,
        "decoder_layers": 4,
        # Section 6.3 chose dropout "both attention and residual" and the rate on section 22, and prints neither: these
        # are tensor2tensor's (transformer_parsing_base), as are the warm-up and the longest tree.
        "dropout": 0.2,
        "attention_dropout": 0.2,
    },
    data={
        "direction": "en-trees",
        "train_split": "02-21",
        "validation_split": "22",
        "test_splits": ["23"],
        "max_tokens": 512,
        "max_ratio": 20.0,  # a tree of one word may be deep
        "tokens_per_batch": 3125,
    },
    training={
        "output_dir": "runs/parsing",
        "batches_per_step": 8,
        "max_steps": 100_000,
        "warmup_steps": 16_000,
        "peak_learning_rate": 0.5 * (1024 * 16_000) ** -0.5,
        "metric_for_best_model": "f1",
        "test_beams": 21,
        "length_penalty": 0.3,
        "extra_tokens": 300,
        "eval_steps": 1000,
        "save_steps": 1000,
    },
)

if __name__ == "__main__":
    main(RECIPE)
