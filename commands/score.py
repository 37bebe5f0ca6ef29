"""Score a translation, or compare several: sacreBLEU, chrF, TER, the paper's BLEU, COMET, with signatures; or terms."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vaswani.evaluation.metric_table import PROTOCOLS, Cost, Kind, as_shown, by_score_key, of_kind

from .comet_scores import comet_of, load_comet
from .judged_pairs import judge
from .kept_terms import score_terms
from .line_files import check_readable, check_writable, distinct, read_lines, write_lines
from .sentence_scores import score_sentences

if TYPE_CHECKING:
    from vaswani.evaluation.scores import LeftOut, Score
    from vaswani.evaluation.significance import Comparison

MANY_LINES = 10_000
"""Lines of all outputs from which the slowest score is announced."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani score` takes."""
    against = parser.add_mutually_exclusive_group()
    against.add_argument(
        "--references",
        metavar="FILE",
        type=Path,
        nargs="+",
        help="right translations, each of all lines in UTF-8, or WMT's .xml or .sgm with those of several translators; "
        "or --test_set, or --model (default: none)",
    )
    against.add_argument(
        "--test_set",
        metavar="NAME",
        help="the references of a test set that sacreBLEU knows, such as wmt14, fetched once into ~/.sacrebleu; needs "
        "--direction (default: none)",
    )
    against.add_argument(
        "--model",
        metavar="MODEL",
        help="judge each pair of --sources and --hypotheses by this model: print log P of the translation (natural), "
        "its tokens, and -log P a token, as TSV (default: scores against --references)",
    )
    parser.add_argument(
        "--terms",
        metavar="GLOSSARY",
        type=Path,
        help="print how many terms of a glossary, TSV or TBX, that stand in --sources are kept, which are missed most, "
        "and beside it the share in --references, if they are given (default: scores)",
    )
    parser.add_argument(
        "--sentences",
        action="store_true",
        help="print BLEU and chrF of each line, 0 to 100, and COMET if --comet is given, as TSV; how BLEU is smoothed "
        "goes to stderr (default: scores of the whole text)",
    )
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="where the rows of --model or --sentences go, packed if its name ends with .gz, .zst, .xz, .bz2 or .lz4; "
        "until all is done it is FILE.partial, beside FILE.journal (default: stdout)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with an --output that is not finished, with the same texts and flags; begin it if there is none "
        "(default: no)",
    )
    parser.add_argument(
        "--hypotheses",
        metavar="FILE",
        type=Path,
        nargs="+",
        default=[None],
        help="the translation to judge (default: stdin); further ones are compared with the first by paired "
        "approximate randomisation",
    )
    parser.add_argument(
        "--language",
        metavar="CODE",
        help="language of these texts, such as de, zh or pt-BR: decides what a word is, and whether the paper's BLEU "
        "fits (default: guessed from their script)",
    )
    parser.add_argument(
        "--direction",
        metavar="SOURCE-TARGET",
        help="languages of --test_set, or of a glossary that has several, such as en-de (default: none)",
    )
    parser.add_argument(
        "--json", action="store_true", help="print JSON, figures unrounded (default: one line per score, two digits)"
    )
    parser.add_argument(
        "--sources",
        metavar="FILE",
        type=Path,
        help="the sources, for --model, --terms and --comet, and for metrics that also read them; --test_set has its "
        "own (default: none)",
    )
    parser.add_argument(
        "--comet",
        metavar="CHECKPOINT",
        help="print COMET too, last, by a published checkpoint: a folder with hparams.yaml and checkpoints/model.ckpt, "
        "or OWNER/NAME (or OWNER/NAME@REVISION) on the Hub, such as Unbabel/wmt22-comet-da; needs --sources, and "
        "--references unless it reads none (default: no COMET)",
    )
    parser.add_argument(
        "--comet_encoder",
        metavar="FOLDER",
        type=Path,
        help="config.json and tokenizer.json of the XLM-R that CHECKPOINT was trained on (default: from the Hub, by "
        "the name in CHECKPOINT)",
    )
    known = of_kind(Kind.TRANSLATIONS)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--metrics",
        nargs="+",
        choices=[each.key for each in known],
        help=f"which scores to print (default: {', '.join(each.key for each in known if not each.on_request)})",
    )
    which.add_argument(
        "--as",
        dest="protocols",
        nargs="+",
        choices=PROTOCOLS,
        help="print BLEU alone, counted as papers on a task count it: multi30k and iwslt14 on lower-cased tokens of "
        "Moses, wmt14 on tokens with German compounds split, sacrebleu on plain text (default: --metrics)",
    )


