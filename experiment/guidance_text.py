"""Guidance in words: the settings with their reasons, the time that they take, and the command to paste."""

import shlex
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import torch

from vaswani.data.file_names import printable
from vaswani.data.folders import find_splits
from vaswani.training.estimates.flops import parameters

from .command_line import is_given
from .guidance import Guidance, TextStatistics
from .plan import Machine, dimensions_of, plan, time_as_text
from .settings import SMALL, TASKS, neighbours

HARDLY_ANY = 1_000
"""Training pairs below which nothing good is to be expected."""
DAY = 24.0
"""Hours of a run above which a shorter run is proposed too."""
H100 = Machine(1, 989.0, 0.4)
"""One GPU of the default kind of `vaswani plan RECIPE`."""
HELD_OUT = 1_000
"""Pairs to take from a training text as a validation set, or a twentieth of the text if that is less."""
BUSY = 0.8
"""Share of its threads' time below which other programs distort the measurement."""
WIDTH, INDENT = 110, 18


class Line(NamedTuple):
    """One setting."""

    name: str
    value: str
    why: str
    fields: tuple[str, ...]
    """Flags that decide it."""


def guidance_as_text(found: Guidance, recipe: Path, machine: Machine | None) -> str:
    """Return the proposal, its reasons, its time, and the command.

    Args:
        found: the proposal.
        recipe: the file that the command starts.
        machine: one that the user asked about; its time is estimated too.

    """
    parts = [
        of_text(found.text),
        of_size(found),
        of_settings(found),
        of_time(found, machine),
        of_command(found, recipe),
    ]
    return "\n\n".join("\n".join(lines) for lines in parts)


def of_text(text: TextStatistics) -> list[str]:
    """Return the description of the text."""
    part = "" if text.is_whole else f" (a part; in all about {text.pairs:,} pairs are kept)"
    source, target = text.tokens
    sets = f"validation: {text.validation:,} pairs" if text.validation else "no validation set"
    return [
        f"{printable(text.name)}{part}: {text.drops.report()}",
        f"Tokens of a vocabulary of {text.vocab_size:,}, </s> included: {source:.1f} a source, "
        f"{target:.1f} a target; {sets}",
    ]


def of_size(found: Guidance) -> list[str]:
    """Return what is known about texts of that size."""
    proposal, pairs = found.proposal, found.text.pairs
    task = proposal.nearest
    if pairs < HARDLY_ANY:
        return wrapped(
            f"{pairs:,} pairs are too few: any network learns them by heart, and has never seen most words of another "
            "sentence. The smallest text with published results has 100,000 words, some thousand pairs (Sennrich and "
            "Zhang 2019). Find more text, if need be of another kind (--extra_dirs). The settings below are "
            f"{task.name}'s ({task.source}), and nothing was measured at this size."
        )
    if proposal.place is None:
        return wrapped(f"A text of the size of {task.name}: {task.pairs:,} pairs ({task.source}).")
    sources = "; ".join(f"{each.name}: {each.source}" for each in neighbours(pairs))
    said = f"Its size is {proposal.place}, where nothing was measured; {task.name} is nearest. {sources}."
    if pairs > TASKS[-1].pairs:
        said += " The paper trained base with the same settings and steps on 36 million pairs (English-French)."
    else:
        said += (
            " Tuning pays off on small texts: Araabi and Monz (2020) gained up to 7.3 BLEU with it on subsets of "
            "IWSLT14. Compare --dropout and --d_model on the validation set."
        )
    return wrapped(said)


def of_settings(found: Guidance) -> list[str]:
    """Return the settings, each with its reason below it."""
    lines = []
    for name, value, why, fields in settings_of(found):
        given = [is_given(f"--{field}", found.flags) for field in fields]
        reason = "as you gave it" if all(given) else f"partly as you gave it; {why}" if any(given) else why
        lines += [f"  {name:<{INDENT - 2}}{value}", *wrapped(reason, INDENT)]
    return lines


