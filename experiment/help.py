"""The `--help` of a recipe: its flags by group, each with its effect, its unit and its default in that recipe."""

import argparse
import re
import shutil
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from vaswani.flags import Range, RecipeHelp, numbers, whole
from vaswani.training.argument_checks import REFUSED
from vaswani.training.arguments import TRAINING_GROUPS, Group

NETWORK = {
    "vocab_size": "Tokens in the one vocabulary of source and target (section 5.1).",
    "d_model": "Dimensions of each embedding and of each sub-layer's output (section 3.1).",
    "d_ff": "Dimensions inside the feed-forward networks (section 3.3).",
    "num_heads": "h, attention heads of each layer (section 3.2.2).",
    "d_k": "Dimensions of a head's queries and keys.",
    "d_v": "Dimensions of a head's values.",
    "encoder_layers": "N, layers of the encoder (section 3.1).",
    "decoder_layers": "N, layers of the decoder (section 3.1).",
    "dropout": "P_drop, the probability of dropping an element of a sub-layer's output, and of the embeddings plus "
               "positions (section 5.4).",
    "label_smoothing": "epsilon_ls, the share of probability spread evenly over the vocabulary (section 5.4).",
    "positions": "Positional encoding: sinusoids (section 3.5), or a learned table (row E of table 3).",
    "norm": "Where layers are normalised: post, LayerNorm(x + Sublayer(x)) (section 3.1); or pre, "
            "x + Sublayer(LayerNorm(x)), as in later work.",
    "attention_dropout": "Probability of dropping an attention weight; the paper has none.",
    "activation_dropout": "Probability of dropping an element inside the feed-forward networks; the paper has none.",
    "max_positions": "Rows of the table of --positions learned: the longest text in tokens.",
    "attention_bias": "Biases in the four projections of each attention, as in fairseq and Marian; the paper has none.",
    "activation": "Function between the two matrices of the feed-forward networks: relu (eq. 2); or silu, which is "
                  "also called swish; or gelu.",
    "output_bias": "A bias on the logits, one number for each token, as in Marian; the paper has none.",
}  # fmt: skip
"""What each field of the network is. Not in the configuration itself, whose file travels with saved models."""

RANGES_OF_NETWORK = {
    **dict.fromkeys(("vocab_size", "d_model", "d_ff", "num_heads", "d_k", "d_v", "max_positions"), whole(1)),
    **dict.fromkeys(("encoder_layers", "decoder_layers"), whole(1)),
    **dict.fromkeys(("dropout", "label_smoothing", "attention_dropout", "activation_dropout"), numbers(0, below=1)),
}
"""Of its numbers."""

OF_TRANSFORMERS = {
    "output_dir": "Folder of the run: new or empty, or with --resume that of the run to resume. {direction} in its "
                  "name is replaced by --direction.",
    "seed": "Seed of the initial weights, of dropout and of the order of the text.",
    "bf16": "Mixed precision: multiply in bfloat16, over float32 weights.",
    "fp16": "Mixed precision in float16, for GPUs without bfloat16.",
    "tf32": "Multiply float32 numbers in TF32, on NVIDIA GPUs since Ampere.",
    "gradient_checkpointing": "Keep only each layer's input and compute the rest again in the backward pass: less "
                              "memory, more time.",
    "torch_compile": "Compile the network of the training step (docs/training.md).",
    "torch_compile_mode": "Mode of torch.compile, such as reduce-overhead (CUDA graphs, with --widths); switches "
                          "--torch_compile on.",
    "use_cpu": "Train on the CPU, even if there is an accelerator.",
    "run_name": "Name of the run in those trackers.",
    "disable_tqdm": "Log lines in place of a progress bar.",
    "push_to_hub": "Push the model to --hub_model_id on the Hub, with a model card.",
    "hub_model_id": "Repository on the Hub, created if there is none.",
    "hub_strategy": "When to push: end, at the end; every_save, at each checkpoint too; checkpoint, with the files of "
                    "the newest one, to resume from; all_checkpoints, with those of all.",
    "hub_private_repo": "Whether a new repository is private.",
    "hub_revision": "Branch of the repository, created if there is none.",
    "hub_token": "Token for the Hub. Better `hf auth login` or $HF_TOKEN: other users can read a command line.",
    "hub_always_push": "Push a checkpoint even while an earlier push is running.",
}  # fmt: skip
"""Help for the fields of transformers' TrainingArguments that are used here with their own defaults."""

