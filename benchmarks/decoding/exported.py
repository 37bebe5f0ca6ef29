"""The engines that are installed, each with a model exported to it."""

from collections.abc import Iterator
from pathlib import Path

from vaswani.engines.engine import Engine, engine_module
from vaswani.engines.export import export

KINDS = (("ctranslate2", "float32"), ("ctranslate2", "int8"), ("onnx", "float32"), ("onnx", "int8"))
NAMES = {"ctranslate2": "CTranslate2", "onnx": "ONNX"}


def exported(model: Path, folder: Path, threads: int) -> Iterator[tuple[str, Engine]]:
    """Export `model` below `folder` to every engine, in float32 and int8, and yield a name and the engine, loaded.

    One that is not installed is told and left out.
    """
    for engine, quantization in KINDS:
        where = folder / f"{engine}-{quantization}"
        try:
            export(model, where, engine, quantization)
        except ValueError as error:
            print(f"Without {NAMES[engine]}, {quantization}: {error}")
            continue
        name = NAMES[engine] if quantization == "float32" else f"{NAMES[engine]}, {quantization}"
        yield name, engine_module(engine).Engine(where, "cpu", threads)
