"""What the matrices of a network multiply: measured on sentences, so that rounding can be fitted to it.

The sentences are those of a validation set, or drawn from the vocabulary by chance, and the network translates them
itself. So no text is needed, and with text of the right kind the fit is better (docs/results/2026-11-30-browser.md).

Shapes: K inputs of a matrix.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, helper
from transformers import PreTrainedTokenizerBase

from vaswani.modeling.generation_vaswani import UNBOUNDED
from vaswani.translation.settings import GenerationSettings

from .greedy import Greedy, Session, session

SENTENCES = 200
"""How many are translated."""
LENGTHS = range(3, 21)
"""Tokens of a sentence that is drawn by chance, without </s>."""
ROWS = 4096
"""Inputs that are held before they are added up."""

Moments = dict[str, NDArray[np.float64]]
"""The mean of x x^T over the inputs x of each matrix, `[K, K]`, by the matrix's name in its graph."""


def measure(
    files: tuple[Path, Path], sources: Sequence[list[int]], settings: GenerationSettings, most: int
) -> tuple[Moments, Moments]:
    """Translate, and return the moments of the encoder's matrices and of the decoder's.

    Args:
        files: the graphs of encoder and decoder in float32.
        sources: token ids.
        settings: saved with the model.
        most: positions of the network; longer sources are left out.

    """
    encoder, decoder = (Watched(file) for file in files)
    greedy = Greedy(encoder, decoder, settings, most)
    for source in sources:
        if 0 < len(source) <= most:
            greedy.search(source)
    return encoder.moments(), decoder.moments()


def drawn_sources(tokenizer: PreTrainedTokenizerBase, most: int = UNBOUNDED) -> list[list[int]]:
    """Return sentences of tokens drawn by chance, always the same ones, each with the end that the tokenizer gives."""
    draw = np.random.Generator(np.random.Philox(0))
    special = set(tokenizer.all_special_ids)
    known = np.array([each for each in range(len(tokenizer)) if each not in special])
    lengths = draw.choice(np.array([each for each in LENGTHS if each < most] or [1]), SENTENCES)
    return [[*draw.choice(known, length).tolist(), tokenizer.eos_token_id] for length in lengths]


class Watched:
    """A graph that runs as before, and adds up x x^T of what each matrix multiplies."""

    def __init__(self, file: Path) -> None:
        model = onnx.load(file)
        self._outputs = len(model.graph.output)
        self._read = inputs_of_matrices(model.graph)
        watched = dict.fromkeys(self._read.values())
        model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in watched)
        self._watched: dict[str, list[NDArray[np.float32]]] = {name: [] for name in watched}
        self._sums: dict[str, Any] = dict.fromkeys(watched, 0.0)
        self._rows = 0
        self._session: Session = session(model.SerializeToString())

    def get_inputs(self) -> Sequence[Any]:
        """Return what the graph takes."""
        return self._session.get_inputs()

    def run(self, names: None, given: dict[str, Any]) -> Sequence[Any]:
        """Return the graph's own outputs."""
        found = self._session.run(names, given)
        for rows, seen in zip(self._watched.values(), found[self._outputs :], strict=True):
            rows.append(seen.reshape(-1, seen.shape[-1]))
        self._rows += found[self._outputs].shape[0] * found[self._outputs].shape[1] if self._watched else 0
        if self._rows >= ROWS:
            self._add_up()
        return found[: self._outputs]

    def _add_up(self) -> None:
        for name, rows in self._watched.items():
            if rows:
                inputs = np.concatenate(rows).astype(np.float64)
                self._sums[name] = self._sums[name] + inputs.T @ inputs
                rows.clear()
        self._rows = 0

    def moments(self) -> Moments:
        """Return the sums over all runs; what scales them does not matter to a fit."""
        self._add_up()
        return {matrix: self._sums[name] for matrix, name in self._read.items() if not np.isscalar(self._sums[name])}


def inputs_of_matrices(graph: GraphProto) -> dict[str, str]:
    """Return the name of what is multiplied by each matrix, directly or transposed, by the matrix's name."""
    matrices = {each.name: each.name for each in graph.initializer if len(each.dims) == 2}
    for node in graph.node:
        if node.op_type == "Transpose" and node.input[0] in matrices:
            matrices[node.output[0]] = node.input[0]
    products = [node.input for node in graph.node if node.op_type == "MatMul" and node.input[1] in matrices]
    return {matrices[matrix]: inputs for inputs, matrix in products}
