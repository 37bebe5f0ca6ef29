"""The pushes of one run: the Hub is checked before the first step, and a failed push can be repeated later."""

import os
import secrets
import shlex
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback
from transformers.trainer_utils import HubStrategy

from vaswani.evaluation.metric_table import METRICS
from vaswani.publishing import (
    MetricsRecord,
    Progress,
    PushedNative,
    RunRecord,
    Target,
    checksums,
    files_to_push,
    model_card,
    open_repository,
    push,
)
from vaswani.publishing.native_push import with_native
from vaswani.publishing.native_record import NativeRecord
from vaswani.training import VaswaniTrainer, VaswaniTrainingArguments
from vaswani.training.checkpointing.checkpoints import MANIFEST

from .console import say

DRAFT = ".push-"
"""The prefix of the folder with the files that are being pushed."""


class Publication(TrainerCallback):
    """Pushes a run's model at its end, and by --hub_strategy after saves as well.

    It pushes in place of the Trainer, and keeps the token from it: the Trainer would push pickles and a card without
    scores, and write the token into training_args.bin.

    Args:
        training: its fields `push_to_hub` and `hub_token` are emptied here.
        run: what run.json holds.

    """

    def __init__(self, training: VaswaniTrainingArguments, run: RunRecord) -> None:
        self.run = run
        self.folder = Path(str(training.output_dir))
        self.target: Target | None = None
        if training.push_to_hub:
            branch = training.hub_revision
            self.target = Target(str(training.hub_model_id), training.hub_private_repo, branch, training.hub_token)
        training.push_to_hub, training.hub_token = False, None
        self.strategy = HubStrategy(training.hub_strategy)
        self.always = training.hub_always_push
        self.license = training.hub_license
        self.native = training.push_native
        self.trainer: VaswaniTrainer | None = None
        self._thread = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None

    def begin(self) -> None:
        """Make sure, before any work is done, that the Hub will accept the push. Raises ValueError."""
        for left in self.folder.glob(f"{DRAFT}*"):  # by a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        if self.target is not None:
            open_repository(self.target)
            say(f"Will push to {self.target.name}: {self.strategy.value}")

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002  (called by these names)
        """Push what was just saved, while training goes on; a push that fails is reported, and training continues."""
        folder = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        if self.target is None or self.strategy == HubStrategy.END:
            return
        is_saved = [(folder / MANIFEST).is_file()]  # not in the middle of skipped steps
        broadcast_object_list(is_saved)  # a process elsewhere may not see the folder
        if not is_saved[0]:
            return
        assert self.trainer is not None
        model = self.trainer.whole_model()  # on every process
        busy = self._running is not None and not self._running.done()
        if not PartialState().is_main_process or (busy and not self.always):
            return
        name = {HubStrategy.CHECKPOINT: "last-checkpoint", HubStrategy.ALL_CHECKPOINTS: folder.name}.get(self.strategy)
        draft = folder.parent / f"{DRAFT}{secrets.token_hex(4)}"
        try:
            model.save_pretrained(draft / "model")
            self.trainer.processing_class.save_pretrained(str(draft / "model"))  # type: ignore[union-attr]
            if name is not None:
                shutil.copytree(folder, draft / name, copy_function=link)  # it may be pruned while it is being pushed
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            say(f"Note: the push at step {state.global_step} failed: {error}")
            return
        seen = [log for log in state.log_history if "eval_perplexity" in log]
        names = (*METRICS, "perplexity")
        figures = {name: seen[-1][f"eval_{name}"] for name in names if f"eval_{name}" in seen[-1]} if seen else {}
        progress = Progress(state.global_step, figures)
        self._running = self._thread.submit(self._push_draft, draft, name, progress)

    def _push_draft(self, draft: Path, checkpoint: str | None, progress: Progress) -> None:
        assert self.target is not None
        try:
            files = files_to_push(draft / "model")
            card = self._card(None, files, progress)
            folders = {checkpoint: draft / checkpoint} if checkpoint else None
            push(self.target, files, card, f"Training in progress, step {progress.step}", folders)
        except Exception as error:  # whatever the error, training goes on
            say(f"Note: the push at step {progress.step} failed: {error}")
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _card(
        self,
        metrics: MetricsRecord | None,
        files: list[Path],
        progress: Progress | None = None,
        native: PushedNative | None = None,
    ) -> str:
        assert self.target is not None
        name, branch = self.target.name, self.target.branch
        return model_card(name, self.run, metrics, checksums(files), self.license, branch, progress, native)

    @contextmanager
    def during_training(self) -> Iterator[None]:
        """Wait at the end, however training ends, for a push that is still running."""
        try:
            yield
        finally:
            self._thread.shutdown()

    def end(self, folder: Path, metrics: MetricsRecord, export_to: Callable[[Path], NativeRecord]) -> None:
        """Push the run's model; only the main process calls this.

        Args:
            folder: of the run.
            metrics: what metrics.json holds.
            export_to: writes the model as a class of transformers' own to a folder, for --push_native.

        Raises:
            ValueError: it was not pushed; the message says how to push it later.

        """
        if self.target is None:
            return
        draft = folder / f"{DRAFT}{secrets.token_hex(4)}"
        try:
            files, native = files_to_push(folder), None
            folders: dict[str, Path] = {}
            if self.native is not None:
                native = PushedNative(export_to(draft), self.native)
                files, folders = with_native(files, draft, self.native)
            card = self._card(metrics, files, native=native)
            address = push(self.target, files, card, f"The end of training, step {metrics.steps}", folders)
        except ValueError as error:
            words = ["vaswani", "push", str(folder), self.target.name]
            words += ["--branch", self.target.branch] if self.target.branch else []
            words += ["--license", self.license] if self.license else []
            words += ["--private"] if self.target.private else []
            words += ["--native", self.native] if self.native else []
            raise ValueError(f"{error}. The run in {folder} is complete; push it with: {shlex.join(words)}") from None
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        say(f"Pushed: {address}")


def link(source: str, copy: str) -> None:
    """Give a file a second name, or where the file system cannot, copy it."""
    try:
        os.link(source, copy)
    except OSError:
        shutil.copy2(source, copy)
