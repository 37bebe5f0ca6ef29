"""Teacher to student: translate the training text, choose, filter, train a small network on it, export, and compare.

python recipes/distill.py --recipe recipes/general_en_de.py --teacher runs/general-en-de --reverse runs/general-de-en
python recipes/distill.py --recipe recipes/general_en_de.py --teacher runs/seed-1 runs/seed-2 --d_model 192
"""

from vaswani.commands.recipe import read_recipe
from vaswani.experiment.distillation import main

if __name__ == "__main__":
    main(__doc__, read_recipe)