def settings_of(found: Guidance) -> list[Line]:
    """Return the settings in the order in which they are shown."""
    model, of_task, lies = found.arguments.model, f"{found.proposal.nearest.name}'s", place_of(found)
    return [
        network_line(found, of_task),
        vocabulary_line(found, lies),
        Line("dropout", f"{model['dropout']:g}", lies, ("dropout",)),
        Line("label smoothing", f"{model['label_smoothing']:g}", "section 5.4, and all tasks", ("label_smoothing",)),
        rate_line(found, of_task),
        batch_line(found, of_task),
        steps_line(found, lies),
        validation_line(found),
        checkpoints_line(found),
    ]


def place_of(found: Guidance) -> str:
    """Return where a setting that goes by the size of the text comes from."""
    proposal = found.proposal
    if proposal.is_inside and proposal.place is not None:
        smaller, larger = (each.name for each in neighbours(found.text.pairs))
        return f"interpolated between {smaller}'s and {larger}'s, by the logarithm of the pairs"
    return f"{proposal.nearest.name}'s"


def network_line(found: Guidance, of_task: str) -> Line:
    """Return the sizes of the network."""
    model = found.arguments.model
    return Line(
        "network",
        f"d_model {model['d_model']}, d_ff {model['d_ff']:,}, {model['num_heads']} heads, "
        f"{model['encoder_layers']} + {model['decoder_layers']} layers, norm {model['norm']}: "
        f"{sum(parameters(dimensions_of(model))):,} parameters",
        f"{of_task}; {found.proposal.nearest.result}",
        ("d_model", "d_ff", "num_heads", "encoder_layers", "decoder_layers", "norm"),
    )


def vocabulary_line(found: Guidance, lies: str) -> Line:
    """Return the size of the vocabulary, and that which the text gives if it is smaller."""
    asked = found.settings.get("vocab_size", found.text.vocab_size)
    fewer = f" (this text gives {found.text.vocab_size:,})" if found.text.vocab_size < asked else ""
    shrunk = f"{TASKS[0].name}'s {TASKS[0].vocab_size:,}, shrunk with the square root of the pairs; not measured"
    is_below = (found.proposal.place or "").startswith("below")
    return Line("vocabulary", f"{asked:,} tokens{fewer}", shrunk if is_below else lies, ("vocab_size",))


def rate_line(found: Guidance, of_task: str) -> Line:
    """Return the learning rate and its warm-up."""
    training, usual = found.arguments.training, found.proposal.nearest.warmup_steps
    warm_up = "" if training.warmup_steps == usual else f"; a quarter of the steps, not {usual:,}"
    return Line(
        "rate",
        f"up to {training.peak_learning_rate or 0:g} in {training.warmup_steps:,.0f} steps, then eq. 3",
        of_task + warm_up,
        ("peak_learning_rate", "warmup_steps"),
    )


def batch_line(found: Guidance, of_task: str) -> Line:
    """Return the tokens of a step."""
    data, training = found.arguments.data, found.arguments.training
    parts = f" ({training.batches_per_step} x {data.tokens_per_batch:,})" if training.batches_per_step > 1 else ""
    return Line(
        "batch",
        f"{data.tokens_per_batch * training.batches_per_step:,} tokens a side in a step{parts}, "
        f"{found.target_tokens_a_step:,.0f} target tokens on average",
        of_task,
        ("tokens_per_batch", "batches_per_step"),
    )


def steps_line(found: Guidance, lies: str) -> Line:
    """Return the steps, and how often they go over the text."""
    steps, an_epoch = found.arguments.training.max_steps, found.steps_an_epoch
    is_the_papers = found.proposal.nearest == TASKS[-1] and steps == 100_000
    epochs = "the paper's, for base" if is_the_papers else f"about {found.proposal.epochs:.3g} epochs: {lies}"
    return Line("steps", f"{steps:,}: {steps / an_epoch:.1f} epochs of {an_epoch:,.0f} steps", epochs, ("max_steps",))


def validation_line(found: Guidance) -> Line:
    """Return how often the run is validated, and when it ends for that."""
    training = found.arguments.training
    return Line(
        "validation",
        f"every {float(training.eval_steps or 0):,.0f} steps; "
        f"training ends after {training.patience} without a better one",
        f"{found.proposal.nearest.evaluations} in a run; the patience is not measured",
        ("eval_steps", "patience"),
    )


