"""A corpus of any size: lines are read window by window, translated by one or several processes, and put in order.

A window is sorted by length and cut into batches, and each process takes every n-th of these. So a sentence is in the
same batch whatever the number of processes, and the result does not depend on it. Only one window is in memory.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from vaswani.data.directions import is_tag, tag_of, tagged

from .batches import batches, encode, translate_batches
from .hypotheses import BLANK, BatchSearch, BeamSettings, Hypothesis, Tokenizer
from .loaded import LoadedModel
from .longest_text import longest_token, most_characters
from .processes import Processes, processes
from .progress import Progress
from .settings import UNBOUNDED

if TYPE_CHECKING:
    from vaswani.data.glossary.glossary import Glossary

    from .alignment import Align
    from .terms import TermSearch


@dataclass(frozen=True)
class Translator:
    """Everything that turns lines into translations."""

    tokenizer: Tokenizer
    search: BatchSearch
    tokens_per_batch: int
    """Most source tokens in a batch, padding counted; a longer line goes alone."""
    max_tokens: int
    """A line with more is left empty, not cut."""
    align: "Align | None" = None
    positions: int = UNBOUNDED
    """The most tokens that the network can read, whatever `max_tokens` is."""
    tag: str = ""
    """What each line begins with for the network alone."""
    annotate: Callable[[str], str] | None = None
    """Names the terms of a glossary in a line, for the network alone."""
    terms: "TermSearch | None" = None
    """Searches again for what lacks terms of a glossary."""

    def read(self, line: str) -> str:
        """Return what the network reads of a line."""
        return tagged(line if self.annotate is None else self.annotate(line), self.tag)


def by_model(model: LoadedModel, beams: BeamSettings, tokens_per_batch: int, max_tokens: int) -> Translator:
    """Return a translator by a loaded model; arguments as in `load.load_translator`."""
    most = min(max_tokens, model.max_tokens)
    search = model.search(beams, True)
    return Translator(model.tokenizer, search, tokens_per_batch // beams.number, most, positions=model.max_tokens)


def to_language(translator: Translator, language: str) -> Translator:
    """Return a translator into one of the languages of a model of several.

    Raises:
        ValueError: its vocabulary has no tag for this language.

    """
    tag, known = tag_of(language), targets_of(translator)
    if language not in known:
        has = f"it has {', '.join(known)}" if known else "it has none, so it translates into one language only"
        raise ValueError(f"--target {language} needs the token {tag}, and the model does not know it: {has}")
    return replace(translator, tag=tag)


def targets_of(translator: Translator) -> list[str]:
    """Return the languages that a model of several translates into; none of a model of one."""
    return sorted(each.strip("><") for each in translator.tokenizer.get_vocab() if is_tag(each))


def with_terms_named(translator: Translator, glossary: "Glossary", engine: str) -> Translator:
    """Return a translator that names the terms of a glossary in the sources, as its model was trained.

    Raises:
        ValueError: it was not.

    """
    from vaswani.data.glossary.annotation import Annotator, knows_terms

    if not knows_terms(translator.tokenizer.get_vocab()):
        raise ValueError(
            f"--glossary: the model was not trained with terms in its sources, and --engine {engine} cannot demand "
            "them of its search; use --engine torch, or train it with --glossary"
        )
    return replace(translator, annotate=Annotator(glossary).line)


class Line(NamedTuple):
    """A line of the input and its result."""

    number: int
    """From 1."""
    source: str
    tokens: int
    """With </s>; 0 for a blank line. Of one with too many characters to be encoded, the least that it can have."""
    is_too_long: bool
    hypotheses: list[Hypothesis]
    """Best first; a single empty one for a line that is blank or too long."""
    alignments: list[str] | None
    """Of each hypothesis, if they were asked for."""


def translate_corpus(
    translator: Translator,
    windows: Iterable[list[str]],
    total: int | None = None,
    progress: bool = False,
    before: int = 0,
) -> Iterator[list[Line]]:
    """Translate window after window; all processes must call this, and all get all lines.

    Args:
        translator: every process has its own.
        windows: lines; only the main process reads them.
        total: the number of lines, if it is known, for the progress.
        progress: show it on stderr, on the main process: a bar on a terminal, and a line a minute elsewhere.
        before: lines of the text in front of the first window, which only the main process knows.

    """
    all_of_us, number = processes(), before
    longest = longest_token(translator.tokenizer)
    most = most_characters(longest, translator.max_tokens)
    with Progress(total, " lines", progress and all_of_us.number == 0) as bar:
        for lines in shared(iter(windows), all_of_us):
            fit = [line if len(line) <= most else "" for line in lines]  # none that takes too much memory to encode
            sources = encode(translator.tokenizer, [translator.read(line) for line in fit])
            lengths = [
                len(source) if len(line) <= most else 1 + len(line) // longest
                for source, line in zip(sources, lines, strict=True)
            ]
            cut = list(batches([n if n <= translator.max_tokens else 0 for n in lengths], translator.tokens_per_batch))
            mine = cut[all_of_us.number :: all_of_us.together]
            found = translate_batches(translator.search, sources, mine, bar.update)
            if translator.terms is not None:
                for batch in mine:
                    found |= translator.terms.again(lines, sources, batch, found, translator.tokens_per_batch)
            parts = all_of_us.gathered((found, aligned(translator, lines, found, mine)))
            hypotheses = {place: each for part, _ in parts for place, each in part.items()}
            alignments = {place: each for _, part in parts for place, each in part.items()}
            yield [
                Line(
                    number + place + 1,
                    line,
                    lengths[place],
                    lengths[place] > translator.max_tokens,
                    hypotheses.get(place, BLANK),
                    None if translator.align is None else alignments.get(place, [""]),
                )
                for place, line in enumerate(lines)
            ]
            number += len(lines)
            bar.update(number - before - bar.done)  # blank lines, and those of other processes


def aligned(
    translator: Translator, lines: list[str], found: dict[int, list[Hypothesis]], cut: list[list[int]]
) -> dict[int, list[str]]:
    """Align every hypothesis, batch after batch; returns the alignments by the place of the line."""
    alignments: dict[int, list[str]] = {}
    align = translator.align
    for batch in cut if align is not None else []:
        assert align is not None
        pairs = [(lines[place], each.text) for place in batch for each in found[place]]
        rows = iter(align([source for source, _ in pairs], [target for _, target in pairs], translator.tag))
        alignments |= {place: [next(rows) for _ in found[place]] for place in batch}
    return alignments


def shared(windows: Iterator[list[str]], all_of_us: Processes) -> Iterator[list[str]]:
    """Give every process what process 0 reads, or its error."""
    while True:
        held: Any = None
        if all_of_us.number == 0:
            try:
                held = next(windows, None)
            except (ValueError, OSError) as error:
                held = error
        held = all_of_us.shared(held)
        if isinstance(held, Exception):
            raise held
        if held is None:
            return
        yield held


class Untagged:
    """Counts the lines that do not say which language they are to be translated into, to a model of several."""

    def __init__(self, translator: Translator) -> None:
        self.targets = [] if translator.tag else targets_of(translator)
        self._tags = tuple(map(tag_of, self.targets))
        self._first: int | None = None
        self._count = 0

    def add(self, lines: Iterable[Line]) -> None:
        """Count those of a window."""
        for line in lines:
            if self._tags and line.tokens and not line.source.lstrip().startswith(self._tags):
                self._count += 1
                self._first = self._first or line.number

    def report(self) -> str | None:
        """Return the message for the user, if there is one."""
        if not self._count:
            return None
        return (
            f"{self._count:,} line(s), the first is line {self._first}, name no language, and the model has "
            f"{', '.join(self.targets)}: give --target {self.targets[0]}, or begin lines with {self._tags[0]}"
        )


class TooLong:
    """Counts the lines that were too long and left empty."""

    SHOWN = 10

    def __init__(self, translator: Translator) -> None:
        self.max_tokens = translator.max_tokens
        self.way_out = (
            "split them into sentences, or raise --max_tokens"
            if translator.max_tokens < translator.positions
            else "split them into sentences: the model knows no more positions"
        )
        self.count = 0
        self.first: list[str] = []

    def add(self, lines: Iterable[Line]) -> None:
        """Record those of a window."""
        for line in lines:
            if line.is_too_long:
                self.count += 1
                if len(self.first) < self.SHOWN:
                    self.first.append(f"{line.number} ({line.tokens:,})")

    def report(self) -> str | None:
        """Return the message for the user, if there is one."""
        if not self.count:
            return None
        more = ", ..." if self.count > self.SHOWN else ""
        return (
            f"{self.count:,} line(s) of more than {self.max_tokens:,} tokens were left empty, not cut: line (tokens) "
            f"{', '.join(self.first)}{more}; {self.way_out}"
        )
