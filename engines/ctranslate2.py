"""CTranslate2: the paper's search over what its engine finds; neither torch nor transformers is needed for it.

The engine's own search has no GNMT penalty, stops after as many hypotheses as it has beams, counts one cut off at the
limit as ended, and has one limit for a batch. So it is asked for four times as many hypotheses as beams, and penalty,
limit and order are computed here. One difference remains: of the best 2K continuations of a step it counts only the
ends among the first K.
"""

import json
from pathlib import Path
from typing import Any

import ctranslate2

from vaswani.storage import naming_damage
from vaswani.translation.hypotheses import BeamSettings
from vaswani.translation.model_files import check_files
from vaswani.translation.models import SHORTLIST
from vaswani.translation.processes import processes
from vaswani.translation.settings import saved_settings

from .engine import Candidate, check_lengths

BEAM_PATIENCE = 4
"""How many times the beams must end as hypotheses. With 2 the best one was sometimes still missing; 8 found no more."""


def penalty(length: int, alpha: float) -> float:
    """Return ((5 + length) / 6)^alpha, as modeling/search_vaswani.py does, which needs torch."""
    return ((5 + length) / 6) ** alpha


def engine_penalty(beams: BeamSettings) -> float:
    """Return the exponent of the length by which the engine divides log P.

    When it is done, it drops what comes last in that order, if in the last step more ended than it returns. By log P
    alone those would be the longest, by length^alpha the shortest, since ((5 + n) / 6)^alpha grows as n^(alpha / 2) at
    5 tokens, and faster as they get longer. And with 0 it would not stop before its best beam ends, whatever its
    patience, and would drop all but the shortest of what piles up.
    """
    return beams.length_penalty / 2 if beams.number > 1 else 0.0


def check_kinds(about: dict[str, Any]) -> None:
    """Raise TypeError unless what the engine and this module read in config.json is of its type."""
    kinds = {"max_positions": int, "add_source_bos": bool, "add_source_eos": bool, "decoder_start_token": str}
    for name, kind in kinds.items():
        if type(about[name]) is not kind:
            raise TypeError(f"{name} is {about[name]!r}, no {kind.__name__}")


class Engine:
    """An exported model, loaded."""

    def __init__(self, folder: Path, device: str | None = None, threads: int = 1) -> None:
        """Load.

        Args:
            folder: what `export` wrote.
            device: "cpu", "cuda" or "cuda:N"; None takes this process's own CUDA device if there is one.
            threads: on a CPU.

        Raises:
            ValueError: the device is not here.

        """
        check_files(folder)
        if device is None:
            found = ctranslate2.get_cuda_device_count()
            device = f"cuda:{processes().local_number % found}" if found else "cpu"
        kind, _, index = device.partition(":")
        try:
            self.translator = ctranslate2.Translator(
                str(folder), kind, device_index=int(index or 0), intra_threads=threads
            )
        except (ValueError, RuntimeError) as error:
            raise ValueError(
                f"CTranslate2 cannot load {folder} on {device}: {error}; export it again, or name another --device"
            ) from error
        self.uses_shortlist = (folder / SHORTLIST).exists()
        self.settings = saved_settings(folder)
        with naming_damage(f"the export in {folder}", "config.json or shared_vocabulary.json"):
            about = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            check_kinds(about)
            self.max_positions: int = about["max_positions"]
            self.tokens: list[str] = json.loads((folder / "shared_vocabulary.json").read_text(encoding="utf-8"))
            self.ids = {token: place for place, token in enumerate(self.tokens)}
            self.end = self.ids[about["eos_token"]]

    def limit(self, source: list[int]) -> int:
        """Return how many tokens the translation may have."""
        return self.settings.limit(len(source), self.max_positions)

    def search(self, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the best candidates of each sentence, ordered as by the paper's search.

        Raises:
            ValueError: a sentence is longer than the positions of the export.

        """
        check_lengths(sources, self.max_positions)
        if not self.settings.forces_end:
            return self.search_to(max(map(self.limit, sources)), sources, beams)
        found: list[list[Candidate]] = [[]] * len(sources)
        for limit in {*map(self.limit, sources)}:  # what is forced at one limit has to compete there
            places = [place for place, source in enumerate(sources) if self.limit(source) == limit]
            for place, each in zip(
                places, self.search_to(limit, [sources[place] for place in places], beams), strict=True
            ):
                found[place] = each
        return found

    def search_to(self, limit: int, sources: list[list[int]], beams: BeamSettings) -> list[list[Candidate]]:
        """Return the same of sentences whose translations may have `limit` tokens at most."""
        wide, forces_end = beams.number > 1, self.settings.forces_end
        if forces_end and limit == 1:
            return [[Candidate([self.end], 0.0)] for _ in sources]
        results = self.translator.translate_batch(
            [[self.tokens[place] for place in source] for source in sources],
            beam_size=beams.number,
            patience=BEAM_PATIENCE if wide else 1,
            num_hypotheses=BEAM_PATIENCE * beams.number if wide else 1,
            length_penalty=engine_penalty(beams),
            min_decoding_length=0,  # 1 would take the end token from the first step, and give the others its share
            max_input_length=0,  # 1024 would cut longer ones silently
            max_decoding_length=limit - forces_end,  # what is cut off there is given its end
            suppress_sequences=[[self.tokens[token]] for token in self.settings.forbidden] or None,
            return_scores=True,
            return_end_token=True,
            use_vmap=self.uses_shortlist,
        )
        return [self.ordered(source, result, beams) for source, result in zip(sources, results, strict=True)]

    def ordered(self, source: list[int], result: Any, beams: BeamSettings) -> list[Candidate]:
        """Return the best candidates within the sentence's own limit: those that ended, then those that were cut off.

        What ended within it is what the search would have found had there been no longer limit. Where that is not
        enough the sentence is searched again, alone, so that the engine cuts off where it should.
        """
        limit = self.limit(source)
        within = [pair for pair in zip(result.hypotheses, result.scores, strict=True) if len(pair[0]) <= limit]
        if len(within) < min(beams.n_best, len(result.hypotheses)):
            return self.search([source], beams)[0]
        alpha, of_engine = beams.length_penalty, engine_penalty(beams)
        found = []
        for tokens, score in within:
            ids, log_p = [self.ids[each] for each in tokens], score * len(tokens) ** of_engine
            if self.settings.forces_end and ids[-1] != self.end:
                ids.append(self.end)
            found.append(Candidate(ids, log_p / penalty(len(ids), alpha)))
        return sorted(found, key=lambda each: (each.tokens[-1] != self.end, -each.score))[: beams.n_best]
