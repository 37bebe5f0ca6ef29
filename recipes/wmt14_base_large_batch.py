"""The base model on WMT 2014 English-German in steps of 400,000 tokens, for many modern GPUs.

Not the paper's: sixteen times its batch, twice the peak of its eq. 3, and its warm-up, as Ott et al. 2018 (arXiv
1806.00187) used for the big model; 5 billion tokens, twice as many as the paper's base run read.

accelerate launch --config_file accelerate_configs/ddp_8_gpu.yaml recipes/wmt14_base_large_batch.py
"""

from vaswani.experiment import Recipe, main

RECIPE = Recipe(
    __doc__,
    model={},  # the defaults are the base model
    data={
        "dataset": "wmt/wmt14",
        "dataset_config": "de-en",
        "direction": "en-de",
        "tokens_per_batch": 6250,
        "streams": 32,
    },
    training={
        "output_dir": "runs/wmt14_base_large_batch",
        "batches_per_step": 64,  # 400,000 tokens a side: 1 to 64 processes
        "max_steps": 12_500,
        "warmup_steps": 4000,
        "peak_learning_rate": 1.4e-3,
        "bf16": True,
        "eval_steps": 500,
        "save_steps": 100,
        "save_total_limit": 10,
        "average_checkpoints": 5,
        "dataloader_num_workers": 4,
    },
)

if __name__ == "__main__":
    main(RECIPE)