def checkpoints_line(found: Guidance) -> Line:
    """Return how often a checkpoint is saved, and what is chosen of them."""
    training = found.arguments.training
    return Line(
        "checkpoints",
        f"every {training.save_steps:,.0f} steps; validation chooses among the last, the best and the average of "
        f"{training.average_checkpoints}",
        "section 6.1",
        ("save_steps",),
    )


def of_time(found: Guidance, machine: Machine | None) -> list[str]:
    """Return the time that it takes here and, if that is long, what fits into a day."""
    timing, training = found.timing, found.arguments.training
    others = [on_gpu(found, machine)] if machine is not None else []
    if timing is None or found.seconds is None or found.seconds_a_step is None:
        return ["Not measured on this machine (--seconds 0).", *others]
    hours, a_step = found.seconds / 3600, found.seconds_a_step
    where = str(training.device) if timing.threads is None else f"CPU, {timing.threads} thread(s)"
    busy = ""
    if timing.share < BUSY:
        busy = (
            f"; other programs left it {timing.share:.0%} of its threads' time, and alone it would need about "
            f"{time_as_text(hours * timing.share)}"
        )
    validations = "without validations, because there is no validation set"
    if (of_validation := found.seconds_of_validation) is not None:
        count = training.max_steps // max(1, round(float(training.eval_steps or training.max_steps)))
        validations = f"with {count:,} validations of about {time_as_text(of_validation / 3600)}"
    lines = wrapped(
        f"On this machine about {time_as_text(hours)}: {training.max_steps:,} steps of {a_step:.3g} s, {validations}. "
        "Not included: choosing the weights and translating the test set with 4 beams at the end."
    ) + wrapped(
        f"Measured: {timing.batches} micro-batches of this text in {timing.seconds:.1f} s, "
        f"{timing.tokens_a_second:,.0f} target tokens a second, by one process ({where}, {precision(found)}), "
        f"{timing.memory / 1e9:.1f} GB at most{busy}."
    )
    if hours > DAY:
        lines += ["That is more than a day:", *(f"  {line}" for each in shorter(found) for line in wrapped(each))]
        others = others or [on_gpu(found, H100)]
    return lines + [line for each in others for line in wrapped(each)]


def precision(found: Guidance) -> str:
    """Return the precision of training in words."""
    training = found.arguments.training
    if training.bf16_throughout:
        return "bfloat16 throughout"
    return "bfloat16 beside float32" if training.bf16 else "float16 beside float32" if training.fp16 else "float32"


def shorter(found: Guidance) -> list[str]:
    """Return what fits into a day on this machine."""
    assert found.seconds is not None
    training, model = found.arguments.training, found.arguments.model
    every = round(float(training.eval_steps or 1))
    steps = max(every, int(training.max_steps * DAY * 3600 / found.seconds / every) * every)
    epochs = steps / found.steps_an_epoch
    flags = f"--max_steps {steps}"
    if training.warmup_steps > steps // 4:
        flags += f" --warmup_steps {steps // 4}"
    lines = [f"a day is {flags}, {epochs:.1f} epochs; the network would still improve after that"]
    if model["d_model"] > SMALL["d_model"]:
        length = max(1, round(max(found.text.tokens)))
        whole, small = (
            plan(found.arguments._replace(model=model | network), H100, length).of_a_step for network in ({}, SMALL)
        )
        flags = " ".join(f"--{name} {value}" for name, value in SMALL.items())
        lines.append(
            f"{TASKS[0].name}'s network ({flags}) needs {small / whole:.0%} of the operations, so the same steps would "
            f"take {time_as_text(found.seconds / 3600 * small / whole)} (estimated; it is small for this text)"
        )
    return lines


