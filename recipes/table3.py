"""Table 3 of the paper: one of its rows, or all in turn, gathered into a table beside the paper's figures.

accelerate launch recipes/table3.py --row C-N2
python recipes/table3.py --all --seeds 3 --launcher "accelerate launch --config_file accelerate_configs/ddp_8_gpu.yaml"
python recipes/table3.py --rows base D --scale 4 --dataset bentrevett/multi30k --vocab_size 8000 --max_steps 2000
"""

from vaswani.experiment import Recipe
from vaswani.experiment.table3 import main

RECIPE = Recipe(
    __doc__,
    model={},  # base; each row changes it (experiment/table3/rows.py)
    data={
        "dataset": "wmt/wmt14",
        "dataset_config": "de-en",
        "direction": "en-de",
        "test_splits": ["validation"],  # section 6.2: newstest2013
        "tokens_per_batch": 3125,
        "streams": 32,
    },
    training={
        "output_dir": "runs/table3",  # each run in a folder within, by row and seed
        "batches_per_step": 8,
        "warmup_steps": 4000,
        "eval_strategy": "no",  # so that validation chooses nothing: section 6.2 scores it
        "save_steps": 1500,
        "save_total_limit": 2,
        "average_checkpoints": 1,
        "dataloader_num_workers": 4,
        "seed": 1,
    },
)

if __name__ == "__main__":
    main(RECIPE)
