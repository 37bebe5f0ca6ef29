"""The model that a run starts from (--init_from): its network and vocabulary are kept, the rest of training is new."""

import hashlib
import math
from collections.abc import Collection
from pathlib import Path
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedTokenizerFast

from vaswani.data import Corpus
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.modeling.configuration_vaswani import COMPUTED
from vaswani.publishing.derived_model import leaves, part_of
from vaswani.publishing.run_record import RUN, ParentRecord, RunRecord, TrainingRecord, read_run
from vaswani.storage.records import as_json
from vaswani.training.checkpointing.checkpoints import sealed
from vaswani.training.lora import RATE_FACTOR
from vaswani.training.schedule import inverse_square_root
from vaswani.translation.loading import check_network, load_tokenizer, load_whole
from vaswani.translation.models import find_model

from .arguments import Arguments
from .caches import copied_tokenizer, saved_tokenizer
from .corpora import training_tokenizer

INHERITED = (*COMPUTED, "bos_token_id")
"""Fields of the network that a run has of its parent."""
OF_VOCABULARY = ("vocab_size", "pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id")
"""Those of them that another vocabulary brings along."""
WARMUP_SHARE = 0.05
"""Of --max_steps: the moments of Adam are new, and their first estimates are rough."""
RATE = 1e-4
"""The peak rate if the parent's last learning rate is unknown."""
SLOWEST = 1e-5
"""The least peak rate: a parent that was trained for very long ended at a rate too small for a short run."""


class Parent(NamedTuple):
    """A model that a run starts from."""

    config: VaswaniConfig
    tokenizer: Any
    record: ParentRecord


class Start(NamedTuple):
    """The part of a run's arguments that follows from its parent; the same on all processes."""

    model: dict[str, Any]
    """Fields of `VaswaniConfig`."""
    peak_learning_rate: float | None
    warmup_steps: float
    parent: ParentRecord | None = None
    remarks: tuple[str, ...] = ()
    """What was chosen, for the log."""

    def apply(self, arguments: Arguments) -> Arguments:
        """Return a run's arguments with these values; its training arguments are changed in place."""
        arguments.training.peak_learning_rate = self.peak_learning_rate
        arguments.training.warmup_steps = self.warmup_steps
        return arguments._replace(model=self.model)


def start_of(arguments: Arguments, folder: Path) -> Start:
    """Return the arguments that a run uses: a resumed run's from its record, a new run's from its parent.

    A run that has a checkpoint never looks at its parent again.

    Args:
        arguments: of the command line.
        folder: of the run.

    Raises:
        ValueError: there is no such parent, the flags contradict it, or the run was started from another one.

    """
    training = arguments.training
    as_told = Start(arguments.model, training.peak_learning_rate, training.warmup_steps)
    before = read_run(folder) if training.resume and (folder / RUN).is_file() else None
    if before is not None and sealed(folder):
        check_same_parent(before.parent, arguments)
        check_same_rank(before.training.lora_rank, training.lora_rank)
        return as_told if before.parent is None else as_before(as_told, before, arguments.given)
    if training.init_from is None:
        if training.new_vocabulary:
            raise ValueError("--new_vocabulary is only for a run that starts from a model; give --init_from MODEL")
        return as_told
    parent = find_parent(training.init_from, not training.new_vocabulary)
    if before is not None and before.parent is not None:  # ended before its first checkpoint
        check_unchanged(before.parent, parent.record.checksum)
    return from_parent(arguments, parent)


def check_same_parent(record: ParentRecord | None, arguments: Arguments) -> None:
    """Raise ValueError unless a run that resumes was started from the model that its flags name, in the same way."""
    given, is_new = arguments.training.init_from, arguments.training.new_vocabulary
    if (record.given if record else None) != given:
        was = f"started from {record.given}" if record else "started anew"
        now = f"--init_from is {given}" if given else "--init_from is left out"
        raise ValueError(f"the run was {was}, and {now}; resume with what it was started with, or name another folder")
    if record is not None and record.is_vocabulary_new != is_new:
        raise ValueError(
            f"--new_vocabulary was {str(record.is_vocabulary_new).lower()} and is {str(is_new).lower()}; resume with "
            "what the run was started with, or name another folder"
        )


def check_same_rank(then: int | None, now: int | None) -> None:
    """Raise ValueError unless a run that resumes trains the weights that it trained before."""
    if then != now:
        was, is_now = (f"with --lora_rank {each}" if each else "without --lora_rank" for each in (then, now))
        raise ValueError(f"the run was started {was} and is resumed {is_now}; resume as it was started")


