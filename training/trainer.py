"""The Hugging Face Trainer with the paper's order of batches, schedule and checkpoints: a thin subclass.

One training step, in the order in which it happens, and the file of each line:

    micro_batches = next of the stream, A of them for this process      data/stream.py, by get_batch_samples
    N = target tokens of the step, on all processes                     transformers, by get_batch_samples
    for each micro-batch:                                               transformers, by training_step
        hidden = network(source, target shifted right)                  modeling/modeling_vaswani.py
        loss = smoothed cross entropy, summed over tokens, / N          training/loss.py
        gradients += d loss / d weights                                 Accelerate, DeepSpeed or FSDP2
    norm = norm of the gradients, clipped if --max_grad_norm asks    transformers if a loss or the norm, on any process,
    is not a finite number:      training/nonfinite.py, by _get_grad_norm
        no gradients: weights, moments and rate stay                    here, _get_grad_norm
    weights = Adam(weights, gradients, rate)                            torch, in create_optimizer of transformers,
                                                                        or training/muon.py
    rate = eq. 3 at the next step                                       training/schedule.py, by create_scheduler
    average = decay * average + (1 - decay) * weights, if asked         training/moving_average.py, by average_weights
    if due: a line of the log                                           training/reporting/loss_log.py, by log
    if due: validation; is it the best one?                             experiment/validation.py, by evaluate
    if due: a checkpoint, sealed when whole; older ones are deleted     training/checkpointing/checkpoints.py, on_save

Callbacks decide after each step what is due: transformers' own by the flags, then `training/early_stopping.py`, then
`training/distribution/signals.py` (a signal saves and ends the run), and last `_SavingHooks` in this file.

Two private methods of the Trainer are overridden. tests/test_private_interface.py says why, and compares them and the
order above with the installed library.
"""

import json
import logging
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from accelerate.utils import gather_object
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer, set_seed
from transformers.trainer_callback import PrinterCallback, ProgressCallback, TrainerCallback, TrainerState
from transformers.trainer_utils import IntervalStrategy, SaveStrategy

from vaswani.storage import write_text

from .arguments import VaswaniTrainingArguments
from .best_validation import Best, find_best
from .checkpointing.checkpoints import (
    END,
    SIGNAL,
    UNSCHEDULED,
    amend,
    begin,
    check_parts,
    prune,
    saved_on,
    scheduled_steps,
    seal,
    sealed,
    step_of,
)
from .checkpointing.consolidation import load_weights, read_weights
from .checkpointing.resuming import (
    check_fits,
    lacks_validation,
    log_without_final_validation,
    optimizer_settings,
    read_since_log,
    resume_seed,
    set_optimizer_settings,
    write_since_log,
)
from .distribution.peers import peer_lost_on_timeout
from .distribution.sharding import check_sharding, is_sharded, keep_embeddings_gathered, reduce_in_float32, whole_copy
from .distribution.signals import Signals, shield_workers
from .distribution.startup_checks import check_data, check_processes, check_weights
from .distribution.unlike_processes import check_alike, settings_of
from .early_stopping import EarlyStopping
from .exceptions import TrainingEnd, ValidationStoppedError
from .lora import has_adapters, load_adapters, merged_copy, save_adapters
from .moving_average import MovingAverage
from .muon import MUON, MuonWithAdam
from .nonfinite import NonFiniteGuard, Place
from .preparation import prepare_for_training
from .reporting.loss_log import LossLog
from .reporting.progress import Progress, on_terminal
from .reporting.time_left import Timer
from .schedule import InverseSquareRoot, peak_rate
from .speed.autocast import remove_autocast, without_autocast
from .speed.compilation import compile_each_shape
from .validation_figures import called

POSITION = "stream.json"
STATE = "trainer_state.json"
_log = logging.getLogger(__name__)


