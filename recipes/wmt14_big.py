"""The paper's big model on WMT 2014 English-German, streamed from the Hub (table 2, row "big").

accelerate launch --config_file accelerate_configs/ddp_8_gpu.yaml recipes/wmt14_big.py
accelerate launch recipes/wmt14_big.py --bf16    (modern GPUs; the paper trained in float32)
"""

from vaswani.experiment import Recipe, main

RECIPE = Recipe(
    __doc__,
    model={
        "d_model": 1024,
        "d_ff": 4096,
        "num_heads": 16,
        "dropout": 0.3,
    },
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
        "output_dir": "runs/wmt14_big",
        "batches_per_step": 8,
        "max_steps": 300_000,
        "warmup_steps": 4000,
        "eval_steps": 5000,
        "save_steps": 600,  # ten minutes on the paper's eight GPUs
        "save_total_limit": 25,
        "average_checkpoints": 20,
        "dataloader_num_workers": 4,
    },
)

if __name__ == "__main__":
    main(RECIPE)