def on_gpu(found: Guidance, machine: Machine) -> str:
    """Return the time on a machine with GPUs, estimated from operations."""
    length = max(1, round(max(found.text.tokens)))
    alone = plan(found.arguments, machine._replace(gpus=1), length)
    hours = alone._replace(machine=machine).seconds / 3600  # however they share a step
    price = machine.price_per_gpu_hour
    paid = "" if price is None else f", {hours * machine.gpus * price:,.2f} at {price:g} a GPU-hour"
    return (
        f"On {machine.gpus} GPU(s) of {machine.peak_tflops:g} TFLOP/s at {machine.utilisation:.0%}: "
        f"{time_as_text(hours)}{paid}, estimated from operations, not measured; small batches reach far less than 40% "
        "of fast GPUs"
    )


def of_command(found: Guidance, recipe: Path) -> list[str]:
    """Return the command, or what is missing before one can run."""
    if found.text.no_validation is not None:
        return without_validation(found)
    lines = []
    if found.text.tests == [found.arguments.data.validation_split]:
        lines = wrapped(
            "There is no test set: the command scores the validation set, by which the weights are chosen, so the "
            "figures will be somewhat too good. Put test files beside the others."
        )
    return [*lines, "To train:", "", *command(found, recipe)]


def command(found: Guidance, recipe: Path) -> list[str]:
    """Return the lines of the command that trains, as a shell takes them."""
    start = ["accelerate", "launch"]
    if found.arguments.training.device.type == "cpu":  # accelerate would take one thread
        start = [f"OMP_NUM_THREADS={torch.get_num_threads()}", *start]
    if torch.cuda.device_count() > 1:  # or it would start one on each, and a micro-batch is not shared
        start += ["--num_processes", "1"]
    words = [[*start, recipe], *by_flag(found.flags)]
    words += [[f"--{name}", *(value if isinstance(value, list) else [value])] for name, value in found.settings.items()]
    lines = [""]
    for each in (" ".join(map(quoted, part)) for part in words):
        if lines[-1] and len(lines[-1]) + len(each) > WIDTH:
            lines.append("   ")
        lines[-1] += f" {each}" if lines[-1] else each
    return [f"{line} \\" for line in lines[:-1]] + lines[-1:]


def by_flag(flags: list[str]) -> list[list[Any]]:
    """Return flags, each with its values."""
    found: list[list[Any]] = []
    for word in flags:
        if word.startswith("--") or not found:
            found.append([word])
        else:
            found[-1].append(word)
    return found


def without_validation(found: Guidance) -> list[str]:
    """Return how a validation set can be made, and the look to take then."""
    data, pairs = found.arguments.data, found.text.pairs
    held = max(1, min(HELD_OUT, pairs // 20))
    lines = wrapped(
        f"No command yet, for a run chooses its weights by a validation set: {found.text.no_validation} Best is one of "
        "whole documents that the training text does not hold."
    )
    files = find_splits(Path(data.data_dir), data.source, data.target) if data.data_dir else {}
    forms = [form.files for form in files.get(data.train_split, [])]
    sides = [f"{data.train_split}.{side}" for side in (data.source, data.target)]
    if len(forms) != 1 or [path.name.removesuffix(".gz") for path in forms[0]] != sides:
        return [*lines, f"Or move the last {held:,} pairs of the training text there, by whatever wrote it."]
    folder = Path(str(data.data_dir))
    new = folder.with_name(f"{folder.name}-split")
    made = [f"mkdir {quoted(str(new))}"]
    for path, side in zip(forms[0], (data.source, data.target), strict=True):
        read = f"{'gzip -cd' if path.suffix == '.gz' else 'cat'} {quoted(str(path))}"
        made += [
            f"{read} | head -n -{held} > {quoted(str(new / f'{data.train_split}.{side}'))}",
            f"{read} | tail -n {held} > {quoted(str(new / f'validation.{side}'))}",
        ]
    return [
        *lines,
        f"Or the last {held:,} pairs of the training text, in a new folder:",
        "",
        *made,
        f"vaswani plan --data_dir {quoted(str(new))} --direction {data.direction}",
    ]


def quoted(word: Any) -> str:
    """Return a word as a shell takes it."""
    return shlex.quote(str(word))


def wrapped(text: str, indent: int = 0) -> list[str]:
    """Return lines of a text."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
