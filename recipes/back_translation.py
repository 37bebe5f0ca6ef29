"""Back-translation: text of the target language gets synthetic sources, and a model learns from it and the original.

python recipes/back_translation.py --recipe recipes/general_en_de.py --reverse runs/general-de-en --monolingual mono.de
python recipes/back_translation.py --recipe recipes/multi30k.py --direction en-de --reverse runs/multi30k-de-en \
    --monolingual mono.de --sample --tag none --mix 2 1
"""

from vaswani.commands.recipe import read_recipe
from vaswani.experiment.back_translation import main

if __name__ == "__main__":
    main(__doc__, read_recipe)
