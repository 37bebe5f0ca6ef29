"""`python -m vaswani.commands` is `vaswani`, for launchers: `accelerate launch -m vaswani.commands translate ...`."""

import sys

from . import main

sys.exit(main())
