"""The paper's base model on WMT 2014 English-German, streamed from the Hub (table 2, row "base").

accelerate launch recipes/wmt14_base.py
accelerate launch recipes/wmt14_base.py --bf16    (modern GPUs; the paper trained in float32)
"""

from vaswani.experiment import Recipe, main

RECIPE = Recipe(
    __doc__,
    model={},  # the defaults are the base model
    data={
        "dataset": "wmt/wmt14",
        "dataset_config": "de-en",
        "direction": "en-de",
        # Section 5.1: about 25,000 source and 25,000 target tokens a step, here as 8 micro-batches, so that
        # 1, 2, 4 or 8 processes train the same batches.
        "tokens_per_batch": 3125,
        "streams": 32,
    },
    training={
        "output_dir": "runs/wmt14_base",
        "batches_per_step": 8,
        "max_steps": 100_000,
        "warmup_steps": 4000,
        "eval_steps": 5000,
        "save_steps": 1500,
        "save_total_limit": 10,
        "average_checkpoints": 5,
        "dataloader_num_workers": 4,
    },
)

if __name__ == "__main__":
    main(RECIPE)
