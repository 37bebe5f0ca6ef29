"""Translate lines with a trained model: a line in, a line out, in order."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .lines import check_writable, read_lines, write_lines

if TYPE_CHECKING:
    import torch

MODEL_FILES = {
    "the configuration": ("config.json",),
    "the weights": ("model.safetensors", "model.safetensors.index.json"),
    "the tokenizer": ("tokenizer.json", "tokenizer_config.json"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani translate` takes."""
    parser.add_argument("model", metavar="MODEL", type=Path, help="folder of a trained model, such as runs/quickstart")
    parser.add_argument("--input", metavar="FILE", type=Path, help="text to translate, UTF-8 (default: stdin)")
    parser.add_argument("--output", metavar="FILE", type=Path, help="where the translation goes (default: stdout)")
    parser.add_argument("--beams", type=int, default=4, help="hypotheses kept by the search; 1 is greedy (default: 4)")
    parser.add_argument(
        "--length_penalty", type=float, default=0.6, help="larger favours longer translations (default: 0.6)"
    )
    parser.add_argument(
        "--batch_tokens", type=int, default=4096, help="most padded source tokens times beams at once (default: 4096)"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the accelerator if there is one)")


def run(args: argparse.Namespace) -> None:
    """Translate `args.input` into `args.output`.

    Raises:
        ValueError: the folder holds no model, the text is not UTF-8, the device is not here, a number is out of range.
        OSError: a file cannot be read or written.
    """
    check_model_folder(args.model)
    check_writable(args.output)
    lines = read_lines(args.input)

    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    import vaswani.modeling  # noqa: F401  teaches Auto* our classes
    from vaswani.serving.translate import translate

    watched = sys.stderr.isatty()
    if not watched:
        logging.disable_progress_bar()
    device = find_device(args.device)
    model = AutoModelForSeq2SeqLM.from_pretrained(args.model).to(device)
    translations = translate(
        model,
        AutoTokenizer.from_pretrained(args.model),
        lines,
        num_beams=args.beams,
        length_penalty=args.length_penalty,
        tokens_per_batch=args.batch_tokens,
        progress=watched,
    )
    write_lines(args.output, translations)


def check_model_folder(folder: Path) -> None:
    """Raise ValueError unless the folder has what a model needs."""
    missing = [
        f"{part} ({' or '.join(names)})"
        for part, names in MODEL_FILES.items()
        if not any((folder / name).is_file() for name in names)
    ]
    if missing:
        raise ValueError(
            f"{folder} {'lacks' if folder.is_dir() else 'is not a folder; a model is a folder with'} "
            f"{', '.join(missing)}. Give the folder that training wrote, or fetch one: "
            "hf download OWNER/NAME --local-dir FOLDER"
        )


def find_device(name: str | None) -> "torch.device":
    """Return the named device, or this machine's accelerator, or the CPU; ValueError if it is not here."""
    import torch

    if name is None:
        return torch.accelerator.current_accelerator(check_available=True) or torch.device("cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:  # torch built without CUDA asserts
        raise ValueError(f"--device {name} is not on this machine ({str(error).splitlines()[0]}); try cpu") from error
