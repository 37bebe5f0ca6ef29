"""What a person watching sees: one bar with the loss and the speed, one line an evaluation."""

from typing import Any

from transformers.trainer_callback import ProgressCallback

from .quality import quality_of


class Progress(ProgressCallback):
    """The Trainer's bar, with what matters in its tail instead of a dictionary a line."""

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the bar, if training came so far that there is one."""
        if self.training_bar is not None:
            super().on_train_end(args, state, control)

    def on_log(
        self,
        args: Any,  # noqa: ARG002  (callbacks are called by these names)
        state: Any,
        control: Any,  # noqa: ARG002
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Show the loss and the target tokens a second in the bar, and evaluations as lines above it."""
        if self.training_bar is None or logs is None:
            return
        if "loss" in logs:
            self.training_bar.set_postfix_str(
                f"loss {logs['loss']:.3f}, {logs['tokens_per_second']:,.0f} tokens/s, epoch {logs['data_epoch']}"
            )
        elif "eval_loss" in logs:
            quality = quality_of(logs, "eval_")
            self.training_bar.write(
                f"step {state.global_step:>7,}  validation: perplexity {logs['eval_perplexity']:8.3f}"
                f"  {quality.name} {quality.value:6.2f}"
            )
