"""Weights of other programs' networks of the same architecture, brought into ours where the mathematics allow."""

from .express import CannotExpressError, Foreign, express
from .fairseq import read_fairseq
from .marian import read_marian
from .tensor2tensor import read_tensor2tensor

__all__ = ["CannotExpressError", "Foreign", "express", "read_fairseq", "read_marian", "read_tensor2tensor"]
