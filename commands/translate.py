"""Translate lines with a trained model, or with several as one: one line out for each line in, in order."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from vaswani.documents.formats import DOCUMENTS, document_format
from vaswani.flags import numbers, whole
from vaswani.translation.models import EXPORTED_FILES, MODEL, Model, find_model

from .glossary import TermsOfLines, glossary_of, say_how
from .growing_output import Shard, Text, growing, not_done, of_a_part, text_of
from .line_files import check_readable, check_writable, line_by_line
from .translated_document import check_document, failing, translate_document

if TYPE_CHECKING:
    from vaswani.data.glossary.glossary import Glossary
    from vaswani.storage.journal import Window
    from vaswani.translation.corpus import Line, Translator
    from vaswani.translation.sampling import Sampling

BEAMS, LENGTH_PENALTY = 4, 0.6
"""Of the search, where flags say nothing: section 6.1."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani translate` takes."""
    parser.add_argument(
        "models", metavar="MODEL", nargs="+", help=f"{MODEL}; probabilities of several models are averaged"
    )
    parser.add_argument("--input", metavar="FILE", type=Path, help="text to translate, UTF-8 (default: stdin)")
    parser.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="where the translation goes, packed if its name ends with .gz, .zst, .xz, .bz2 or .lz4; until all is done "
        "it is FILE.partial, beside FILE.journal (default: stdout)",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on with an --output that is not finished, with the same text, model and flags; begin it if there is "
        "none (default: no)",
    )
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="translate the I-th of N parts of --input; outputs 1/N to N/N in order are that of the whole (default: "
        "all of it)",
    )
    parser.add_argument(
        "--line_buffered",
        action="store_true",
        help="translate and write each line as soon as it is read from stdin, as for a terminal (default: windows of "
        "thousands of lines)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "tsv", "jsonl", *DOCUMENTS),
        help="text: the translation of each line; tsv: line, rank, score, translation; jsonl: the same with the "
        f"source; {', '.join(DOCUMENTS)}: a document, which comes out as it was with translations in their places "
        "(default: by the ending of --input, such as messages.po, else text)",
    )
    parser.add_argument(
        "--n_best", type=whole(1), default=1, help="hypotheses of each line, for tsv and jsonl (default: 1)"
    )
    parser.add_argument(
        "--align",
        action="store_true",
        help="show which source word each word comes from, as i-j from 0: after ' ||| ', or one column or field more "
        "(default: no)",
    )
    parser.add_argument(
        "--split_sentences",
        metavar="LANGUAGE",
        help="cut each line into sentences by the rules of its language, such as en, and translate them one by one; "
        "long paragraphs need it (default: lines as they are)",
    )
    parser.add_argument(
        "--direction",
        metavar="FROM-TO",
        help="languages of a tmx document, or of a glossary that has several, such as en-de or en:pt-BR (default: "
        "none)",
    )
    parser.add_argument(
        "--glossary",
        metavar="FILE",
        type=Path,
        help="terms that translations are to have, TSV or TBX: named in the source if the model was trained so, else "
        "demanded of the search; how many are kept goes to stderr (default: none)",
    )
    parser.add_argument(
        "--target",
        metavar="LANGUAGE",
        help="language to translate into, such as de, for a model of several: each line then begins with the token "
        ">>de<< (default: lines as they are)",
    )
    parser.add_argument("--beams", type=whole(1), help=f"hypotheses kept by the search; 1 is greedy (default: {BEAMS})")
    parser.add_argument(
        "--length_penalty",
        type=numbers(-10, 10),
        help=f"exponent alpha of section 6.1; larger favours longer translations (default: {LENGTH_PENALTY})",
    )
    parser.add_argument(
        "--sample",
        action="store_true",
        help="draw one translation of each line by its probability, in place of a search by beams; the same line and "
        "--seed give the same one (default: no)",
    )
    parser.add_argument(
        "--temperature",
        type=numbers(above=0),
        default=1.0,
        help="with --sample, the number that scores are divided by; below 1 nearer to the most probable translation "
        "(default: 1.0)",
    )
    parser.add_argument(
        "--top_k",
        type=whole(1),
        metavar="N",
        help="with --sample, draw each token among the N most probable ones (default: all)",
    )
    parser.add_argument(
        "--seed", type=whole(0, 2**32 - 1), metavar="N", default=0, help="number that --sample draws by (default: 0)"
    )
    parser.add_argument(
        "--tokens_per_batch",
        type=whole(1),
        default=4096,
        help="most source tokens at once, padding included, times beams (default: 4096)",
    )
    parser.add_argument(
        "--max_tokens",
        type=whole(1),
        default=4096,
        help="most tokens of a line; translations of longer ones are left empty and reported, never cut (default: "
        "4096, or the positions that were learned)",
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the accelerator if there is one)")
    parser.add_argument(
        "--engine",
        choices=("torch", *EXPORTED_FILES),
        default="torch",
        help="what translates: torch, or the engine that `vaswani export` wrote the folder for (default: torch)",
    )
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16", "float16"),
        help="type of the numbers to compute in (default: as saved)",
    )