UNSET = {
    "dataset": "none; give --data_dir",
    "tsv_quoting": "as none, but a file that looks quoted is refused",
    "extra_dirs": "none",
    "validation_splits": "none",
    "score_as": "none",
    "weights": "1 each",
    "directions": "none, one direction",
    "temperature": "none, by --weights",
    "widths": "none: any shape, with as little padding as possible",
    "user_tokens": "none",
    "glossary": "none",
    "d_k": "d_model / num_heads",
    "d_v": "d_model / num_heads",
    "output_dir": "trainer_output",
    "peak_learning_rate": "that of eq. 3, (d_model * warmup_steps)^-0.5",
    "patience": "none, train for --max_steps",
    "init_from": "none, start anew",
    "lora_rank": "none, train all weights",
    "ema_decay": "none, no moving average",
    "consistency": "none, one pass",
    "consistency_weight": "5 for rdrop, 3 for simcut",
    "eval_steps": "--logging_steps",
    "metric_for_best_model": "bleu, for trees f1",
    "greater_is_better": "as --metric_for_best_model asks",
    "tf32": "as torch is set",
    "gradient_checkpointing": "false",
    "torch_compile_mode": "that of torch.compile",
    "run_name": "chosen by the tracker",
    "disable_tqdm": "false on a terminal",
    "hub_model_id": "none, needed by --push_to_hub",
    "hub_private_repo": "as the owner's settings on the Hub say",
    "hub_revision": "main",
    "hub_token": "that of `hf auth login`",
    "hub_license": "none is stated",
    "push_native": "neither",
}
"""The effective values of fields that neither the recipe nor the command line sets."""

METAVARS = {
    "dataset": "NAME", "dataset_config": "NAME", "data_dir": "FOLDER", "extra_dirs": "FOLDER", "cache_dir": "FOLDER",
    "output_dir": "FOLDER", "train_split": "NAME", "validation_split": "NAME", "test_splits": "NAME[=FOLDER]",
    "validation_splits": "NAME=FOLDER", "score_as": "multi30k|iwslt14|wmt14|sacrebleu",
    "tsv_quoting": "none|spreadsheet", "line_breaks": "space|drop", "direction": "SOURCE-TARGET",
    "directions": "SOURCE-TARGET[=FOLDER]", "temperature": "T",
    "user_tokens": "TOKEN", "glossary": "FILE",
    "warmup_steps": "N", "cooldown_steps": "N", "eval_steps": "N", "save_steps": "N", "logging_steps": "N",
    "eval_strategy": "steps|no", "metric_for_best_model": "NAME", "report_to": "NAME", "run_name": "NAME",
    "hub_model_id": "OWNER/NAME", "hub_strategy": "end|every_save|checkpoint|all_checkpoints", "hub_revision": "BRANCH",
    "consistency": "rdrop|simcut", "optimizer": "adam|muon",
    "init_from": "MODEL", "hub_license": "NAME", "push_native": "beside|instead", "hub_token": "TOKEN",
    "torch_compile_mode": "MODE", "source_timeout": "SECONDS", "ddp_timeout": "SECONDS",
}  # fmt: skip
"""Placeholders for values whose type alone says too little."""

METAVARS_OF_KINDS: Mapping[Any, str] = {bool: "true|false", int: "N", float: "X"}


GROUPS = (
    Group("network", "By the symbols of table 3; docs/paper.md says where each is.", tuple(NETWORK)),
    Group("data", "Which text. Formats of files and folders: docs/data.md.", (
        "dataset", "dataset_config", "data_dir", "direction", "directions", "train_split", "validation_split",
        "validation_splits", "test_splits", "score_as",
        "extra_dirs", "weights", "temperature", "tsv_quoting", "line_breaks", "source_timeout", "cache_dir",
    )),
    Group("data, cleaning", "Which pairs are trained on; what is dropped is counted by reason.", (
        "max_tokens", "max_ratio", "drop_html", "check_script", "drop_duplicates", "drop_test_text", "max_unreadable",
    )),
    Group("data, vocabulary and batches", None, (
        "user_tokens", "tokenizer_pairs", "bpe_dropout", "glossary", "term_share",
        "tokens_per_batch", "batches_per_step", "widths", "streams", "window_groups", "packed_cache",
        "dataloader_num_workers",
    )),
    *TRAINING_GROUPS,
)  # fmt: skip
"""What --help shows, in this order. --help-all also shows the other fields of transformers' TrainingArguments."""

