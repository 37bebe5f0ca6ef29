"""Teacher to student: translate the training text, choose, filter, train a small network on it, export, and compare.

python recipes/distill.py --recipe recipes/multi30k.py --teacher runs/multi30k-de-en --reverse runs/multi30k-en-de
python recipes/distill.py --recipe recipes/multi30k.py --teacher runs/seed-1 runs/seed-2 --d_model 320 --num_heads 5
"""

from vaswani.commands.recipe import read_recipe
from vaswani.experiment.distillation import main

if __name__ == "__main__":
    main(__doc__, read_recipe)
