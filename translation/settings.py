"""The generation settings that are saved with a model, for searches other than `generate`."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from vaswani.storage import check_object, naming_damage

if TYPE_CHECKING:
    from torch import Tensor

    from vaswani.modeling.search_vaswani import SearchState

EXTRA_TOKENS = 50
UNBOUNDED = 2**62
"""Both as in modeling/generation_vaswani.py, which needs torch."""

_OFF: tuple[Any, ...] = (None, 0, [], {})
_NO_FACTOR = (None, 1)

_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id", "forced_eos_token_id")
_NUMBERS = ("num_beams", "length_penalty", "max_length", "max_new_tokens", "min_length", "extra_tokens")
_BOOLEANS = ("do_sample", "use_cache", "output_attentions", "output_hidden_states", "output_scores")

ONLY_IN_GENERATE: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("repetition_penalty", "encoder_repetition_penalty", "guidance_scale"), _NO_FACTOR),
    "min_length": (None, 0, 1),  # the start token counts
    **dict.fromkeys(
        (
            "min_new_tokens",
            "no_repeat_ngram_size",
            "encoder_no_repeat_ngram_size",
            "diversity_penalty",
            "exponential_decay_length_penalty",
            "begin_suppress_tokens",
            "sequence_bias",
            "forced_bos_token_id",
            "force_words_ids",
            "constraints",
            "stop_strings",
            "max_time",
            "watermarking_config",
        ),
        _OFF,
    ),
}
"""Settings that only `generate` supports, with the values at which they change no translation."""


class GenerationSettings(NamedTuple):
    """The start, end and length limits of a translation."""

    start: int
    """The token before its first."""
    ends: tuple[int, ...]
    """The tokens that end it."""
    padding: int
    extra_tokens: int
    """The most tokens that it may have beyond its source's."""
    most_tokens: int
    """The most tokens that it may have, whatever its source."""
    forbidden: tuple[int, ...] = ()
    """The tokens that it never has, such as the one that pads in OPUS-MT."""
    renormalizes: bool = False
    """Whether the others share the probability of those."""
    forces_end: bool = False
    """Whether what reaches its limit ends there, as if the end were certain."""

    def limit(self, source_tokens: int, positions: int) -> int:
        """Return the most tokens of a translation, given those of its source and the last position of the network."""
        return min(source_tokens + self.extra_tokens, self.most_tokens, positions)

    def obeyed(self, log_p: "Tensor", search: "SearchState") -> "Tensor":
        """Return log P `[B, n, V]` of each next token of a search, less what is forbidden and with what is forced."""
        import torch

        from vaswani.modeling.search_vaswani import NEVER, force_end

        if self.forbidden:
            log_p = log_p.index_fill(-1, torch.tensor(self.forbidden, device=log_p.device), NEVER)
        if self.forbidden and self.renormalizes:
            log_p = log_p.log_softmax(-1)
        return force_end(log_p, search, torch.tensor(self.ends, device=log_p.device)) if self.forces_end else log_p


def generation_settings(generation: Any, where: str | Path | None) -> GenerationSettings:
    """Return the settings saved with a model, interpreted as `generate` does.

    Args:
        generation: its `generation_config`, or None.
        where: its name, for errors.

    Raises:
        ValueError: it is saved with settings that only `generate` supports, or lacks the start, the end or room for a
            translation.

    """
    saved = {name: getattr(generation, name, None) for name in ONLY_IN_GENERATE}
    beyond = [f"{name}={value}" for name, value in saved.items() if value not in ONLY_IN_GENERATE[name]]
    words, forced = (getattr(generation, name, None) for name in ("bad_words_ids", "forced_eos_token_id"))
    if any(len(word) > 1 for word in words or ()):
        beyond.append(f"bad_words_ids={words}")
    ends = getattr(generation, "eos_token_id", None)
    if forced is not None and as_tuple(forced) != as_tuple(ends):
        beyond.append(f"forced_eos_token_id={forced}")
    if beyond:
        raise ValueError(
            f"{where} sets {', '.join(beyond)} in generation_config.json, which only generate supports; take it out of "
            "there, or translate with torch and this one model"
        )
    start, padding = (getattr(generation, f"{name}_token_id", None) for name in ("decoder_start", "pad"))
    if start is None or ends is None:
        raise ValueError(
            f"{where} has decoder_start_token_id {start} and eos_token_id {ends}: translations need a start and an "
            "end; set both in generation_config.json"
        )
    ends = as_tuple(ends)
    padding = int(ends[0] if padding is None else padding)
    suppressed = getattr(generation, "suppress_tokens", None) or ()
    forbidden = {int(word[0]) for word in words or ()}.difference(ends) | {int(token) for token in suppressed}
    return GenerationSettings(
        int(start),
        ends,
        padding,
        extra_tokens(generation),
        most_tokens(generation),
        tuple(sorted(forbidden)),
        bool(getattr(generation, "renormalize_logits", None)),
        forced is not None,
    )