def run(args: argparse.Namespace) -> None:
    """Translate `args.input` into `args.output`; with a launcher, all its processes share the work.

    Raises:
        ValueError: there is no such model, the text is not UTF-8, the device is not here, a number is out of range.
        OSError: a file cannot be read or written.
    """
    if args.engine != "torch" and (len(args.models) > 1 or args.align or args.dtype):
        raise ValueError(
            f"--engine {args.engine} translates by one exported model, in the numbers that it was exported in, without "
            "attention; leave out --align, --dtype and all models but one, or use --engine torch"
        )
    document = format_of(args)
    sampling = sampling_of(args)
    check_writable(args.output)
    if args.n_best > 1 and args.format == "text":
        raise ValueError(
            f"--n_best {args.n_best} does not fit --format text, which has one line for each line; use tsv or jsonl"
        )
    shard = None if args.shard is None else Shard.read(args.shard)
    if args.line_buffered and args.input is not None:
        raise ValueError(f"--line_buffered reads stdin as lines come, and --input {args.input} is there: leave one out")
    if shard is not None and args.input is None:
        raise ValueError(f"--shard {args.shard} needs the length of the text: give it as --input FILE")
    check_readable(args.input)
    models = [find_model(given, args.engine) for given in args.models]
    glossary = glossary_of(args)

    from vaswani.translation.corpus import targets_of, to_language, translate_corpus
    from vaswani.translation.processes import processes

    all_of_us = processes()
    check_processes(all_of_us.together)
    translator = load_translator_of(args, models, sampling, glossary)
    say_how(translator, all_of_us.number == 0)
    terms = TermsOfLines(glossary)
    if args.target is not None:
        translator = to_language(translator, args.target)
    elif document is not None and (languages := targets_of(translator)):
        raise ValueError(f"the model translates into {', '.join(languages)}: say which, --target {languages[0]}")
    if document is not None:
        translate_document(args, document, translator, terms)
    elif all_of_us.number == 0:
        write_translation(args, models, translator, shard, terms)
    else:
        for _ in translate_corpus(translator, []):
            pass


def write_translation(
    args: argparse.Namespace, models: list[Model], translator: "Translator", shard: Shard | None, terms: TermsOfLines
) -> None:
    """Read, translate with the other processes, and write; raises as `run` does, in all processes."""
    from vaswani.translation.corpus import TooLong, Untagged
    from vaswani.translation.formats import FORMATS
    from vaswani.translation.made_of import made_of

    too_long, untagged = TooLong(translator), Untagged(translator)
    is_at_once = args.line_buffered or (args.input is None and sys.stdin.isatty())
    is_shown = args.output is not None or sys.stderr.isatty()
    done: list[Window] = []
    with ExitStack() as stack:
        try:
            text = Text(line_by_line(), 0, None) if is_at_once else text_of(args.input, shard, is_shown)
            output = stack.enter_context(growing(args.output, partial(made_of, args, models), args.resume))
            done = output.done
            text = not_done(text, done, args.input)
        except (ValueError, OSError) as error:  # the other processes wait for the first window
            text = Text(failing(error), 0, None)
        try:
            for lines in translated(translator, text, args.split_sentences, is_shown):
                for each in (too_long, untagged, terms):
                    each.add(lines)
                output.write([line.source for line in lines], list(FORMATS[args.format](lines)))
        finally:  # what is kept is not looked at again
            for message in (too_long.report(), untagged.report(), terms.report()):
                if message:
                    print(message, of_a_part(sum(each.lines for each in done)), sep="", file=sys.stderr)