class BatchSource(Protocol):
    """The source of training batches: an endless stream that knows its position and can return to it."""

    consumed: int
    """Micro-batches consumed before this process began."""

    @property
    def shapes(self) -> int | None:
        """The most shapes that micro-batches have; None: any number."""

    def loader(self, process: int, processes: int, workers: int, pin_memory: bool) -> DataLoader[dict[str, Any]]:
        """Return one process's share of the micro-batches, each with its "place"."""

    def note(self, place: Any) -> None:
        """Record that this process consumed a micro-batch."""

    def notes(self) -> dict[str, Any]:
        """Return what this process recorded."""

    def state(self, consumed: int, notes: list[dict[str, Any]]) -> dict[str, Any]:
        """Return the position after so many micro-batches, given the notes of all processes."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a position, or refuse with the reason."""

    def epoch(self, notes: list[dict[str, Any]]) -> int:
        """Return the epoch that training is in, from 0."""


class VaswaniTrainer(Trainer):
    """Trains a model whose loss is a sum over tokens divided once by their number in the whole step.

    Differences from the Trainer: batches come from a stream that keeps its own position, so a resumed run repeats and
        loses nothing; eq. 3 holds from step 1; the caller gives the evaluation function; a checkpoint is sealed with
        checksums, and only then are older ones deleted; a step that is not finite is skipped, and never saved.

    Args:
        evaluate_model: returns the validation figures, including "loss", "perplexity" and the metric that chooses the
            weights; called on every process, in evaluation mode.

    Raises:
        StartupError: the weights would be spread over the processes in an unsupported way.

    """

    args: VaswaniTrainingArguments

    def __init__(
        self,
        model: PreTrainedModel,
        args: VaswaniTrainingArguments,
        stream: BatchSource,
        evaluate_model: Callable[[PreTrainedModel], dict[str, float]],
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        self.stream = stream
        self.evaluate_model = evaluate_model
        args.learning_rate = args.peak_learning_rate or peak_rate(model.config.d_model, round(args.warmup_steps))
        # The Trainer would delete older checkpoints before the new one is known to be complete.
        self.keep, args.save_total_limit = args.save_total_limit, None
        self.metric = str(args.metric_for_best_model).removeprefix("eval_")
        self._patience = EarlyStopping(args.patience, self.metric) if args.patience else None
        prepare_for_training(model, args)
        self._moving_average = None if args.ema_decay is None else MovingAverage(args.ema_decay)
        # The Trainer requires data sets, which it would read itself; here they are read elsewhere.
        super().__init__(
            model,
            args,
            train_dataset=_Unread(),
            eval_dataset=_Unread(),
            processing_class=tokenizer,
            callbacks=[_StartHooks(self), *([self._patience] if self._patience else [])],
        )
        for callback in (PrinterCallback, ProgressCallback):
            self.remove_callback(callback)
        self._pace = Timer()
        has_bar = on_terminal() and not args.disable_tqdm
        self.add_callback(Progress(self._pace, self.metric, self._patience, has_bar))
        check_sharding(self.accelerator, args)
        reduce_in_float32(self.accelerator)
        self._architecture = type(model)
        self._finite = NonFiniteGuard(self.accelerator, args.max_bad_steps)
        self._signals = Signals()
        self.add_callback(self._signals)
        self.add_callback(_SavingHooks(self))
        self._loss_log = LossLog(self.accelerator)
        self._places: list[Place] = []  # of this step's micro-batches, and their losses
        self._losses: list[torch.Tensor] = []
        self._left_out = False  # this step
        self._save_is_due = False  # since skipped steps
        self._is_scheduled = False  # the save after this step
        self._saved: int | None = None  # the last step that is saved
        self._begun_at = 0  # steps before this start, which may have had another size
        self._resume_from: Path | None = None  # until its first step is made
        self._log_before: list[dict[str, Any]] | None = None  # the checkpoint's, as this run continues it
        self._is_first_step = True
        self._settings_of_adam: list[dict[str, Any]] = []  # of each group of parameters, as the flags say
        self._tokens: torch.Tensor | int = 0
        self._counted_since = time.monotonic()
        self._saving_since = 0.0

    # --- the start ---

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Create Adam, or Muon, for a model that is known to be the same on all processes."""
        if self.optimizer is None:
            assert self.model is not None
            check_weights(self.model, self.state.global_step)
            if self.args.optimizer == MUON:
                args = self.args
                betas = args.adam_beta1, args.adam_beta2
                self.optimizer = MuonWithAdam(self.model, args.learning_rate, betas, args.adam_epsilon)
        return super().create_optimizer(model)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:  # noqa: ARG002  (its signature)
        """Create eq. 3, with its cooldown."""
        optimizer = optimizer or self.optimizer
        assert optimizer is not None
        if self.lr_scheduler is None:
            args = self.args
            self.lr_scheduler = InverseSquareRoot(
                optimizer, round(args.warmup_steps), args.steps_of_cooldown, args.max_steps
            )
        self._settings_of_adam = optimizer_settings(optimizer)
        return self.lr_scheduler

    @property
    def _schedule(self) -> InverseSquareRoot:
        schedule = getattr(self.lr_scheduler, "scheduler", self.lr_scheduler)  # DeepSpeed has it wrapped
        assert isinstance(schedule, InverseSquareRoot)
        return schedule

    def start(self, model: torch.nn.Module) -> None:
        """Begin to train `model`, wrapped and loaded, with the present flags, not those of the checkpoint.

        Called by the Trainer at the start of training.
        """
        if self.is_fsdp_enabled:
            keep_embeddings_gathered(model)
        if self._resume_from is not None:
            assert self.optimizer is not None
            set_optimizer_settings(self.optimizer, self._schedule, self._settings_of_adam)
        if self._moving_average is not None:
            self._moving_average.begin(self._bare_model(), self._resume_from)
        if self._log_before is not None:
            self.state.log_history = self._log_before
        self.state.compute_steps(self.args, self.args.max_steps)
        self._note_best(self.state)
        self._loss_log.begin(self.state.global_step)

    def take_up(self) -> None:
        """After a resume restore the state between the checkpoint and its next line of the log.

        This is the sums for that line, and the validation that a signal prevented. Called by the Trainer before the
        first step.
        """
        if self._resume_from is None:
            return
        if since := read_since_log(self._resume_from):
            self._loss_log.resume(since, self.args.process_index, self.args.world_size)
        if self._lacks_validation(self.state):
            found = self.evaluate()
            is_best = bool(found) and self._determine_best_metric(found, None)
            self.control.should_save = False  # this step is saved
            if not found:  # a signal came again
                return
            if self.state.global_step >= self.args.max_steps:
                self.control.should_training_stop = True
            self._complete(self._resume_from, is_best)

    def _lacks_validation(self, state: TrainerState) -> bool:
        """Return whether a signal prevented the validation of a checkpoint's step."""
        if self.args.eval_strategy != IntervalStrategy.STEPS:
            return False
        due = TrainerState(eval_steps=state.eval_steps)
        due.compute_steps(self.args, self.args.max_steps)  # flags may give them as a share
        return lacks_validation(state, due.eval_steps, self.args.max_steps, self.args.eval_delay)

    def _complete(self, checkpoint: Path, is_best: bool) -> None:
        """Make a checkpoint that a signal caused what it would be if its validation had been made at once."""
        if self.args.should_save:
            is_regular = self.state.global_step % self.state.eval_steps == 0
            is_due = is_best and is_regular and self.args.save_strategy == SaveStrategy.BEST
            texts = {UNSCHEDULED: self._why_unscheduled()} if (checkpoint / UNSCHEDULED).exists() and not is_due else {}
            saved = {self.state.global_step} if not texts or texts[UNSCHEDULED] == END else ()
            self._note_best(self.state, saved)
            amend(checkpoint, texts | {STATE: self._state_as_text()}, [UNSCHEDULED] if is_due else [])
            self._prune()
        self.accelerator.wait_for_everyone()

    def draw_anew(self) -> None:
        """Seed the random numbers of a run that resumes on another number of processes; the Trainer loads those saved.

        Called by the Trainer before each step, when it has loaded them.
        """
        checkpoint, self._resume_from = self._resume_from, None
        if checkpoint is None or (saved := saved_on(checkpoint)) == self.args.world_size:
            return
        set_seed(resume_seed(self.args.seed, self.state.global_step, self.args.process_index))
        if self.args.process_index == 0:
            _log.warning(
                "%s was saved on %s process(es) and %s resume: they draw dropout anew, from seed, step and process",
                *(checkpoint.name, saved, self.args.world_size),
            )

    # --- batches ---

    def get_train_dataloader(self) -> DataLoader[dict[str, Any]]:
        """Return this process's share of the stream; Accelerate must not split it a second time."""
        args = self.args
        pin_memory = args.dataloader_pin_memory and args.device.type != "cpu"
        loader = self.stream.loader(args.process_index, args.world_size, args.dataloader_num_workers, pin_memory)
        shield_workers(loader)
        return loader

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Any]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Any]], Any]:
        """Take a step's micro-batches, note their places, and count the target tokens of all processes."""
        self._left_out = self._schedule.is_held = False
        if self.control.should_training_stop:  # after the validation of `take_up`: no step follows
            return [], None
        batches, tokens = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._places = [batch.pop("place") for batch in batches]
        if self._is_first_step:
            check_data(self._places)
            self._is_first_step = False
        self._losses = []
        for place in self._places:
            self.stream.note(place)
        assert isinstance(tokens, torch.Tensor)
        self._tokens += tokens
        return batches, tokens

    # --- steps ---

    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Compute the gradients of a micro-batch, and keep its loss to judge the step."""
        loss = super().training_step(*args, **kwargs)
        self._losses.append(loss)
        return loss

    def _get_grad_norm(self, model: torch.nn.Module, grad_norm: Any = None) -> Any:
        """Return the norm of the gradients, which the Trainer takes in every step; judge the step by it."""
        norm = super()._get_grad_norm(model, grad_norm)
        step = self.state.global_step + 1
        asked = self._signals.received is not None
        self._left_out, self._signals.agreed = self._finite.judge(step, self._losses, norm, self._places, asked)
        if self._left_out:
            assert self.optimizer is not None
            self.optimizer.zero_grad()  # without gradients the optimizer leaves weights and moments as they are
            self._schedule.is_held = True
            self._loss_log.leave_out()
        else:
            self._loss_log.add(self._losses)
        return norm

    def average_weights(self) -> None:
        """Add the weights after a step that was made to their moving average, if one is kept."""
        if self._moving_average is not None and not self._left_out:
            self._moving_average.update(self._bare_model(), self.state.global_step)

    def _bare_model(self) -> PreTrainedModel:
        """Return the model that is trained, without what wraps it."""
        model: PreTrainedModel = self.accelerator.unwrap_model(self.model, keep_torch_compile=False)
        return model

    # --- evaluation and logging ---

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Evaluate with the caller's function, log the figures and return them; none if a signal stops it."""
        started = time.monotonic()
        with self._pace.validation():
            model = self.whole_model()
            model.eval()
            try:
                with without_autocast(model):
                    found = self.evaluate_model(model)
            except ValidationStoppedError:
                found = None
            model.train()
        if found is None:
            self.stop_in_validation()
            return {}
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in found.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        self._counted_since += time.monotonic() - started  # speed counts training only
        return metrics

    @property
    def is_asked_to_end(self) -> bool:
        """Whether this process has received a signal that asks it to end."""
        return self._signals.received is not None

    def stop_in_validation(self) -> None:
        """End training at this step, on all processes; a resume makes its validation (`take_up`)."""
        self._signals.agreed = self.control.should_training_stop = True
        self.control.should_save = not self._finite.streak

    def whole_model(self) -> PreTrainedModel:
        """Return the model with all of its weights in this process; called on every process.

        If they are spread over the processes, it is a copy: translating takes a different number of steps in each
        process, so none may wait for another's part of the weights on the way. With --lora_rank it is a copy too, with
        the weights that a checkpoint holds.
        """
        model = self._bare_model()
        if has_adapters(model):
            return merged_copy(model, self._architecture, self.args.device)
        return whole_copy(model, self._architecture, self.args.device) if is_sharded(self.accelerator) else model

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, with target tokens a second over all processes and the epoch of the data."""
        if "loss" in logs:
            now = time.monotonic()
            logs["tokens_per_second"] = round(float(self._tokens) / (now - self._counted_since), 1)
            logs["data_epoch"] = self.stream.epoch([self.stream.notes()])
            self._tokens, self._counted_since = 0, now
            del logs["loss"]  # which does not know about skipped steps
            logs |= self._loss_log.line(self.state.global_step)
            if self._left_out:
                logs.pop("grad_norm", None)
        if "train_loss" in logs:
            logs["train_loss"] = self._loss_log.mean(self.state.global_step)
        # The Trainer's epoch is the share of --max_steps, which may be raised later, so it is not logged.
        share, self.state.epoch = self.state.epoch, None  # type: ignore[assignment]
        super().log(logs, start_time)
        self.state.epoch = share

    # --- checkpoints ---

    def decide_on_saving(self) -> None:
        """Decide, after a step and after all other callbacks, whether it is saved.

        Nothing is saved between skipped steps: their weights may be the cause, and would replace good ones. A save that
            was due then follows the first step that is made.
        """
        self.state.epoch = self.state.global_step / self.state.max_steps  # of all, not since this start
        self._is_scheduled = self._is_save_scheduled()
        if self._save_is_due and not self._finite.streak:
            self._save_is_due, self.control.should_save = False, True
            self._is_scheduled = True
        self.postpone_saving()

    def postpone_saving(self) -> None:
        """Postpone a save that is due between skipped steps."""
        if self._finite.streak and self.control.should_save:
            self._save_is_due, self.control.should_save = True, False

    def _is_save_scheduled(self) -> bool:
        """Return whether the save after this step is due in a run of any length, not only because it ends."""
        if self.args.save_strategy == SaveStrategy.BEST:
            return self.control.should_evaluate and self.state.global_step % self.state.eval_steps == 0
        return self.state.global_step % self.state.save_steps == 0

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model; the Trainer begins a checkpoint with this (`_internal_call`).

        For a model that is spread over the processes, this saves all but its weights, which are saved with Adam's
        moments.

        Raises:
            NotANumberError: the weights for a checkpoint are not finite numbers.

        """
        model = self.accelerator.unwrap_model(self.model)
        folder = str(output_dir or self.args.output_dir)
        if _internal_call:
            self._saving_since = time.monotonic()
            self._finite.check_weights(model, self.state.global_step)
            if self.args.should_save:
                begin(Path(folder))
            self.accelerator.wait_for_everyone()
        if not is_sharded(self.accelerator):
            super().save_model(output_dir, _internal_call)
            if has_adapters(model) and self.args.should_save:
                self.whole_model().save_pretrained(folder)  # in place of the layers as they are trained
                save_adapters(model, Path(folder))
        elif self.args.should_save:
            for part in (model.config, model.generation_config, self.processing_class):
                assert part is not None
                part.save_pretrained(folder)

    def seal_checkpoint(self) -> None:
        """Add the position in the data to the checkpoint of this step, seal it, and only then prune older ones.

        Called by the Trainer when it has saved all of its own files.
        """
        run = Path(str(self.args.output_dir))
        folder = run / f"checkpoint-{self.state.global_step}"
        # On every process, so that a source with too many unreadable rows ends all of them.
        notes = gather_object([self.stream.notes()])
        losses = gather_object([self._loss_log.own_sum])
        steps = self.state.global_step - self._begun_at
        position = self.stream.state(self.stream.consumed + steps * self.args.batches_per_step, notes)
        if self.args.should_save:
            write_text(folder / POSITION, json.dumps(position))
            if self._moving_average is not None:
                self._moving_average.save(folder)
            write_since_log(folder, self._loss_log.since_log(losses))
            is_counted = self._is_scheduled or self._why_unscheduled() == END
            if not self._is_scheduled:
                write_text(folder / UNSCHEDULED, self._why_unscheduled())
            self._note_best(self.state, {self.state.global_step} if is_counted else ())
            write_text(folder / STATE, self._state_as_text())
            check_parts(folder, self.args.world_size)
            seal(folder)
            self._prune()
        self.accelerator.wait_for_everyone()
        self._saved = self.state.global_step
        seconds = time.monotonic() - self._saving_since
        self._pace.saved(seconds)
        self._counted_since += seconds

    def _prune(self) -> None:
        """Delete the checkpoints that are not to be kept, as far as the log tells by now."""
        run = Path(str(self.args.output_dir))
        # The best of a run that resumes from here may be an older one.
        later = find_best(log_without_final_validation(self.state), self.metric, scheduled_steps(run)).step
        has_ended = self._has_ended(self.state) and not self._lacks_validation(self.state)
        prune(run, self.keep, self.state.best_model_checkpoint, [f"checkpoint-{later}"], has_ended)

    def _has_ended(self, state: TrainerState) -> bool:
        """Return whether training goes no further than a state, by --max_steps or --patience."""
        is_spent = self._patience is not None and self._patience.is_spent(find_best(state.log_history, self.metric))
        return is_spent or state.global_step >= self.args.max_steps

    def _why_unscheduled(self) -> str:
        """Return why a checkpoint is saved at this step, at which none is due."""
        is_best = find_best(self.state.log_history, self.metric).step == self.state.global_step
        is_end = self._has_ended(self.state) and (is_best or self.args.save_strategy == SaveStrategy.STEPS)
        return END if is_end else SIGNAL

    def _state_as_text(self) -> str:
        """Return trainer_state.json as a run without signals has it at this step."""
        callbacks: Any = self.state.stateful_callbacks
        callbacks["TrainerControl"]["args"]["should_training_stop"] = self._has_ended(self.state)
        return json.dumps(asdict(self.state), indent=2, sort_keys=True) + "\n"

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:  # noqa: ARG002  (its signature)
        """Note the best validation so far; return whether it is the latest one, which must then be saved."""
        if self._signals.agreed:
            return self.control.should_save
        is_best = self._note_best(self.state).step == self.state.global_step
        if is_best and self._finite.streak and self.args.save_strategy == SaveStrategy.BEST:
            self._save_is_due = True
            return False
        return is_best

    def _note_best(self, state: TrainerState, saving: Collection[int] = ()) -> Best:
        """Note the best validation of a log by the present metric, and the best one whose checkpoint counts.

        Only the log decides, whatever the metric was when it was written and wherever the run's folder was then. A
        checkpoint counts if it is one of the schedule or of the run's end; `saving` are steps whose checkpoints will.
        """
        best, run = find_best(state.log_history, self.metric), Path(str(self.args.output_dir))
        steps = scheduled_steps(run).union(saving)
        if self._has_ended(state):
            steps |= {state.global_step} & set(map(step_of, sealed(run)))
        saved = find_best(state.log_history, self.metric, steps).step
        state.best_metric, state.best_global_step = best.value, best.step
        state.best_model_checkpoint = None if saved is None else str(run / f"checkpoint-{saved}")
        return best

    def best(self) -> Best:
        """Return the best validation so far."""
        return find_best(self.state.log_history, self.metric)

    def ended(self) -> TrainingEnd:
        """Return why training ended."""
        step, of, best = self.state.global_step, self.args.max_steps, self.best()
        if step < of and self._patience is not None and self._patience.is_spent(best):
            return TrainingEnd("patience", f"Training ended at step {step:,} of {of:,}: {self._patience.as_text(best)}")
        return TrainingEnd("max_steps", f"Training ended at step {step:,} (--max_steps {of})")

    def train_from(self, checkpoint: Path | None) -> None:
        """Train to `max_steps`, from a checkpoint if one is given; from the last one of a finished run, no further.

        Raises:
            TrainingEndedError: a subclass of it, on all remaining processes, if training ends before that.

        """
        compile_each_shape(self.accelerator, self.stream.shapes)
        network = {f"--{key}": each for key, each in self._bare_model().config.to_dict().items() if key[0] != "_"}
        check_alike(
            network | settings_of(self.args), "Give every process the same arguments, launch configuration and network"
        )
        check_processes(self.args, self.accelerator, self.stream.shapes)
        if checkpoint is not None:
            check_parts(checkpoint)
            check_fits(checkpoint, self.accelerator)
            self.stream.restore(json.loads((checkpoint / POSITION).read_text(encoding="utf-8")))
            reached = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
            if reached.global_step < self.args.max_steps:
                reached.log_history = self._log_before = log_without_final_validation(reached)
            self._begun_at, self._resume_from = reached.global_step, checkpoint
            self._saved = reached.global_step
            self.args.eval_on_start = False  # it was at the start
            unlike = [line for line in reached.log_history if "eval_loss" in line and f"eval_{self.metric}" not in line]
            if unlike and self.args.process_index == 0:
                _log.warning(
                    "%s validation(s) before %s did not measure %s, and are not compared with those to come",
                    *(len(unlike), checkpoint.name, called(self.metric)),
                )
            self._note_best(reached)
            if self._has_ended(reached) and not self._lacks_validation(reached):  # the Trainer would make another step
                self.state = reached
                load_weights(self.whole_model(), read_weights(checkpoint))
                self._finish()
                return
        if checkpoint is not None and has_adapters(self._bare_model()):
            load_adapters(self._bare_model(), checkpoint)
        place = self.stream.state(self.stream.consumed, [self.stream.notes()])
        check_alike({"the order of training": place}, "Give every process the same text, vocabulary and checkpoint")
        self._counted_since = time.monotonic()
        with self._signals, peer_lost_on_timeout(self.args.ddp_timeout):
            try:
                self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
            except Exception as error:
                # Trackers write their buffers only when they are notified of the end; the Trainer would not do so.
                try:
                    self.callback_handler.on_train_end(self.args, self.state, self.control)
                except Exception as another:  # which must not hide the first
                    error.add_note(f"What follows training failed for it too: {another!r}")
                raise
            self._signals.check_end(self.state.global_step, self._saved)
        self._finite.check_end(self.state.global_step)
        remove_autocast(self._bare_model())
        self._finish()

    def _finish(self) -> None:
        """Leave the checkpoints that this run should leave, whatever was interrupted on its way to the end."""
        if self.args.should_save and sealed(Path(str(self.args.output_dir))):
            self._prune()
        self.accelerator.wait_for_everyone()
        self._note_best(self.state)


class _StartHooks(TrainerCallback):
    """Calls the trainer's actions at the start; the first of its callbacks, so that the others see the outcome."""

    def __init__(self, trainer: VaswaniTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        self.trainer.start(model)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.trainer.take_up()

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.trainer.draw_anew()


class _SavingHooks(TrainerCallback):
    """Calls the trainer's actions for checkpoints; the last of its callbacks, when the others have decided."""

    def __init__(self, trainer: VaswaniTrainer) -> None:
        self.trainer = trainer

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.trainer.average_weights()
        self.trainer.decide_on_saving()

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.trainer.postpone_saving()

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.trainer.seal_checkpoint()


class _Unread(torch.utils.data.IterableDataset[Any]):
    """A placeholder where the Trainer requires a data set."""

    def __iter__(self) -> Iterator[Any]:
        raise AssertionError("the Trainer should read from the stream")
