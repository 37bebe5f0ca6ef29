"""What this project uses of other libraries beyond their public interfaces stands in one list, held against them.

When a library is upgraded and one of these has moved, this file says which and where, before a run finds out.
"""

import inspect
from argparse import HelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from corpus_of_numbers import NumberedCorpus, number_tokenizer, numbered_stream
from sacrebleu.metrics.base import Metric
from sacrebleu.metrics.ter import TER
from transformers import GenerationMixin, PreTrainedConfig, Trainer, TrainerCallback, set_seed

from benchmarks.house import assigned_forwards, is_private, modules, private_uses
from vaswani.modeling import VaswaniConfig, VaswaniForConditionalGeneration
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments

PRODUCT = modules(Path(__file__).parents[1])


class Use(NamedTuple):
    """A private name of another library that our code uses."""

    file: str
    name: str
    owner: Any
    """What has the name; None: an object gets it while it works, and the tests that `why` names would fail."""
    parameters: str | None
    """Of a method, by their names; None: it is a value, which only has to be there."""
    why: str


_COUNTS = "sacreBLEU's own counts of each line, from which corpora that were drawn again are scored"
_LOOP = "the loop of the search ends and goes on as transformers' own does"
_LINES = "evaluation/metrics/sacrebleu/line_statistics.py"
_GENERATION = "modeling/generation_vaswani.py"
USES = (
    Use("training/trainer.py", "_get_grad_norm", Trainer, "self model grad_norm",
        "no public place between the gradients and the optimizer knows their norm"),
    Use("training/trainer.py", "_determine_best_metric", Trainer, "self metrics trial",
        "no public place decides which validation is the best"),
    Use("training/speed/compilation.py", "_dynamo", torch, None,
        "torch.compiler has no way to allow more compilations of a function"),
    Use("modeling/modeling_vaswani.py", "_attn_implementation", PreTrainedConfig, None,
        "how each model of transformers reads which attention was chosen"),
    Use("translation/attention.py", "_attn_implementation", PreTrainedConfig, None, "to choose it again afterwards"),
    Use(_GENERATION, "_has_unfinished_sequences", GenerationMixin, "self this_peer_finished synced_gpus device", _LOOP),
    Use(_GENERATION, "_update_model_kwargs_for_generation", GenerationMixin,
        "self outputs model_kwargs is_encoder_decoder num_new_tokens", _LOOP),
    Use(_GENERATION, "_pad_token_tensor", None, None,
        "transformers hands the padding to a decoding loop under this name; tests/test_paper_search.py"),
    Use(_LINES, "_cache_references", Metric, "self references", _COUNTS),
    Use(_LINES, "_extract_reference_info", Metric, "self refs", _COUNTS),
    Use(_LINES, "_compute_segment_statistics", Metric, "self hypothesis ref_kwargs", _COUNTS),
    Use(_LINES, "_compute_score_from_stats", Metric, "self stats", _COUNTS),
    Use(_LINES, "_force", None, None, "whether its warning of tokenised text is switched off; tests/test_metrics.py"),
    Use("flags/command_help.py", "_get_help_string", HelpFormatter, "self action",
        "where argparse's own formatters add to the help of a flag, such as ArgumentDefaultsHelpFormatter"),
    Use("evaluation/metrics/sacrebleu/metric_of_language.py", "_preprocess_segment", TER, "self sent",
        "text without spaces is set apart before TER counts its words"),
)  # fmt: skip


def overridden() -> set[tuple[str, str]]:
    """The private methods of the Trainer that ours overrides."""
    of_trainer = {name for name in vars(Trainer) if is_private(name)}
    return {("training/trainer.py", name) for name in of_trainer & set(vars(VaswaniTrainer))}


def test_every_private_name_that_is_used_stands_in_the_list() -> None:
    assert private_uses(PRODUCT) | overridden() == {(use.file, use.name) for use in USES}


@pytest.mark.parametrize("use", [use for use in USES if use.owner is not None], ids=lambda use: use.name)
def test_each_is_there_as_it_was(use: Use) -> None:
    assert hasattr(use.owner, use.name), f"{use.file} needs {use.name} ({use.why}), and the library has it no more"
    if use.parameters is not None:
        now = " ".join(inspect.signature(getattr(use.owner, use.name)).parameters)
        assert now == use.parameters, f"{use.file} calls or overrides {use.name} ({use.why}), which has changed"


def test_no_module_gets_another_forward_assigned_but_its_own_given_back() -> None:
    assert assigned_forwards(PRODUCT) == [("training/speed/autocast.py", "model.forward = wrapped")]


# --- the places of call ---


class Recorded(VaswaniTrainer):
    """Writes down which of its methods the Trainer calls, and when."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.called: list[str] = []
        super().__init__(*args, **kwargs)


def recorded(name: str) -> Callable[..., Any]:
    def method(self: Recorded, *args: Any, **kwargs: Any) -> Any:
        self.called.append(name)
        return getattr(super(Recorded, self), name)(*args, **kwargs)

    return method


METHODS = (
    "create_optimizer", "create_scheduler", "get_train_dataloader", "get_batch_samples", "training_step",
    "_get_grad_norm", "log", "evaluate", "_determine_best_metric", "save_model",
)  # fmt: skip
for each in METHODS:
    setattr(Recorded, each, recorded(each))


class Recorder(TrainerCallback):
    def __init__(self, trainer: Recorded) -> None:
        for event in ("on_train_begin", "on_epoch_begin", "on_step_begin", "on_pre_optimizer_step", "on_optimizer_step",
                      "on_step_end", "on_evaluate", "on_save", "on_epoch_end", "on_train_end"):  # fmt: skip
            setattr(self, event, lambda *_, event=event, **__: trainer.called.append(event))


def test_the_trainer_calls_what_is_overridden_where_a_step_needs_it(tmp_path: Path) -> None:
    """The order of the pseudo-code at the head of training/trainer.py, as the installed library has it."""
    set_seed(7)
    tokenizer = number_tokenizer()
    model = VaswaniForConditionalGeneration(
        VaswaniConfig(vocab_size=280, d_model=16, d_ff=32, num_heads=2, encoder_layers=1, decoder_layers=1)
    )
    arguments = VaswaniTrainingArguments(
        output_dir=str(tmp_path), max_steps=2, warmup_steps=1, batches_per_step=2, logging_steps=1, eval_steps=1,
        save_steps=1, dataloader_num_workers=0, report_to="none", disable_tqdm=True,
    )  # fmt: skip
    stream = numbered_stream(NumberedCorpus((30, 25)), tokenizer, streams=2)
    trainer = Recorded(model, arguments, stream, lambda _: {"loss": 0.0, "perplexity": 1.0, "bleu": 0.0}, tokenizer)
    trainer.add_callback(Recorder(trainer))
    trainer.train_from(None)
    step = [
        "get_batch_samples", "on_step_begin", "training_step", "training_step", "_get_grad_norm",
        "on_pre_optimizer_step", "on_optimizer_step", "on_step_end", "log", "evaluate", "log", "on_evaluate",
        "_determine_best_metric", "save_model", "on_save",
    ]  # fmt: skip
    start = ["get_train_dataloader", "create_optimizer", "create_scheduler", "on_train_begin", "on_epoch_begin"]
    assert trainer.called == [*start, *step, *step, "on_epoch_end", "log", "on_train_end"]
