"""How translations are written: one line each as plain text, or every hypothesis with its score as TSV or JSONL."""

import json
from collections.abc import Callable, Iterable, Iterator

from .corpus import Line


def as_text(lines: Iterable[Line]) -> Iterator[str]:
    """Return the best translation of each line, and after " ||| " its alignment if there is one."""
    for line in lines:
        best = line.hypotheses[0].text
        yield best if line.alignments is None else f"{best} ||| {line.alignments[0]}"


def as_tsv(lines: Iterable[Line]) -> Iterator[str]:
    """Return a row for each hypothesis: line and rank (from 1), score (empty if there is none), text, alignment."""
    for line in lines:
        for rank, (text, score) in enumerate(line.hypotheses, 1):
            columns = [str(line.number), str(rank), "" if score is None else f"{score:.6g}", text.replace("\t", " ")]
            if line.alignments is not None:
                columns.append(line.alignments[rank - 1])
            yield "\t".join(columns)


def as_jsonl(lines: Iterable[Line]) -> Iterator[str]:
    """Return an object for each line: "line", "source", "translations"; "too_long" has the tokens of such a line."""
    for line in lines:
        translations = [each._asdict() for each in line.hypotheses]
        for each, alignment in zip(translations, line.alignments or [], strict=False):
            each["alignment"] = alignment
        content = {"line": line.number, "source": line.source, "translations": translations}
        if line.is_too_long:
            content["too_long"] = line.tokens
        yield json.dumps(content, ensure_ascii=False)


FORMATS: dict[str, Callable[[Iterable[Line]], Iterator[str]]] = {"text": as_text, "tsv": as_tsv, "jsonl": as_jsonl}
