"""From a recipe's configuration and the command line to checked arguments: every field is a flag of the same name."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import field, fields, make_dataclass
from typing import Annotated, Any, NamedTuple

from vaswani.data.directions import in_file_names
from vaswani.evaluation.metric_table import METRICS, Kind, of_kind
from vaswani.modeling import VaswaniConfig
from vaswani.publishing import Target, hide_tokens
from vaswani.training import TrainingEndedError, VaswaniTrainingArguments
from vaswani.training.argument_checks import REFUSED, metric_of
from vaswani.training.renamed import rename_fields, rename_flags

from .command_line import Parser, check_no_args_file, is_given
from .data_arguments import DataArguments
from .help import NETWORK, RANGES_OF_NETWORK

_NOT_A_DIMENSION = {"is_encoder_decoder", "tie_word_embeddings", "use_cache"}
MODEL_FIELDS = tuple(
    name for name in VaswaniConfig.__annotations__ if name not in _NOT_A_DIMENSION and not name.endswith("_token_id")
)


class Arguments(NamedTuple):
    """The settings of one run."""

    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    data: DataArguments
    training: VaswaniTrainingArguments
    given: frozenset[str] = frozenset()
    """Fields that the command line set, not the recipe."""


class Recipe(NamedTuple):
    """One experiment: how it differs from the paper's base run."""

    description: str | None
    """The recipe's docstring, shown by --help."""
    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    data: dict[str, Any]
    """Fields of `DataArguments`."""
    training: dict[str, Any]
    """Fields of `VaswaniTrainingArguments`."""


def parse(
    recipe: Recipe,
    argv: Sequence[str] | None = None,
    add_flags: Callable[[argparse.ArgumentParser], None] | None = None,
) -> Arguments:
    """Override the paper's defaults by a recipe, and the recipe by the command line (by default this process's).

    Args:
        recipe: gives the defaults.
        argv: the command line.
        add_flags: declares flags that --help shows before those of any recipe; they are not read here.

    Raises:
        SystemExit: a flag is unknown or a value does not fit; the message on stderr says which, and which flags are
            similar. Or --help or --help-all was given.
        TypeError: the recipe itself names a field that does not exist.

    """
    flags = rename_flags(sys.argv[1:] if argv is None else argv)
    sections: list[tuple[Any, dict[str, Any]]] = [
        (network_fields(), recipe.model),
        (DataArguments, without_displaced(rename_fields(recipe.data, "the recipe"), flags)),
        (VaswaniTrainingArguments, rename_fields(recipe.training, "the recipe")),
    ]
    parser = Parser([section for section, _ in sections], recipe.description, add_flags)
    for section, values in sections:
        if unknown := values.keys() - {each.name for each in fields(section)}:
            raise TypeError(f"{section.__name__} has no field {', '.join(sorted(unknown))}")
        parser.set_defaults(**values)
        parser.recipe |= values
    try:
        network, data, training, remaining = parser.parse_args_into_dataclasses(
            flags, return_remaining_strings=True, look_for_args_file=False
        )
        check_no_args_file(sys.argv[0])
        if remaining:
            parser.error(f"unknown: {hide_tokens(' '.join(remaining))}{parser.nearest(remaining[0])}")
        refuse_unused(flags)
        named = [each.name for section, _ in sections for each in fields(section)]
        given = frozenset(name for name in named if is_given(f"--{name}", flags))
        arguments = Arguments(dict(vars(network)), data, training, given)
        follow(arguments, recipe, flags)
        check_together(arguments)
    except ValueError as error:
        parser.error(str(error))
    except TrainingEndedError as error:  # before it began
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error
    return arguments


def refuse_unused(flags: Sequence[str]) -> None:
    """Refuse flags of the Trainer that change nothing here, also with its defaults; raises ValueError.

    Somebody who types them takes them for what decides. What is on or off may be said as it is.
    """
    for name, way in REFUSED.items():
        is_switch = isinstance(getattr(VaswaniTrainingArguments, name, None), bool)
        if is_given(f"--{name}", flags) and not is_switch:
            raise ValueError(f"--{name} cannot be used here; {way}")


def network_fields() -> Any:
    """Return a dataclass of the fields of `VaswaniConfig` that a recipe may give, with their help."""
    by_default = VaswaniConfig()
    derived = {"d_k", "d_v"}  # from d_model and num_heads, unless given
    kinds = VaswaniConfig.__annotations__ | dict.fromkeys(
        (name for name in MODEL_FIELDS if isinstance(getattr(by_default, name), float)), float
    )
    kinds |= {name: Annotated[kinds[name], its] for name, its in RANGES_OF_NETWORK.items()}
    return make_dataclass(
        "ModelArguments",
        [
            (name, kinds[name],
             field(default=None if name in derived else getattr(by_default, name),
                   metadata={"help": NETWORK[name]}))
            for name in MODEL_FIELDS
        ],
    )  # fmt: skip


def without_displaced(data: dict[str, Any], flags: Sequence[str]) -> dict[str, Any]:
    """Return a recipe's fields of `DataArguments` but for those of its text that the command line replaces.

    The folders that it reads beside its own text belong to that text; --directions names a text for each direction.
    """
    is_other = is_given("--dataset", flags) or is_given("--data_dir", flags)
    displaced = {"extra_dirs", "weights"} if is_other or is_given("--directions", flags) else set()
    if is_other:
        displaced |= {"validation_splits"}
    if is_given("--dataset", flags):
        displaced |= {"data_dir"}
    found = {name: value for name, value in data.items() if name not in displaced}
    if is_other and "test_splits" in found:
        found["test_splits"] = [each for each in found["test_splits"] if "=" not in each]
    return found


def follow(arguments: Arguments, recipe: Recipe, flags: Sequence[str]) -> None:
    """Set what follows from flags: which of the recipe's corpora they leave, and the folder's name."""
    data, training = arguments.data, arguments.training
    if data.data_dir is not None and not is_given("--dataset", flags):
        data.dataset = None  # a folder named on the command line takes the place of the recipe's data set
    if data.dataset != recipe.data.get("dataset") and not is_given("--dataset_config", flags):
        data.dataset_config = None  # the recipe's value belongs to its own data set
    directions = in_file_names("+".join(data.of_each_direction()))
    training.output_dir = str(training.output_dir).replace("{direction}", directions)


def check_together(arguments: Arguments) -> None:
    """Make sure that arguments go together, before anything is built or read; raises ValueError if not."""
    dimensions, data, training = arguments.model, arguments.data, arguments.training
    if {"direction", "directions"} <= arguments.given:
        raise ValueError(f"--direction {data.direction} and --directions are both given; give one of them")
    if "score_as" in arguments.given and data.outputs is Kind.PARSES:
        raise ValueError(f"--score_as {data.score_as} counts translations, and trees are scored by F1: leave it out")
    metric = metric_of(training)
    if metric in METRICS and METRICS[metric].kind is not data.outputs:
        raise ValueError(
            f"--metric_for_best_model is {metric}, but text in {data.target!r} is scored by "
            f"{METRICS[data.quality].name}: give {', '.join(each.key for each in of_kind(data.outputs))}, loss "
            "or perplexity"
        )
    if training.push_to_hub:
        if not training.hub_model_id:
            raise ValueError("--push_to_hub needs a repository: give --hub_model_id OWNER/NAME")
        Target(training.hub_model_id)  # checks the name
    VaswaniConfig(**dimensions)
