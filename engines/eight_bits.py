"""The matrices of an ONNX graph in 8 bits, in its file: little more than a quarter of the bytes, products in float32.

Where it is known what a matrix multiplies, its numbers are rounded so that the products change little (`fitted`).
Each 16 numbers that are added up into one output, in a column of a matrix or in a token's row of the table, share a
scale in 16 bits. They become floats again when a session is made, by nodes that every runtime folds. So the inputs of
products are never rounded, which changes more translations than rounding the weights does
(docs/results/2026-11-30-browser.md), and products take as long as in float32. The rows of the table are turned into
floats one by one, when they are looked up.

Shapes: K inputs and N outputs of a matrix, V = vocab_size, D = d_model, b numbers that share a scale.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

LARGEST = 127
"""Signed numbers, symmetric around 0."""
DAMPING = 0.01
"""What is added to the variance of each input, as a share of their mean: GPTQ's."""
BLOCK = 16
"""Numbers that share a scale, where the inputs can be divided so; else all inputs of an output share one."""


def to_8_bits(file: Path, moments: Mapping[str, NDArray[np.float64]] = MappingProxyType({})) -> None:
    """Write the float32 matrices that products and look-ups of a graph read in 8 bits, in place.

    Args:
        file: the graph.
        moments: the sum of x x^T over inputs x of a matrix, `[K, K]`, by its name; the matrices that have it are
            rounded so that their products change little (`fitted`), others to the nearest number.

    """
    model = onnx.load(file)
    graph = model.graph
    matrices = {each.name: each for each in graph.initializer if is_matrix(each)}
    tables = {node.input[0] for node in graph.node if node.op_type == "Gather"}
    read = {name for node in graph.node for name in node.input if name in matrices}
    before: list[NodeProto] = []
    for name in sorted(read):
        matrix = numpy_helper.to_array(matrices[name])
        axis = 1 if name in tables else 0  # [V, D] by rows, [K, N] by columns
        numbers, scales = rounded(matrix, axis, moments.get(name))
        graph.initializer.remove(matrices[name])
        shapes = {"shape": np.array(matrix.shape), "row": np.array([0, 0, -1])}
        held: dict[str, NDArray[Any]] = {"8": numbers, "scales": scales, **shapes}
        graph.initializer.extend(numpy_helper.from_array(value, f"{name}.{kind}") for kind, value in held.items())
        before += as_floats(f"{name}.8", f"{name}.scales", f"{name}.shape", name)
    nodes = [*before, *(each for node in graph.node for each in looked_up(node, read))]
    keep_read(graph, nodes)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, file)


def is_matrix(tensor: TensorProto) -> bool:
    """Return whether an initializer holds weights: two dimensions of float32."""
    return len(tensor.dims) == 2 and tensor.data_type == TensorProto.FLOAT


def rounded(
    matrix: NDArray[np.float32], axis: int, moments: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    """Return a matrix in 8 bits, and its scales.

    Args:
        matrix: two dimensions, float32.
        axis: of the inputs, along which numbers share a scale.
        moments: of its inputs, `[K, K]`.

    Returns:
        `[K / b, b, N]` numbers and `[K / b, 1, N]` scales, with axis 1 `[V, D / b, b]` and `[V, D / b, 1]`.

    """
    length = matrix.shape[axis]
    block = BLOCK if length % BLOCK == 0 else length
    shape = [*matrix.shape[:axis], length // block, block, *matrix.shape[axis + 1 :]]
    blocks = matrix.reshape(shape)
    largest = np.abs(blocks).max(axis=axis + 1, keepdims=True)
    scales = (largest / LARGEST).astype(np.float16)
    scales = np.where(scales.astype(np.float32) * LARGEST < largest, np.nextafter(scales, np.float16(np.inf)), scales)
    divisors = np.where(scales == 0, 1, scales).astype(np.float32)
    if moments is None:
        return np.rint(blocks / divisors).astype(np.int8), scales
    steps = np.broadcast_to(divisors, shape).reshape(matrix.shape)
    turned = (matrix, steps) if axis == 1 else (matrix.T, steps.T)
    numbers = fitted(*turned, moments)
    return (numbers if axis == 1 else numbers.T).reshape(shape), scales


def fitted(matrix: NDArray[np.float32], steps: NDArray[np.float32], moments: NDArray[np.float64]) -> NDArray[np.int8]:
    """Round a matrix so that its products with inputs like those measured change little (GPTQ, Frantar et al. 2023).

    One input after another is rounded to the nearest number, and the weights of the inputs still to come make up for
    the error as well as the correlation of the inputs allows: the sum of squared errors of the outputs is minimal for
    what was rounded before. Inputs that are independent of each other leave each number the nearest one.

    Args:
        matrix: `[N, K]`.
        steps: between two numbers at each place, `[N, K]`.
        moments: the sum of x x^T over inputs, `[K, K]`.

    Returns:
        `[N, K]`, in steps.

    """
    inputs = len(moments)
    damped = moments + np.eye(inputs) * max(DAMPING * float(np.trace(moments)) / inputs, np.finfo(np.float64).tiny)
    factor = np.linalg.cholesky(np.linalg.inv(damped)).T  # [K, K], upper: inverse = factor^T factor
    left, found = matrix.astype(np.float64), np.empty(matrix.shape, dtype=np.int8)
    for k in range(inputs):
        numbers = np.clip(np.rint(left[:, k] / steps[:, k]), -LARGEST, LARGEST)
        error = (left[:, k] - numbers * steps[:, k]) / factor[k, k]
        left[:, k + 1 :] -= np.outer(error, factor[k, k + 1 :])
        found[:, k] = numbers
    return found


def as_floats(numbers: str, scales: str, shape: str, name: str) -> list[NodeProto]:
    """Return the nodes that compute `numbers` times `scales` in a shape, under the name of what they were."""
    return [
        helper.make_node("Cast", [numbers], [f"{name}.numbers"], to=TensorProto.FLOAT),
        helper.make_node("Cast", [scales], [f"{name}.factors"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}.numbers", f"{name}.factors"], [f"{name}.blocks"]),
        helper.make_node("Reshape", [f"{name}.blocks", shape], [name]),
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
    yield from as_floats(f"{rows}.8", f"{rows}.scales", f"{table}.row", rows)


def keep_read(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """Give a graph its nodes and constants, without what nothing reads."""
    wanted = {each.name for each in graph.output}
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(reversed(kept))
    constants = [each for each in graph.initializer if each.name in wanted]
    del graph.initializer[:]
    graph.initializer.extend(constants)
