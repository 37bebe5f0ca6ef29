"""The big model on WMT 2014 English-German in steps of 400,000 tokens, for many modern GPUs.

Not the paper's. Sixteen times its batch at twice the peak of its eq. 3 and with its warm-up, as Ott et al. 2018 (arXiv
1806.00187) trained it; 7.5 billion tokens, as many as the paper's big run read.

accelerate launch --config_file accelerate_configs/ddp_8_gpu.yaml recipes/wmt14_big_large_batch.py
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
        "tokens_per_batch": 6250,
        "streams": 32,
    },
    training={
        "output_dir": "runs/wmt14_big_large_batch",
        "batches_per_step": 64,  # 400,000 tokens a side: 1 to 64 processes
        "max_steps": 18_750,
        "warmup_steps": 4000,
        "peak_learning_rate": 1e-3,
        "bf16": True,
        "eval_steps": 500,
        "save_steps": 100,
        "save_total_limit": 25,
        "average_checkpoints": 20,
        "dataloader_num_workers": 4,
    },
)

if __name__ == "__main__":
    main(RECIPE)
