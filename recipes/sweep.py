"""Sizes, rates and any other flags of a recipe, searched by validation with successive halving.

python recipes/sweep.py --recipe recipes/multi30k.py --grid peak_learning_rate=1e-3,2e-3 dropout=0.2,0.3 --halvings 1
python recipes/sweep.py --recipe recipes/quickstart.py --grid d_model=128,256 dropout=0,0.1,0.2 --trials 4
"""

from vaswani.commands.recipe import read_recipe
from vaswani.experiment.sweep import main

if __name__ == "__main__":
    main(__doc__, read_recipe)