SHOW, SHOW_ALL = "Show this, and end.", "Show all flags, and end."
USAGE = "%(prog)s [--flag value ...]"
BOOLEANS = "A true-or-false flag without a value means true."
MORE = f"{BOOLEANS} --help-all also lists the other flags of transformers' Trainer, and those that are refused."


class Flag(NamedTuple):
    """A field as a flag."""

    name: str
    kind: Any
    """Its type."""
    about: str | None
    """What it does, as argparse formats it."""
    default: Any
    """In this recipe."""
    range: Range | None
    """The numbers that it takes."""


def format_help(
    prog: str,
    description: str | None,
    flags: Sequence[Flag],
    everything: bool,
    add_flags: Callable[[argparse.ArgumentParser], None] | None,
) -> str:
    """Return the help of a recipe.

    Args:
        prog: the name of its file.
        description: its docstring.
        flags: all that it accepts.
        everything: whether to show also those that nobody needs here, and those that are refused.
        add_flags: declares flags that are shown before these.

    """
    parser = argparse.ArgumentParser(
        prog=prog,
        usage=USAGE,
        description=filled(description or ""),
        epilog=filled(BOOLEANS if everything else MORE),
        formatter_class=RecipeHelp,
        add_help=False,
    )
    if add_flags is not None:
        add_flags(parser)
    by_name = {flag.name: flag for flag in flags}
    shown = {name for group in GROUPS for name in group.names}
    for group in GROUPS:
        section = parser.add_argument_group(group.title, group.about)
        for name in group.names:
            if name in by_name:  # another version of transformers may lack one
                show(section, by_name[name])
    if everything:
        section = parser.add_argument_group("transformers", "Other flags of its Trainer, in the words of its help.")
        for flag in flags:
            if flag.name not in shown and flag.name not in REFUSED:
                show(section, flag)
        section = parser.add_argument_group("refused", "Flags of transformers' Trainer that cannot be used here.")
        for name, way in REFUSED.items():
            show(section, by_name[name]._replace(about=f"Refused: {way}."), with_default=False)
    section = parser.add_argument_group("help")
    section.add_argument("-h", "--help", action="help", help=SHOW)
    section.add_argument("--help-all", action="help", help=SHOW_ALL)
    return parser.format_help()


def show(section: Any, flag: Flag, with_default: bool = True) -> None:
    """Add a flag to a group of the help."""
    kind, several = plain(flag.kind)
    metavar = METAVARS.get(flag.name) or METAVARS_OF_KINDS.get(kind, "TEXT")
    if flag.name not in METAVARS and get_origin(kind) is Literal and str in map(type, get_args(kind)):
        metavar = "|".join(map(str, get_args(kind)))
    about = OF_TRANSFORMERS.get(flag.name, flag.about) or ""
    default = f" (default: {readable(flag)})".replace("%", "%%") if with_default else ""
    nargs = "+" if several else "?" if kind is bool else None
    section.add_argument(f"--{flag.name}", metavar=metavar, nargs=nargs, type=flag.range, help=f"{about}{default}")


def plain(kind: Any) -> tuple[Any, bool]:
    """Return the type of a flag's value, and whether it takes several values."""
    if get_origin(kind) in (Union, types.UnionType):
        kinds = [each for each in get_args(kind) if each is not type(None)]
        return plain(next((each for each in kinds if each is not str), str)) if len(kinds) > 1 else plain(kinds[0])
    if get_origin(kind) is list:
        return get_args(kind)[0], True
    return kind, False


def readable(flag: Flag) -> str:
    """Return a default as a user would type it, or its effective value if there is none."""
    value = flag.default
    if value is None or value in ([], ""):
        return UNSET.get(flag.name, "none")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, float):
        return f"{value:g}"
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def filled(text: str) -> str:
    """Return text in lines that fit the terminal; commands stay as they are."""
    width = max(shutil.get_terminal_size().columns - 2, 40)
    paragraphs = re.split(r"\n\s*\n", text.strip())
    return "\n\n".join(
        each if re.match(r"(accelerate|python) ", each) else textwrap.fill(" ".join(each.split()), width)
        for each in paragraphs
    )
