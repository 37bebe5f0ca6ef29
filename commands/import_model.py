"""Bring the weights of a Marian, fairseq or tensor2tensor model of the same architecture into ours."""

import argparse
import shutil
from importlib.util import find_spec
from pathlib import Path

from .foreign import config_of, recognise
from .models import check_name

TOKENIZER = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "source.spm", "target.spm",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani import` takes."""
    parser.add_argument(
        "source", metavar="SOURCE", type=Path,
        help="folder of a MarianMTModel, .pt of fairseq, or .npz of tensor2tensor's variables",
    )  # fmt: skip
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="folder for our model; must not exist")
    parser.add_argument("--num_heads", type=int, help="heads of each layer, which an .npz does not tell")
    parser.add_argument(
        "--target_space", metavar="N", type=int,
        help="of an .npz with target_space_embedding: the target_space_id of the problem it was trained on",
    )  # fmt: skip


def run(args: argparse.Namespace) -> None:
    """Write the model, and say what became of its positions.

    Raises:
        ValueError: the source is none of the three, or computes what ours cannot.
        OSError: a file cannot be read or written.
    """
    check_name(args.source, "SOURCE")
    check_name(args.output, "OUTPUT")
    check_packing(args.source)
    kind = config_of(args.source).get("model_type")
    is_marian = kind == "marian"
    check_source(args.source, kind)
    if args.source.suffix == ".npz" and args.num_heads is None:
        raise ValueError("an .npz does not tell how many heads a layer has; give --num_heads")
    for name in ("num_heads", "target_space"):
        if args.source.suffix != ".npz" and getattr(args, name) is not None:
            raise ValueError(f"--{name} is of an .npz; {args.source} tells by itself, so leave it out")
    if args.output.exists():
        raise ValueError(f"{args.output} exists; name another folder")

    from transformers.utils import logging

    from vaswani.conversion import express, read_fairseq, read_marian, read_tensor2tensor

    logging.disable_progress_bar()
    generation = None
    if is_marian:
        foreign, generation = read_marian(args.source)
    elif args.source.suffix == ".pt":
        foreign = read_fairseq(args.source)
    else:
        foreign = read_tensor2tensor(args.source, args.num_heads, args.target_space)
    model = express(foreign)
    if generation is not None:
        model.generation_config = generation
    model.save_pretrained(args.output)
    copied = [name for name in TOKENIZER if is_marian and (args.source / name).is_file()]
    for name in copied:
        shutil.copy(args.source / name, args.output / name)
    kind = "computed, as in the paper" if model.config.positions == "sinusoidal" else (
        f"a table of {model.config.max_positions}, since theirs are not the paper's; training would change it"
    )  # fmt: skip
    words = ", ".join(copied) or "none; put one beside the weights (tokenizer.json, tokenizer_config.json)"
    if "source.spm" in copied and find_spec("sentencepiece") is None:
        words += " (read by sentencepiece, which is not installed: pip install sentencepiece)"
    print(f"{args.output}: {model.num_parameters():,} parameters; positions: {kind}; tokenizer: {words}")
    for note in foreign.notes:
        print(f"Note: {note}")


def check_packing(source: Path) -> None:
    """Raise ValueError, with the way out, if a source or its config.json is compressed, or the latter is in UTF-16."""
    from vaswani.data.containers import refuse_no_text, refuse_packed

    if source.suffix in (".pt", ".npz") and source.is_file():
        refuse_packed(source)
    refuse_no_text(source / "config.json")


def check_source(source: Path, kind: str | None) -> None:
    """Raise ValueError unless a source, maybe a folder of transformers' of that kind, looks like one of the three."""
    if kind == "marian":
        return
    if kind == "vaswani":
        raise ValueError(f"{source} is a model of ours already; use it as it is")
    if kind is not None:
        raise ValueError(
            f"{source} is a model of transformers of the type {kind}, and of these only MarianMTModels (marian) are "
            "imported; vaswani translate takes an encoder-decoder of transformers as it is"
        )
    found = recognise(source)
    if found is not None and not found.is_imported:
        raise ValueError(f"{source} is {found.what}, and is not imported; {found.way}")
    if source.suffix not in (".pt", ".npz"):
        raise ValueError(f"{source} is no folder of a MarianMTModel, no .pt of fairseq and no .npz of tensor2tensor")