def run(args: argparse.Namespace) -> None:
    """Print every score as soon as it is computed, one per line; for several outputs, one table per score.

    Remarks, and the reason why a score is left out, go to stderr.

    Raises:
        ValueError: the counts of lines differ, there are none, or a line is not UTF-8.
        OSError: a file cannot be read.
    """
    judges = (args.terms, args.references, args.test_set, args.model, args.comet)
    if all(each is None for each in judges):
        raise ValueError("nothing says what the translation is judged by: give --references, --test_set, --model, "
                         "--terms, or --comet")  # fmt: skip
    check_comet(args)
    if (args.test_set is None) != (args.direction is None) and (args.terms is None or args.direction is None):
        raise ValueError("--test_set and --direction belong together: give --test_set wmt14 --direction en-de")
    if args.terms is not None:
        check_terms(args)
        score_terms(args)
        return
    if args.model is not None or args.sentences:
        check_alone(args)
        judge(args) if args.model is not None else score_sentences(args)
        return
    if args.output is not None or args.resume:
        raise ValueError("--output and --resume are of --model and --sentences, which write a row for each line")
    check_writable(None, "send it to a file or a terminal")
    metrics = args.metrics if args.protocols is None else [PROTOCOLS[each] for each in args.protocols]
    if None in args.hypotheses:
        check_readable(None, "--hypotheses")
    if args.references is None and args.test_set is None:
        score_without_references(args)
        return
    from vaswani.data.file_names import printable

    from .reference_files import read_references, read_sources, read_test_set_of_sacrebleu, remarks_on

    sources = None if args.sources is None else read_sources(args.sources)
    if args.test_set is None:
        found_references = read_references(args.references, args.language)
    else:
        found_references, its_sources = read_test_set_of_sacrebleu(args.test_set, args.direction)
        sources = its_sources if sources is None else sources
    references, language = found_references.first, args.language or found_references.language
    outputs = [read_lines(path) for path in args.hypotheses]
    names = ["stdin" if path is None else printable(path) for path in args.hypotheses]

    from vaswani.evaluation.scores import LeftOut, by_cost, check_lines, remarks

    try:
        for each in outputs:
            check_lines(each, references)
    except ValueError as error:
        sizes = ", ".join(f"{name} {len(each)}" for name, each in zip(names, outputs, strict=True))
        raise ValueError(f"{error}; lines: {sizes}, {found_references.names[0]} {len(references)}") from error
    said = [*remarks_on(found_references), *remarks(references, language, found_references.more)]
    left_out: dict[str, str] = {}
    found: dict[str, Score | Comparison] = {}
    texts: dict[str, Any] = {"language": language, "sources": sources, "metrics": metrics}
    texts["more_references"] = found_references.more
    comet = None
    if args.comet is not None:
        if sources is not None and len(sources) != len(references):
            raise ValueError(f"{len(sources)} sources and {len(references)} references; give the same number of both")
        comet = load_comet(args, sources is not None, True)
        said += comet.remarks
        if found_references.more and comet.network.settings.reads_references:
            said.append("COMET reads the first reference of each line")
    if args.sources is not None and comet is None and not any(each.needs_sources for each in by_cost(metrics)):
        say("none of these scores reads the sources; --sources changes nothing")
    for remark in said:
        say(remark)
    slowest = [each.name for each in by_cost(metrics) if each.cost is Cost.LAST]
    if slowest and len(references) * len(outputs) >= MANY_LINES:
        say(
            f"{', '.join(slowest)} comes last and takes about a minute for 3,000 lines of news; --metrics leaves it out"
        )
    for key, score in scores_of(outputs, references, texts):
        if isinstance(score, LeftOut):
            left_out[key] = score.reason
            say(f"{score.name} is left out: {score.reason}")
            continue
        found[key] = score
        if not args.json:
            write_lines(None, as_table(key, score, names))
    if comet is not None:
        found["comet"], more = comet_of(comet, outputs, sources, references)
        said += more
        for remark in more:
            say(remark)
        if not args.json:
            write_lines(None, as_table("comet", found["comet"], names))
    if not found:
        raise ValueError(f"no score is left: {'; '.join(left_out.values())}")
    for metric in map(by_score_key, found):
        if language is None and metric is not None and metric.made_for is not None:
            say(f"{metric.name} is for {metric.made_for}; if this text is not, ignore it, or give --language")
    if args.json:
        document: dict[str, Any] = {key: as_json(score, names) for key, score in found.items()}
        if args.test_set is not None:
            document["test_set"] = {"name": args.test_set, "direction": args.direction}
        document |= {key: each for key, each in (("left_out", left_out), ("remarks", said)) if each}
        write_lines(None, [json.dumps(document, indent=2)])


