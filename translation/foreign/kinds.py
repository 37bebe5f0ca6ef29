"""Model formats of other programs: the name of each, and what reads it."""

from pathlib import Path
from typing import NamedTuple


class Kind(NamedTuple):
    """A format."""

    what: str
    """Such as "a checkpoint of OpenNMT-py"."""
    way: str
    """What to do with it."""
    is_imported: bool = False
    """Whether `vaswani import` reads it."""


IMPORTED = (
    "vaswani import reads a MarianMTModel's folder, .npz of Marian's own and of tensor2tensor, and .pt of fairseq"
)
"""For formats that nothing converts to our network."""
TENSORFLOW = Kind(
    "a checkpoint of TensorFlow, as tensor2tensor and OpenNMT-tf write it",
    "on a machine with TensorFlow, write its variables to an .npz as the first lines of conversion/tensor2tensor.py "
    "show, and give that to vaswani import",
)
ARCHIVE = Kind("an archive", "unpack it, and give what is in it")
GGUF = Kind("a model of llama.cpp (GGUF)", IMPORTED)
KERAS = Kind("a file of Keras' weights (HDF5)", IMPORTED)
FLAX = Kind("a file of Flax's weights", IMPORTED)
ONNX = Kind(
    "a network in ONNX, whose weights cannot be read back",
    "onnxruntime runs it; vaswani translate does so with a folder that vaswani export wrote (--engine onnx)",
)
CTRANSLATE2 = Kind(
    "a model of CTranslate2, whose weights cannot be read back",
    "ctranslate2.Translator runs it; vaswani translate does so with a folder that vaswani export wrote (--engine "
    "ctranslate2)",
)
OPENNMT = Kind(
    "a checkpoint of OpenNMT-py", f"CTranslate2 reads it (ct2-opennmt-py-converter --model_path); {IMPORTED}"
)
EOLE = Kind("a model of eole", f"eole itself and CTranslate2 (its converters/eole_ct2.py) read it; {IMPORTED}")
JOEYNMT = Kind("a checkpoint of JoeyNMT", IMPORTED)
SOCKEYE = Kind("a model of Sockeye", IMPORTED)
LIGHTNING = Kind("a checkpoint of Lightning", IMPORTED)
TORCHSCRIPT = Kind("a program of TorchScript", IMPORTED)
VOCABULARY = Kind("a vocabulary", "give the model that it belongs to, with the vocabulary beside its weights")
ADAPTER = Kind("an adapter (PEFT) of another model", "merge it into that model, save the whole, and give that")
PICKLED = Kind(
    "a model whose weights are pickled (pytorch_model.bin), and loading these could run code",
    "if you trust it, load model and tokenizer with transformers, and save_pretrained both to another folder",
)
IN_PARTS = Kind("a checkpoint that was saved in parts", "vaswani consolidate makes a model of it")
DEEPSPEED = Kind("a part of a checkpoint of DeepSpeed", "give the folder of the checkpoint to vaswani consolidate")


def fairseq(path: Path) -> Kind:
    """Return the format of a fairseq checkpoint."""
    return Kind(
        "a checkpoint of fairseq", f"vaswani import {path} OUT makes a model of it, if it computes what ours does", True
    )


def tensor2tensor(path: Path) -> Kind:
    """Return what an .npz of variables is."""
    return Kind(
        "an .npz of tensor2tensor's variables",
        f"vaswani import {path} OUT --num_heads N makes a model of it, if it computes what ours does",
        True,
    )


def weights_alone(path: Path, what: str) -> Kind:
    """Return what a file of weights without settings is."""
    if (path.parent / "config.json").is_file():
        return Kind(what, f"give its folder, {path.parent}")
    return Kind(what, "a model is a folder that has its config.json and its tokenizer too; give that")