def as_before(start: Start, before: RunRecord, given: Collection[str]) -> Start:
    """Return network and schedule from a run's record, except for values that flags give now."""
    then = {name: value for name, value in as_json(before.model).items() if name in INHERITED and name not in given}
    schedule = {
        name: getattr(before.training, name) for name in ("peak_learning_rate", "warmup_steps") if name not in given
    }
    return start._replace(model=start.model | then, parent=before.parent, **schedule)


def find_parent(given: str, is_vocabulary_kept: bool) -> Parent:
    """Return the model of a folder or repository.

    Raises:
        ValueError: there is none, it is not one of ours, or training cannot use its vocabulary.

    """
    found = find_model(given)
    check_network(found.folder)
    if (kind := VaswaniConfig.get_config_dict(found.folder)[0].get("model_type")) != VaswaniConfig.model_type:
        way = (
            f"vaswani import {given} OUT, then --init_from OUT" if kind == "marian" else "give a model of this package"
        )
        raise ValueError(f"--init_from {given} holds a network of the type {kind}; {way}")
    network = VaswaniConfig.from_pretrained(found.folder)
    tokenizer = load_tokenizer(found.folder)
    if is_vocabulary_kept:
        check_tokenizer(given, network, tokenizer)
    checksum, last = weights_checksum(found.folder), last_learning_rate(found.folder)
    return Parent(network, tokenizer, ParentRecord(given, checksum, not is_vocabulary_kept, found.commit, last))


def check_tokenizer(given: str, config: VaswaniConfig, tokenizer: Any) -> None:
    """Raise ValueError unless training can encode both sides of its text with a parent's tokenizer."""
    way = "or add --new_vocabulary true, which learns one from this run's text"
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ValueError(
            f"--init_from {given}: its tokenizer is a {type(tokenizer).__name__}, and a run encodes both sides by one "
            f"tokenizer of the `tokenizers` library; give a model that has one, {way}"
        )
    if len(tokenizer) != config.vocab_size:
        raise ValueError(
            f"--init_from {given}: its network has {config.vocab_size:,} tokens and its tokenizer {len(tokenizer):,}; "
            f"put both from one model there, {way}"
        )
    ends = tokenizer("a").input_ids[-1:]
    if ends != [config.eos_token_id] or tokenizer.pad_token_id != config.pad_token_id:
        raise ValueError(
            f"--init_from {given}: its tokenizer ends a sentence with token {ends} and pads with "
            f"{tokenizer.pad_token_id}, its network with {config.eos_token_id} and {config.pad_token_id}; put both "
            f"from one model there, {way}"
        )


def weights_checksum(folder: Path) -> str:
    """Return the SHA-256 of a model's weights, file after file by name."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("model*.safetensors")):
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: digest)
    return digest.hexdigest()


def last_learning_rate(folder: Path) -> float | None:
    """Return the last learning rate of a parent, if its folder, or that of its run, records it; of averages the least.

    That of a checkpoint is the rate of its step.
    """
    made = part_of(folder)
    rates = [
        rate_at(made.runs[part.run].training, part.step)
        for part in leaves(made.parts)
        if part.run in made.runs and made.runs[part.run].training.peak_learning_rate
    ]
    return min(rates, default=None)


def rate_at(training: TrainingRecord, step: int | None) -> float:
    """Return the learning rate of a run at a step, None its last, as if it had no cooldown, which leaves no rate."""
    factor = inverse_square_root(training.max_steps if step is None else step, round(training.warmup_steps))
    return training.peak_learning_rate * factor


def from_parent(arguments: Arguments, parent: Parent) -> Start:
    """Return a parent's network, and a schedule that does not undo what it has learned.

    Raises:
        ValueError: flags contradict the parent, by name.

    """
    record, training = parent.record, arguments.training
    check_flags(arguments, parent)
    names = [name for name in INHERITED if not (record.is_vocabulary_new and name in OF_VOCABULARY)]
    theirs = {name: getattr(parent.config, name) for name in names}
    remarks = [f"Starting from {record.given}: {', '.join(f'{name} {value}' for name, value in theirs.items())}"]
    warmup, peak = training.warmup_steps, training.peak_learning_rate
    if "warmup_steps" not in arguments.given:
        warmup = float(math.ceil(WARMUP_SHARE * training.max_steps))
    if "peak_learning_rate" not in arguments.given:
        peak, why = suitable_rate(record.last_learning_rate)
        if training.lora_rank is not None:
            peak, why = peak * RATE_FACTOR, f"{RATE_FACTOR} times the rate of all weights ({why})"
        remarks.append(
            f"Learning rate: at most {peak:.2e}, {why}, after {warmup:.0f} steps; --peak_learning_rate and "
            "--warmup_steps set others"
        )
    return Start(arguments.model | theirs, peak, warmup, record, tuple(remarks))


def check_flags(arguments: Arguments, parent: Parent) -> None:
    """Raise ValueError if the command line asks for another network or vocabulary than the parent's."""
    is_new, model = parent.record.is_vocabulary_new, arguments.model
    contradictions = {
        f"--{name} {model[name]}": getattr(parent.config, name)
        for name in COMPUTED
        if name in arguments.given
        and not (is_new and name == "vocab_size")
        and model[name] != getattr(parent.config, name)
    }
    if not is_new:
        known = parent.tokenizer.get_vocab()
        contradictions |= {
            f"--user_tokens {token}": "not in its vocabulary"
            for token in arguments.data.user_tokens
            if token not in known
        }
    if contradictions:
        way = "leave them out"
        if not is_new and any(flag.startswith(("--vocab_size", "--user_tokens")) for flag in contradictions):
            way += ", or for another vocabulary add --new_vocabulary true"
        differences = ", ".join(f"{flag} (there: {there})" for flag, there in contradictions.items())
        raise ValueError(f"--init_from {parent.record.given} is another network than {differences}; {way}")


