"""Glossaries in translation: where a translation lacks terms, the search is repeated and demands them.

Shapes: V = vocab_size.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from vaswani.data.glossary.glossary import Glossary
from vaswani.data.glossary.matching import count, forms, is_apart, is_of_word
from vaswani.evaluation.terms import terms_of_line
from vaswani.modeling import VaswaniConfig
from vaswani.modeling.generation_vaswani import length_limits
from vaswani.modeling.search_vaswani import start

from .batches import batches
from .constrained_search import Phrase, Spelling, Vocabulary, constrained_search, wanted_by, width
from .ensemble import inputs, mean_log_p, settings_in_common
from .hypotheses import BeamSettings, Hypothesis
from .search import hypotheses, padded
from .token_text import BYTES

_OPENING = "("
"""A character that a word may follow without a space."""

PhraseSearch = Callable[[list[list[int]], list[list[Phrase]]], list[list[Hypothesis]]]
"""From the ids of each source, and the phrases that its translation is to contain, to its hypotheses, best first."""


@dataclass(frozen=True)
class TermSearch:
    """A search for translations with the terms of a glossary."""

    glossary: Glossary
    phrases: dict[tuple[str, ...], tuple[Spelling, ...]]
    """How the target terms of a term are spelled; none where the vocabulary cannot write them."""
    search: PhraseSearch
    beams: int
    """K."""

    def phrases_for(self, line: str) -> list[Phrase]:
        """Return what a translation of a line is to contain; source terms with the same target terms are one."""
        times: dict[tuple[str, ...], int] = {}
        for term, number in self.glossary.terms_in(line):
            times[term.targets] = times.get(term.targets, 0) + number
        times = {each: number for each, number in times.items() if self.phrases[each]}
        # What is written for a term whose every target term is, or contains, one of this term's serves that one alone.
        more = {
            each: sum(n for other, n in times.items() if other != each and all(count(one, each) for one in other))
            for each in times
        }
        return [Phrase(self.phrases[each], number + more[each]) for each, number in times.items()]

    def again(
        self,
        lines: Sequence[str],
        sources: Sequence[list[int]],
        batch: Sequence[int],
        found: Mapping[int, list[Hypothesis]],
        tokens_per_batch: int,
    ) -> dict[int, list[Hypothesis]]:
        """Return translations with terms for those of a batch that lack some, where one is found that lacks fewer.

        A translation that has its terms by itself is the best with them, and stays.

        Args:
            lines: all of a window.
            sources: their ids.
            batch: the places of lines that were searched together, which are searched together again.
            found: their hypotheses, by the place.
            tokens_per_batch: most source tokens at once, padding counted.

        """
        phrases = {
            place: self.phrases_for(lines[place])
            for place in batch
            if any(self._missing(lines[place], each) for each in found[place])
        }
        costs = [0] * (max(batch) + 1)
        for place in phrases:
            if phrases[place]:  # a source with more hypotheses than K counts for more tokens
                costs[place] = -(-len(sources[place]) * width(phrases[place], self.beams) // self.beams)
        better: dict[int, list[Hypothesis]] = {}
        for part in batches(costs, tokens_per_batch):
            searched = self.search([sources[place] for place in part], [phrases[place] for place in part])
            for place, each in zip(part, searched, strict=True):
                now, before = (sum(self._missing(lines[place], one) for one in of) for of in (each, found[place]))
                if now < before:
                    better[place] = each
        return better

    def _missing(self, line: str, hypothesis: Hypothesis) -> int:
        """Return how many terms of a line a translation lacks."""
        return sum(each.wanted - each.kept for each in terms_of_line(self.glossary, line, hypothesis.text))

    @property
    def unspelled(self) -> list[str]:
        """The source terms whose target terms the vocabulary cannot write."""
        return [term.source for term in self.glossary.terms if not self.phrases[term.targets]]


def by_terms(
    models: Sequence[PreTrainedModel], tokenizer: PreTrainedTokenizerBase, beams: BeamSettings, glossary: Glossary
) -> TermSearch:
    """Return the paper's search for translations with terms, by one network of this package or several.

    Raises:
        ValueError: greedy search is asked for, the network is of another package, or is saved with settings that only
            `generate` supports.

    """
    if beams.number == 1:
        raise ValueError("--glossary with 1 beam: terms are put in by a search with beams; give 2 or more")
    if kind := next((each for each in models if each.config.model_type != VaswaniConfig.model_type), None):
        raise ValueError(
            f"--glossary is for networks of this package, and {kind.name_or_path} is a {kind.config.model_type} model: "
            "vaswani import MODEL OUT, or leave it out"
        )
    settings, longest = settings_in_common(models)
    device = models[0].device
    ends = torch.tensor(settings.ends, device=device)
    words = words_of(tokenizer, models[0].config.vocab_size, device)

    @torch.inference_mode()
    def search(sources: list[list[int]], phrases: list[list[Phrase]]) -> list[list[Hypothesis]]:
        input_ids, mask = (each.to(device) for each in padded(sources, settings.padding))
        kept = [inputs(model, input_ids, mask) for model in models]
        prompt = input_ids.new_full((len(sources), 1, 1), settings.start)
        limits = length_limits(mask.sum(1), settings.extra_tokens, longest)
        dtype = torch.promote_types(kept[0]["encoder_outputs"][0].dtype, torch.float32)
        found = constrained_search(
            lambda state: settings.obeyed(mean_log_p(models, kept, state), state),
            start(prompt, limits, beams.number, settings.padding, dtype),
            wanted_by(phrases, device),
            words,
            ends,
            beams.length_penalty,
            beams.n_best,
        )
        return hypotheses(tokenizer, found.tokens, found.scores)

    spellings = {term.targets: spellings_of(tokenizer, term.targets, settings.forbidden) for term in glossary.terms}
    return TermSearch(glossary, spellings, search, beams.number)


def spellings_of(
    tokenizer: PreTrainedTokenizerBase, terms: Sequence[str], forbidden: Sequence[int] = ()
) -> tuple[Spelling, ...]:
    """Return the ways to write any of some terms: with a space before it and without, and with a capital.

    None holds a token that stands for unknown text, or one of `forbidden`.
    """
    never = {*forbidden, tokenizer.unk_token_id} - {None}
    found: dict[Spelling, None] = {}
    for term in terms:
        for form in forms(term):
            needs_right = is_of_word(form[-1]) and not is_apart(form[-1])
            needs_left = is_of_word(form[0]) and not is_apart(form[0])
            opening, with_opening = _ids(tokenizer, _OPENING), _ids(tokenizer, _OPENING + form)
            each = [Spelling(tuple(_ids(tokenizer, form)), False, needs_right)]
            if is_of_word(form[0]) and with_opening[: len(opening)] == opening:
                each.append(Spelling(tuple(with_opening[len(opening) :]), needs_left, needs_right))
            found |= dict.fromkeys(one for one in each if one.tokens and not never.intersection(one.tokens))
    return tuple(found)


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Return the ids of a text of the target language, without </s>."""
    ids = list(tokenizer(text_target=text).input_ids)
    return ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids


