"""The Transformer of "Attention Is All You Need" (Vaswani et al. 2017), for training across many machines."""

__version__ = "0.1.0"