def score_without_references(args: argparse.Namespace) -> None:
    """Print COMET alone, by a checkpoint that reads none; raises as `run` does."""
    if args.metrics or args.protocols:
        raise ValueError("--metrics and --as compare with references: give --references, or leave them out")
    from vaswani.data.file_names import printable

    from .reference_files import read_sources

    sources = None if args.sources is None else read_sources(args.sources)
    named = distinct("stdin" if path is None else printable(path) for path in args.hypotheses)
    outputs = dict(zip(named, map(read_lines, args.hypotheses), strict=True))
    for name, lines in outputs.items():
        if sources is not None and len(lines) != len(sources):
            raise ValueError(f"{name} has {len(lines):,} lines and the sources have {len(sources):,}: they must have "
                             "as many")  # fmt: skip
        if not lines:
            raise ValueError(f"{name} has no lines: there is nothing to score")
    comet = load_comet(args, sources is not None, False)
    for remark in comet.remarks:
        say(remark)
    score, said = comet_of(comet, list(outputs.values()), sources, None)
    for remark in said:
        say(remark)
    if args.json:
        said = [*comet.remarks, *said]
        document = {"comet": as_json(score, list(outputs))} | ({"remarks": said} if said else {})
        write_lines(None, [json.dumps(document, indent=2)])
    else:
        write_lines(None, as_table("comet", score, list(outputs)))


def check_comet(args: argparse.Namespace) -> None:
    """Refuse flags that do not go together with --comet; raises ValueError."""
    if args.comet is None and args.comet_encoder is not None:
        raise ValueError("--comet_encoder belongs to a checkpoint: give --comet CHECKPOINT")
    if args.comet is not None and (args.terms is not None or args.model is not None):
        raise ValueError("--comet goes with scores and --sentences: leave out --terms and --model")


def check_alone(args: argparse.Namespace) -> None:
    """Refuse flags that do not go together with rows for lines; raises ValueError with the reason."""
    flag = "--model" if args.model is not None else "--sentences"
    if args.metrics or args.protocols or args.json:
        raise ValueError(f"{flag} prints its own columns: leave out --metrics, --as and --json")
    if args.sentences and args.model is not None:
        raise ValueError("--model and --sentences print rows of their own; give one of them")
    if args.sentences and args.sources is not None and args.comet is None:
        raise ValueError("--sentences compares with --references; leave out --sources, or give --comet")
    if args.sentences:
        check_single(args)


def check_terms(args: argparse.Namespace) -> None:
    """Refuse flags that do not go together with --terms; raises ValueError."""
    if args.model is not None or args.sentences or args.metrics or args.protocols or args.output or args.resume:
        raise ValueError(
            "--terms prints lines of its own: leave out --model, --sentences, --metrics, --as, --output and --resume"
        )


def check_single(args: argparse.Namespace) -> None:
    """Refuse for --sentences all references but one file of lines; raises ValueError."""
    from .reference_files import has_lines

    references = args.references or []
    if args.test_set is not None or len(references) > 1 or not all(map(has_lines, references)):
        raise ValueError("--sentences compares with one reference: give one file of lines as --references")


def say(remark: str) -> None:
    """Print a remark beside the scores."""
    if sys.stderr is not None:  # it may be closed, and print would take stdout in its place
        print(f"vaswani score: {remark}", file=sys.stderr, flush=True)


def scores_of(
    outputs: list[list[str]], references: list[str], texts: dict[str, Any]
) -> Iterator[tuple[str, "Score | Comparison | LeftOut"]]:
    """Yield the scores of one output, or the comparisons of several, by name; `texts` are their other inputs."""
    if len(outputs) == 1:
        from vaswani.evaluation.scores import each_score

        yield from each_score(outputs[0], references, **texts)
    else:
        from vaswani.evaluation.significance import each_comparison

        watched = sys.stderr is not None and sys.stderr.isatty()
        yield from each_comparison(outputs, references, progress=watched, **texts)


def as_table(key: str, score: "Score | Comparison", names: list[str]) -> list[str]:
    """Return lines: a score; or a comparison's signature, then value, mean, 95% interval and p of each output."""
    from vaswani.evaluation.scores import Score

    if isinstance(score, Score):
        return [f"{score.name:<10}  {as_shown(key, score.value):>6}  {score.signature}"]
    lines = [f"{score.name}  {score.signature}"]
    for name, found in zip(names, score.outputs, strict=True):
        chance = "first output" if found.p_value is None else f"p = {found.p_value:.4f}  "
        value, mean, interval = (as_shown(key, each) for each in (found.value, found.mean, found.interval))
        lines.append(f"  {value:>6}  ({mean} ± {interval})  {chance}  {name}")
    return lines


def as_json(score: "Score | Comparison", names: list[str]) -> dict[str, Any]:
    """Return the same for JSON, unrounded."""
    from vaswani.evaluation.scores import Score

    if isinstance(score, Score):
        return score._asdict()
    outputs = [{"file": name} | found._asdict() for name, found in zip(names, score.outputs, strict=True)]
    return {"name": score.name, "signature": score.signature, "outputs": outputs}
