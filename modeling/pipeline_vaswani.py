"""`pipeline("translation", ...)`, which version 5 of transformers removed: text in, translations out.

This file travels with every saved model, so it imports nothing but torch and transformers.

Shapes: B sentences, S source tokens, N hypotheses asked for of each sentence, L of the longest one.
"""

import re
from typing import Any

from torch import Tensor
from transformers import AutoModelForSeq2SeqLM, Pipeline, pipelines
from transformers.utils.generic import ModelOutput

# As in the package's `data/blank_text.py`, which does not travel: white space, control characters, invisible ones.
_SEEN = re.compile(
    r"[^\s\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U00013430-\U0001343f"
    r"\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)


class TranslationPipeline(Pipeline):
    """Translates by `generate`, with whatever search the model is saved with.

    Call it with a text, a list of texts, a data set or a generator; every argument of `generate` may be given, here
    or in the call. Results are in the order of the inputs, in the form of version 4 of transformers: for a text
    `[{"translation_text": ...}]`, for a list one such dictionary per text, and with `num_return_sequences` above 1 a
    list of them per text, best first. A text of white space and invisible characters gives an empty translation.
    """

    _pipeline_calls_generate = True
    _load_tokenizer: Any = True

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Translate; see the class."""
        if isinstance(inputs, list) and not inputs:
            return []
        outputs: Any = super().__call__(inputs, *args, **kwargs)
        if isinstance(inputs, list) and all(len(each) == 1 for each in outputs):
            return [each[0] for each in outputs]
        return outputs

    def _sanitize_parameters(self, **generate_kwargs: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        return {}, generate_kwargs, {}

    def preprocess(self, input_: Any, **_: Any) -> dict[str, Any]:
        """Encode one text, `[1, S]`; nothing is ever cut off.

        Raises:
            ValueError: it is not text, or longer than the learned positions of the model.

        """
        if not isinstance(input_, str):
            raise ValueError(
                f"a {type(input_).__name__} cannot be translated; give a text, a list or a generator of texts"
            )
        assert self.tokenizer is not None
        encoded = self.tokenizer(input_, return_tensors="pt")
        length, config = encoded["input_ids"].shape[1], self.model.config
        if getattr(config, "positions", None) == "learned" and length > config.max_positions:
            raise ValueError(
                f"{input_[:30]!r}... has {length} tokens, and the model knows {config.max_positions} positions; "
                "split the text into sentences"
            )
        return {
            "input_ids": encoded["input_ids"],
            "attention_mask": encoded["attention_mask"],
            "is_blank": is_blank(input_),
        }

    def _forward(self, input_tensors: dict[str, Any], **generate_kwargs: Any) -> Any:
        """Translate `[B, S]` into `[B, N, L]`."""
        source: Tensor = input_tensors["input_ids"]
        as_given = getattr(self, "_prepare_generate_kwargs", dict)  # which adds those of `pipeline`, since 5.18
        model: Any = self.model  # a PreTrainedModel does not say that it generates
        output = model.generate(source, attention_mask=input_tensors["attention_mask"], **as_given(generate_kwargs))
        tokens: Tensor = output["sequences"] if isinstance(output, ModelOutput) else output
        return {"tokens": tokens.unflatten(0, (len(source), -1)), "is_blank": input_tensors["is_blank"]}

    def postprocess(self, model_outputs: dict[str, Any], **_: Any) -> list[dict[str, str]]:
        """Turn the `[1, N, L]` tokens of one text into its translations."""
        assert self.tokenizer is not None
        texts: list[str] = self.tokenizer.batch_decode(
            model_outputs["tokens"][0], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return [{"translation_text": "" if model_outputs["is_blank"] else text} for text in texts]


def is_blank(text: str) -> bool:
    """Return whether a text has nothing to read: only white space and invisible characters, or none."""
    return _SEEN.search(text) is None


def register() -> None:
    """Register the task, which `pipeline` finds in the folder of a model, but not for a loaded model."""
    getattr(pipelines, "REMOVED_TASKS", {}).pop("translation", None)  # asked first, it would refuse what is registered
    if "translation" not in pipelines.PIPELINE_REGISTRY.get_supported_tasks():
        pipelines.PIPELINE_REGISTRY.register_pipeline(
            "translation", TranslationPipeline, pt_model=AutoModelForSeq2SeqLM
        )


register()

__all__ = ["TranslationPipeline"]