def as_tuple(ids: Any) -> tuple[int, ...]:
    """Return one id, or several, as a tuple."""
    return tuple(int(each) for each in ids) if isinstance(ids, list | tuple) else (int(ids),) if ids is not None else ()


def most_tokens(generation: Any) -> int:
    """Return the most tokens of a translation, by the saved max_new_tokens, or else max_length (with the start token).

    Raises:
        ValueError: there is no room for a token.

    """
    for name, start in (("max_new_tokens", 0), ("max_length", 1)):
        value = getattr(generation, name, None)
        if value is not None and value <= start:
            raise ValueError(
                f"{name} is {value}, which leaves no token for a translation; set {start + 1} or more in "
                "generation_config.json, or take it out of there"
            )
        if value is not None:
            return int(value) - start
    return UNBOUNDED


def extra_tokens(generation: Any) -> int:
    """Return how much longer than its source a translation may be, as `extra_tokens` of modeling does."""
    found = (getattr(generation, name, None) for name in _EXTRA)
    return int(next((value for value in found if value is not None), EXTRA_TOKENS))


_EXTRA = ("extra_tokens", "extra_symbols")
_COUNTS = ("max_length", "max_new_tokens", "num_beams")
_PLAIN: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("bos_token_id", "decoder_start_token_id", "eos_token_id", "pad_token_id"), int),
    **dict.fromkeys((*_EXTRA, *_COUNTS), int),
    **dict.fromkeys(("use_cache", "output_attentions", "output_hidden_states", "_from_model_config"), bool),
    "length_penalty": (int, float),
    "transformers_version": str,
}
"""Settings that mean what they say, with their types."""


def check_kinds(file: Path) -> None:
    """Raise ValueError if a generation_config.json is damaged, or has a token, number or switch that is none."""
    check_object(file)
    content = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    kinds = {
        **dict.fromkeys(_IDS, ("a number of a token", lambda value: all(type(each) is int for each in listed(value)))),
        **dict.fromkeys(_NUMBERS, ("a number", lambda value: type(value) in (int, float))),
        **dict.fromkeys(_BOOLEANS, ("true or false", lambda value: type(value) is bool)),
    }
    for name, (what, fits) in kinds.items():
        if content.get(name) is not None and not fits(content[name]):
            raise ValueError(f"{file} is damaged: {name} is {content[name]!r}, not {what}; copy it again")


def listed(value: Any) -> list[Any]:
    """Return a list as it is, and anything else as a list of it."""
    return value if isinstance(value, list) else [value]


def saved_settings(folder: Path) -> GenerationSettings:
    """Return the settings of a model that was exported to `folder`."""
    file = folder / "generation_config.json"
    check_kinds(file)
    found: Any = plain_settings(file)
    if found is None:
        from transformers import GenerationConfig

        with naming_damage(f"the settings in {folder}", file.name):
            found = GenerationConfig.from_pretrained(folder)
    return generation_settings(found, folder)


def plain_settings(file: Path) -> SimpleNamespace | None:
    """Return what a generation_config.json sets, if transformers, which takes long to import, would add nothing.

    None: it sets something unusual or is damaged, and transformers is to read it and to judge it.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(found, dict) or not all(_is_plain(name, value) for name, value in found.items()):
        return None
    if found.get("_from_model_config") and found.keys() & set(_EXTRA):  # which transformers then drops
        return None
    return SimpleNamespace(**found)


def _is_plain(name: str, value: Any) -> bool:
    kind = _PLAIN.get(name, ())
    is_of_kind = isinstance(value, kind) and isinstance(value, bool) == (kind is bool)
    return is_of_kind and (name not in _COUNTS or int(value) > 0)
