"""The matrices of an ONNX graph in 8 bits, in its file: a quarter of the bytes to fetch, and products in float32.

Each output of a matrix, a column or a token's row of the table, has a scale of its own. The numbers become floats again
when a session is made, by nodes that every runtime folds, `Cast` and `Mul`. So the inputs of products are never
rounded, which changes more translations than rounding the weights does (docs/results/2026-11-30-browser.md), and
products take as long as in float32. The rows of the table are turned into floats one by one, when they are looked up.

Shapes: K inputs and N outputs of a matrix, V = vocab_size, D = d_model.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

LARGEST = 127
"""Signed numbers, symmetric around 0."""


def to_8_bits(file: Path) -> None:
    """Write the float32 matrices that products and look-ups of a graph read in 8 bits, in place."""
    model = onnx.load(file)
    graph = model.graph
    matrices = {each.name: each for each in graph.initializer if is_matrix(each)}
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    read = {name for node in graph.node for name in node.input if name in matrices}
    before: list[NodeProto] = []
    for name in sorted(read):
        axis = 1 if name in tables else 0  # [V, D] by rows, [K, N] by columns
        numbers, scales = rounded(numpy_helper.to_array(matrices[name]), axis)
        graph.initializer.remove(matrices[name])
        graph.initializer.extend(
            [numpy_helper.from_array(numbers, f"{name}.8"), numpy_helper.from_array(scales, f"{name}.scales")]
        )
        before += as_floats(f"{name}.8", f"{name}.scales", name)
    nodes = [*before, *(each for node in graph.node for each in looked_up(node, read))]
    keep_read(graph, nodes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def is_matrix(tensor: TensorProto) -> bool:
    """Return whether an initializer holds weights: two dimensions of float32."""
    return len(tensor.dims) == 2 and tensor.data_type == TensorProto.FLOAT


def rounded(matrix: NDArray[np.float32], axis: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return a matrix in 8 bits, and the scales along `axis`, 1 long there."""
    scales = np.abs(matrix).max(axis=axis, keepdims=True) / np.float32(LARGEST)
    scales = np.where(scales == 0, np.float32(1), scales).astype(np.float32)
    return np.rint(matrix / scales).astype(np.int8), scales


def as_floats(numbers: str, scales: str, name: str) -> list[NodeProto]:
    """Return the nodes that compute `numbers` times `scales` under the name of what they were."""
    return [
        helper.make_node("Cast", [numbers], [f"{name}.cast"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.cast", scales], [name]),
    ]


def looked_up(node: NodeProto, read: set[str]) -> Iterator[NodeProto]:
    """Yield a node, or where it looks up rows of a table, those that look up rows in 8 bits and their scales."""
    if node.op_type != "Gather" or node.input[0] not in read:
        yield node
        return
    table, ids = node.input
    [rows] = node.output
    yield helper.make_node("Gather", [f"{table}.8", ids], [f"{rows}.8"])
    yield helper.make_node("Gather", [f"{table}.scales", ids], [f"{rows}.scales"])
    yield from as_floats(f"{rows}.8", f"{rows}.scales", rows)


def keep_read(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Give a graph its nodes, without those that compute what nothing reads."""
    wanted = {each.name for each in graph.output}
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