def words_of(tokenizer: PreTrainedTokenizerBase, vocab_size: int, device: torch.device) -> Vocabulary:
    """Return what the tokens of a vocabulary mean for the bounds of words; bytes of a letter count as of a word."""
    is_of_bytes = _is_of_bytes(tokenizer)
    special = set(tokenizer.all_special_ids)
    begins, ends = (torch.zeros(vocab_size, dtype=torch.bool) for _ in range(2))
    for token in range(min(vocab_size, len(tokenizer))):
        text = "" if token in special else _text(str(tokenizer.convert_ids_to_tokens(token)), is_of_bytes)
        if text:
            begins[token] = _continues(text[0])
            ends[token] = _continues(text[-1])
    return Vocabulary(begins.to(device), ends.to(device))


def _continues(character: str) -> bool:
    """Return whether a character is of a word whose neighbour would be of the same word."""
    return character == "\ufffd" or (is_of_word(character) and not is_apart(character))


def _is_of_bytes(tokenizer: Any) -> bool:
    """Return whether the letters of a vocabulary stand for bytes."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    return backend is not None and '"ByteLevel"' in json.dumps(json.loads(backend.to_str()).get("decoder"))


def _text(token: str, is_of_bytes: bool) -> str:
    """Return the text of a token inside a text, with U+FFFD where bytes are no letter."""
    if is_of_bytes and BYTES.keys() >= set(token):
        return bytes(BYTES[letter] for letter in token).decode("utf-8", "replace")
    return token.replace("▁", " ")
