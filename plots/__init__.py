"""Pictures: one per file, a pure function from arrays to a matplotlib Figure that `save` writes as PNG and SVG."""

from vaswani.evaluation.bucket import Bucket

from .attention_lines import draw_attention_lines
from .attention_maps import draw_attention_maps
from .bleu_by_length import draw_bleu_by_length
from .distillation import SystemPoint, draw_distillation
from .learning_curve import draw_learning_curve
from .learning_curves import draw_learning_curves
from .pair_lengths import draw_pair_lengths
from .positional_encoding import draw_positional_encoding
from .schedule import draw_schedule
from .style import save
from .sweep import TrialCurve, draw_sweep
from .table3 import Difference, draw_table3

__all__ = [
    "Bucket",
    "Difference",
    "SystemPoint",
    "TrialCurve",
    "draw_attention_lines",
    "draw_attention_maps",
    "draw_bleu_by_length",
    "draw_distillation",
    "draw_learning_curve",
    "draw_learning_curves",
    "draw_pair_lengths",
    "draw_positional_encoding",
    "draw_schedule",
    "draw_sweep",
    "draw_table3",
    "save",
]