def translated(translator: "Translator", text: Text, language: str | None, is_shown: bool) -> Iterator[list["Line"]]:
    """Yield the results of a text, window after window; by sentences, if their language is given."""
    from vaswani.translation.corpus import translate_corpus

    if language is None:
        yield from translate_corpus(translator, text.windows, text.lines, is_shown, text.before)
        return

    from vaswani.translation.sentences import BySentences, splitter

    cut, before = BySentences(splitter(language)), text.before
    for sentences in translate_corpus(translator, cut.windows(text.windows), None, is_shown):
        lines = cut.lines(sentences, before)
        before += len(lines)
        yield lines


def format_of(args: argparse.Namespace) -> str | None:
    """Settle `args.format`, and return it if it is that of a document; raises ValueError if flags do not fit it."""
    if args.format is None:
        from vaswani.data.containers import without_packing

        args.format = document_format(args.input and without_packing(args.input)) or "text"
        if args.format != "text":
            print(f"{args.input} is read as a document ({args.format}); --format text takes its lines", file=sys.stderr)
    if args.format in DOCUMENTS:
        check_document(args, args.format)
        return str(args.format)
    if args.split_sentences is not None and (args.format != "text" or args.align):
        raise ValueError(
            "--split_sentences gives a line the translations of its sentences, which have no score or alignment in "
            "common: use --format text without --align"
        )
    if args.direction is not None and args.glossary is None:
        raise ValueError("--direction is for documents of several languages (tmx), and --glossary: leave it out")
    return None


def sampling_of(args: argparse.Namespace) -> "Sampling | None":
    """Settle the search's beams and penalty, and return how translations are drawn, if they are.

    Raises:
        ValueError: flags do not go together.

    """
    found = drawing_of(args)
    args.beams = 1 if found is not None else BEAMS if args.beams is None else args.beams
    args.length_penalty = LENGTH_PENALTY if args.length_penalty is None else args.length_penalty
    return found


def drawing_of(args: argparse.Namespace) -> "Sampling | None":
    """Return how translations are drawn, if they are; raises ValueError if a flag is of the other way."""
    if not args.sample:
        if (args.temperature, args.top_k, args.seed) != (1.0, None, 0):
            raise ValueError("--temperature, --top_k and --seed are of --sample, which is not given")
        return None

    from vaswani.translation.sampling import Sampling, check_sampling

    given = {
        "all models but one": len(args.models) > 1,
        "--engine": args.engine != "torch",
        "--n_best": args.n_best > 1,
        "--beams": args.beams is not None,
        "--length_penalty": args.length_penalty is not None,
    }
    if any(given.values()):
        raise ValueError(
            "--sample draws one translation of each line by one model and torch, without a search: leave out "
            f"{' and '.join(name for name, is_given in given.items() if is_given)}"
        )
    sampling = Sampling(args.seed, args.temperature, args.top_k)
    check_sampling(sampling)
    return sampling


def load_translator_of(
    args: argparse.Namespace,
    found: list[Model],
    sampling: "Sampling | None" = None,
    glossary: "Glossary | None" = None,
) -> "Translator":
    """Return the translator by models that were found."""
    from vaswani.translation.hypotheses import BeamSettings

    beams = BeamSettings(args.beams, args.length_penalty, args.n_best)
    sizes = {"tokens_per_batch": args.tokens_per_batch, "max_tokens": args.max_tokens}
    if args.engine != "torch":
        from vaswani.engines.load import load
        from vaswani.translation.corpus import by_model, with_terms_named

        translator = by_model(load(found[0], args.engine, device=args.device), beams, **sizes)
        return translator if glossary is None else with_terms_named(translator, glossary, args.engine)

    from vaswani.translation.load import load_translator

    is_scored = args.format != "text"
    return load_translator(
        found,
        beams,
        device=args.device,
        dtype=args.dtype,
        **sizes,
        scores=is_scored,
        align=args.align,
        sampling=sampling,
        glossary=glossary,
    )


def check_processes(processes: int) -> None:
    """Raise ValueError if a launcher started more processes than share the work."""
    from vaswani.training.distribution.launcher_checks import lone_process_fault

    if fault := lone_process_fault(processes, "translate everything"):
        raise ValueError(fault)