def suitable_rate(last: float | None) -> tuple[float, str]:
    """Return the peak of the learning rate for a model that was last trained at the rate `last`, and why."""
    if last is None:
        return RATE, "since the last learning rate of that model is unknown"
    if last < SLOWEST:
        return SLOWEST, f"since that model was last trained at {last:.2e}, at which a short run learns little"
    return last, "at which that model was last trained"


def tokenizer_of(
    train: Corpus, arguments: Arguments, parent: ParentRecord | None, run: Path | None
) -> PreTrainedTokenizerFast:
    """Return the vocabulary of a run: its parent's, or without one that is kept, that of the training text.

    Args:
        train: the text.
        arguments: as of `training_tokenizer`.
        parent: the model that the run starts from, if there is one.
        run: the folder of the run, which keeps a copy; None if nothing is to be kept.

    Raises:
        ValueError: no pair of the text can be used.

    """
    if parent is None or parent.is_vocabulary_new:
        return training_tokenizer(train, arguments, run)
    if run is None:
        return saved_tokenizer(folder_of(parent))
    return copied_tokenizer(lambda: folder_of(parent), run)


class Carried(NamedTuple):
    """How many rows of the table a network got from its parent."""

    copied: int
    drawn: int


@torch.no_grad()
def load_weights_of(
    parent: ParentRecord, model: VaswaniForConditionalGeneration, tokenizer: PreTrainedTokenizerFast
) -> Carried:
    """Load the weights of the parent into a new network; of the table, the rows of tokens that both have.

    Args:
        parent: is loaded from its folder or, at its commit, from the Hub.
        model: of the same dimensions, the vocabulary aside.
        tokenizer: the model's.

    Raises:
        ValueError: the parent is incomplete, has changed since the run began, or has no token in common.

    """
    folder = folder_of(parent)
    check_unchanged(parent, weights_checksum(folder))
    theirs: Any = load_whole(folder, dtype=torch.float32)
    ours = tokenizer.get_vocab()
    there = load_tokenizer(folder).get_vocab() if parent.is_vocabulary_new else ours
    shared = [token for token in ours if token in there]
    if not shared:
        raise ValueError(
            f"--init_from {parent.given} has no token in common with this run's vocabulary; train anew, without it"
        )
    here, from_there = (torch.tensor([vocabulary[token] for token in shared]) for vocabulary in (ours, there))
    weights = theirs.state_dict()
    for name, weight in model.state_dict().items():
        if name.endswith("tokens.weight") or name.startswith("lm_head."):  # a row a token
            weight[here] = weights[name][from_there]
        else:
            weight.copy_(weights[name])
    return Carried(len(shared), len(ours) - len(shared))


def check_unchanged(parent: ParentRecord, found: str) -> None:
    """Raise ValueError unless the SHA-256 of a parent's weights is the one that the run began with."""
    if found != parent.checksum:
        raise ValueError(
            f"--init_from {parent.given} has other weights than when this run began (SHA-256 {found[:12]}..., then "
            f"{parent.checksum[:12]}...); restore them, or start in another folder"
        )


def folder_of(parent: ParentRecord) -> Path:
    """Return the folder of a parent on this machine; of a repository, at the commit that the run started from."""
    if parent.commit is None:
        return Path(parent.given)
    return find_model(f"{parent.given.partition('@')[0]}@{parent.commit}").folder
