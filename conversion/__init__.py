"""Weights of other programs' networks of the same architecture, brought into ours where the mathematics allow."""

from .fairseq import read_fairseq
from .marian import read_marian
from .marian_npz import find_marian, leave_tokenizer, read_marian_npz
from .tensor2tensor import read_tensor2tensor
from .to_vaswani import CannotConvertError, ForeignModel, to_vaswani
from .tokenizer_files import copy_tokenizer

__all__ = [
    "CannotConvertError",
    "ForeignModel",
    "copy_tokenizer",
    "find_marian",
    "leave_tokenizer",
    "read_fairseq",
    "read_marian",
    "read_marian_npz",
    "read_tensor2tensor",
    "to_vaswani",
]
