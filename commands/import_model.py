"""Bring the weights of a Marian (OPUS-MT), fairseq or tensor2tensor model of the same architecture into ours."""

import argparse
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from vaswani.flags import whole
from vaswani.translation.foreign import config_of, recognise
from vaswani.translation.models import check_name, repository_of

if TYPE_CHECKING:
    from vaswani.modeling import VaswaniConfig
    from vaswani.translation.repository import Repository


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani import` takes."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder or OWNER/NAME of a MarianMTModel, such as OPUS-MT; .npz of Marian's own, or its folder; .pt of "
        "fairseq; or .npz of tensor2tensor's variables",
    )
    parser.add_argument("output", metavar="OUTPUT", type=Path, help="folder for our model; must not exist")
    parser.add_argument(
        "--num_heads",
        type=whole(1),
        help="attention heads of each layer, which tensor2tensor's .npz does not tell (default: what others tell)",
    )
    parser.add_argument(
        "--target_space",
        metavar="N",
        type=whole(0),
        help="for an .npz with target_space_embedding: the target_space_id, a number from 0, of the problem it was "
        "trained on (default: none)",
    )


def run(args: argparse.Namespace) -> None:
    """Write the model, and say what became of its positions.

    Raises:
        ValueError: the source is none of these, or computes what ours cannot.
        OSError: a file cannot be read or written.
    """
    source = Path(args.source)
    check_name(source, "SOURCE")
    check_name(args.output, "OUTPUT")
    check_packing(source)
    repository = repository_of(args.source)
    if repository is None:
        check_source(args.source, source)
    if args.output.exists():
        raise ValueError(f"{args.output} exists; name another folder")
    if repository is not None:
        source = fetch_marian(args.source, repository)
    is_marian = config_of(source).get("model_type") == "marian"

    from transformers.utils import logging

    from vaswani.conversion import (
        copy_tokenizer,
        find_marian,
        leave_tokenizer,
        read_fairseq,
        read_marian,
        read_marian_npz,
        read_tensor2tensor,
        to_vaswani,
    )

    of_marian = None if is_marian else find_marian(source)
    is_of_tensor2tensor = source.suffix == ".npz" and of_marian is None
    if is_of_tensor2tensor and args.num_heads is None:
        if not zipfile.is_zipfile(source):
            raise ValueError(f"{source} is damaged, or no .npz; was it cut off?")
        raise ValueError("an .npz does not record how many heads a layer has; give --num_heads")
    for name in ("num_heads", "target_space"):
        if not is_of_tensor2tensor and getattr(args, name) is not None:
            raise ValueError(f"--{name} is only for an .npz of tensor2tensor's; {source} records it, so leave it out")

    from vaswani.publishing.import_record import ImportRecord, write_import
    from vaswani.storage import atomic_folder, naming_damage

    logging.disable_progress_bar()
    generation = None
    with naming_damage(str(source), "a file of it" if source.is_dir() else "it"):
        if is_marian:
            whose, (foreign, generation) = "Marian", read_marian(source)
        elif of_marian is not None:
            whose, foreign = "Marian", read_marian_npz(of_marian)
        elif source.suffix == ".pt":
            whose, foreign = "fairseq", read_fairseq(source)
        else:
            whose, foreign = "tensor2tensor", read_tensor2tensor(source, args.num_heads, args.target_space)
        model = to_vaswani(foreign)
    if generation is not None:
        model.generation_config = generation
    called = source.resolve().name if repository is None else f"{repository.name}@{source.name}"
    with atomic_folder(args.output) as draft:
        model.save_pretrained(draft)
        write_import(draft, ImportRecord(called, whose, tuple(foreign.notes)))
        size = model.config.vocab_size
        copied = copy_tokenizer(source, draft, size) if is_marian else []
        if of_marian is not None:
            copied = leave_tokenizer(of_marian, draft, size)
        unread = check_tokenizer(draft, source, size) if copied else None
    kind = (
        "computed, as in the paper"
        if model.config.positions == "sinusoidal"
        else f"a table of {model.config.max_positions}, since theirs are not the paper's; training would change it"
    )
    words = ", ".join(copied) or "none; put one beside the weights (tokenizer.json, tokenizer_config.json)"
    if unread is not None:
        words += f" ({unread})"
    beyond = ", ".join(beyond_the_paper(model.config))
    print(
        f"{args.output}: {model.num_parameters():,} parameters; positions: {kind}"
        + (f"; with {beyond}, which the paper has not" if beyond else "")
        + f"; tokenizer: {words}"
    )
    for note in foreign.notes:
        print(f"Note: {note}")


def check_tokenizer(folder: Path, source: Path, vocab_size: int) -> str | None:
    """Load a tokenizer that was copied; return why it could not be, where what reads it is not installed.

    Args:
        folder: the copy.
        source: of what, for errors.
        vocab_size: the tokens of its network.

    Raises:
        ValueError: it is damaged, or has tokens that the network has not.

    """
    from vaswani.translation.loading import lacking_reader, load_tokenizer

    if (lacking := lacking_reader(folder)) is not None:
        return lacking
    try:
        tokens = len(load_tokenizer(folder))
    except ValueError as error:
        raise ValueError(str(error).replace(str(folder), str(source))) from error
    if tokens > vocab_size:
        raise ValueError(
            f"the tokenizer in {source} has {tokens} tokens and the network {vocab_size}: they are not of one model; "
            "put the tokenizer and the weights of one model there"
        )
    return None


def beyond_the_paper(config: "VaswaniConfig") -> list[str]:
    """Return what a network has that the paper's has not, in words."""
    parts = {
        "biases in attention": config.attention_bias,
        config.activation: config.activation != "relu",
        "a bias on the logits": config.output_bias,
    }
    return [part for part, is_there in parts.items() if is_there]


def check_packing(source: Path) -> None:
    """Raise ValueError, with the way out, if a source or its config.json is compressed, or the latter is in UTF-16."""
    from vaswani.data.containers import refuse_no_text, refuse_packed

    if source.suffix in (".pt", ".npz") and source.is_file():
        refuse_packed(source)
    refuse_no_text(source / "config.json")


def fetch_marian(given: str, repository: "Repository") -> Path:
    """Return the folder of a MarianMTModel on the Hub; pickled weights too, of which transformers reads tensors alone.

    Raises:
        ValueError: there is none.

    """
    from vaswani.translation.repository import SETTINGS, WEIGHTS, fetch, look

    listing = look(repository)
    folder = fetch(repository, listing, SETTINGS) if "config.json" in listing.names else Path(given)
    check_source(given, folder, listing.names)
    is_safe = any(name.endswith((".safetensors", ".safetensors.index.json")) for name in listing.names)
    return fetch(repository, listing, WEIGHTS if is_safe else ("pytorch_model*.bin*",))


def check_source(given: str, source: Path, names: frozenset[str] | None = None) -> None:
    """Raise ValueError unless a source looks like one of those that are read.

    Args:
        given: what the user calls it.
        source: a folder of transformers' or a file; of a repository, what was fetched of it.
        names: of the files of that repository.

    """
    kind = config_of(source).get("model_type")
    if kind == "marian":
        return
    if kind == "vaswani":
        raise ValueError(f"{given} is a model of ours already; use it as it is")
    if kind is not None:
        raise ValueError(
            f"{given} is a model of transformers of the type {kind}, and of these only MarianMTModels (marian) are "
            "imported; vaswani translate takes an encoder-decoder of transformers as it is"
        )
    found = recognise(source, names)
    if found is not None and not found.is_imported:
        raise ValueError(f"{given} is {found.what}, and is not imported; {found.way}")
    if found is None and source.suffix not in (".pt", ".npz"):
        raise ValueError(f"{given} is no folder of a MarianMTModel, no .pt of fairseq and no .npz of tensor2tensor")
