"""Draw pictures: positional encodings, schedules, learning curves, attention heads, BLEU by length, Table 3."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vaswani.flags import CommandHelp, whole
from vaswani.translation.models import HISTORY, MODEL, find_device, find_history, find_model, load_model

from .line_files import read_lines

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = ("encoder", "decoder", "cross")
RENAMED = {"symbols": "tokens"}
"""Renamed flags: old name, new name."""
MOST_TOKENS = 256
"""Most tokens of a sentence whose attention is drawn: with more, the picture would be metres wide."""


class Picture(NamedTuple):
    """A picture of arrays, drawn into files of the user's."""

    about: str
    add_flags: Callable[[argparse.ArgumentParser], None]
    draw: Callable[[argparse.Namespace], "Figure"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plot` takes: a picture and its own flags."""
    pictures = parser.add_subparsers(dest="picture", metavar="PICTURE", required=True)
    for name, picture in PICTURES.items():
        one = pictures.add_parser(
            name, help=picture.about, description=picture.about, allow_abbrev=False, formatter_class=CommandHelp
        )
        one.add_argument(
            "--output",
            metavar="STEM",
            type=Path,
            default=Path(name),
            help=f"STEM.png and STEM.svg are written (default: {name})",
        )
        one.set_defaults(draw=picture.draw)
        picture.add_flags(one)
    one = pictures.add_parser("table3", help="Table 3 as a chart, from the finished runs of recipes/table3.py.")
    one.add_argument(
        "folder", metavar="FOLDER", type=Path, help="such as runs/table3; chart and table are written there"
    )


def run(args: argparse.Namespace) -> None:
    """Draw one picture.

    Raises:
        ValueError: a value is out of range, or a folder or file lacks what is needed.
        OSError: a file cannot be read or written.
    """
    if args.picture == "table3":
        from vaswani.experiment.table3 import gather

        if not args.folder.is_dir():
            raise ValueError(f"{args.folder} is not a folder; give what recipes/table3.py wrote, such as runs/table3")
        print(gather(args.folder))
        print(f"In {args.folder}: table3.png, table3.svg, table3.md, table3.json")
        return
    stem = args.output.with_suffix("") if args.output.suffix in (".png", ".svg") else args.output
    if stem.is_dir():
        raise ValueError(f"--output {stem} is a folder; name the pictures in it, such as {stem / args.picture}")
    figure: Figure = args.draw(args)

    from vaswani.plots import save

    print(" ".join(map(str, save(figure, stem))))


def add_positional(one: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plot positions` takes."""
    one.add_argument(
        "--d_model",
        metavar="D",
        type=whole(2),
        default=128,
        help="dimensions of the encoding, an even number (default: 128)",
    )
    one.add_argument(
        "--length", metavar="T", type=whole(1), default=100, help="number of positions, from 0 (default: 100)"
    )


def positional(args: argparse.Namespace) -> "Figure":
    """Draw `vaswani plot positions`."""
    if args.d_model % 2:
        raise ValueError(f"d_model is {args.d_model}; sinusoids come in pairs, so give an even one")

    import torch

    from vaswani.modeling.modeling_vaswani import sinusoidal_positions
    from vaswani.plots import draw_positional_encoding

    return draw_positional_encoding(sinusoidal_positions(torch.arange(args.length), args.d_model).numpy())


def add_schedule(one: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plot schedule` takes."""
    one.add_argument(
        "--networks",
        metavar="D:W",
        nargs="+",
        default=["512:4000", "512:8000", "1024:4000"],
        help="d_model:warmup_steps of each curve (default: 512:4000 512:8000 1024:4000)",
    )
    one.add_argument("--max_steps", metavar="N", type=whole(1), default=40_000, help="steps to draw (default: 40000)")


def schedule(args: argparse.Namespace) -> "Figure":
    """Draw `vaswani plot schedule`."""
    networks = []
    for each in args.networks:
        numbers = each.split(":")
        if len(numbers) != 2 or not all(number.isdecimal() and int(number) for number in numbers):
            raise ValueError(f"{each!r} is no network; give d_model:warmup_steps, such as 512:4000")
        networks.append((int(numbers[0]), int(numbers[1])))

    import numpy as np

    from vaswani.plots import draw_schedule
    from vaswani.training.schedule import inverse_square_root, peak_rate

    steps = range(1, args.max_steps + 1)
    return draw_schedule(
        {
            f"d_model {d_model:,}, warm-up {warmup:,} steps": peak_rate(d_model, warmup)
            * np.array([inverse_square_root(step, warmup) for step in steps])
            for d_model, warmup in networks
        }
    )


def add_curves(one: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plot curves` takes."""
    one.add_argument(
        "runs",
        metavar="RUN",
        nargs="+",
        help="folder of a run (of a running one, up to its newest checkpoint), or OWNER/NAME on the Hub with its "
        "history.json",
    )


def curves(args: argparse.Namespace) -> "Figure":
    """Draw `vaswani plot curves`."""
    names = names_apart([Path(given) for given in args.runs])
    histories = {name: history(given) for given, name in zip(args.runs, names, strict=True)}

    from vaswani.plots import draw_learning_curves

    return draw_learning_curves(histories)


def history(given: str) -> list[dict[str, Any]]:
    """Return the log of a run, from its folder or its repository; of a running one, that of its newest checkpoint.

    Raises:
        ValueError: there is none, or it is damaged.

    """
    from vaswani.publishing.records import read_json
    from vaswani.training.checkpointing.checkpoints import sealed

    run = Path(given)
    if not run.is_dir() or (run / HISTORY).is_file():
        return read_json(find_history(given))
    if not (saved := sealed(run)):
        raise ValueError(f"{run} has no {HISTORY} and no checkpoint; give the folder of a run that has saved one")
    return read_json(saved[-1] / "trainer_state.json")["log_history"]


def names_apart(paths: list[Path]) -> list[str]:
    """Return the last parts of paths, as many as make them different.

    Raises:
        ValueError: two are the same.

    """
    from vaswani.data.file_names import printable

    whole = [path.resolve() for path in paths]
    if len(set(whole)) < len(whole):
        raise ValueError(f"{' '.join(map(str, paths))}: one is named twice")
    longest = max(len(path.parts) for path in whole)
    parts_of = [printable(path).split("/") for path in whole]  # a picture can show no other
    several = (["/".join(each[-parts:]) for each in parts_of] for parts in range(1, longest + 1))
    return next(names for names in several if len(set(names)) == len(names))


def add_attention(one: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plot attention` takes."""
    one.add_argument("model", metavar="MODEL", help=MODEL)
    one.add_argument("--text", required=True, help="the sentence to translate")
    one.add_argument("--translation", metavar="TEXT", help="its translation (default: the model's own)")
    one.add_argument(
        "--kind",
        choices=KINDS,
        default="cross",
        help="which attention: the encoder's to itself, the decoder's to itself, or the decoder's to the encoder "
        "(default: cross)",
    )
    one.add_argument("--layer", metavar="N", type=whole(1), help="layer to draw, from 1 (default: the last)")
    one.add_argument("--heads", metavar="N", type=whole(1), nargs="+", help="heads to draw, from 1 (default: all)")
    one.add_argument(
        "--as",
        dest="form",
        choices=("lines", "maps"),
        default="lines",
        help="form of the picture: lines between tokens, or heat maps (default: lines)",
    )
    one.add_argument(
        "--tokens",
        metavar="N",
        type=whole(1),
        nargs="+",
        help="with lines, only what these tokens look at, from 1; all heads in one picture, by colour (default: all)",
    )
    one.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the accelerator if there is one)")


def attention(args: argparse.Namespace) -> "Figure":
    """Draw `vaswani plot attention`."""
    if args.tokens and args.form == "maps":
        raise ValueError("--tokens chooses lines; leave it out with --as maps, which shows a row for each token")

    from vaswani.data.blank_text import is_blank

    if is_blank(args.text):
        raise ValueError("--text is empty; give a sentence")

    import torch

    from vaswani.plots import draw_attention_lines, draw_attention_maps
    from vaswani.translation.attention import attentions
    from vaswani.translation.hypotheses import BeamSettings
    from vaswani.translation.longest_text import check_characters
    from vaswani.translation.search import by_generate, positions
    from vaswani.translation.token_text import tokens_as_words

    model, tokenizer = load_model(find_model(args.model).folder, find_device(args.device))
    for what, text in (("--text", args.text), ("--translation", args.translation or "")):
        check_characters(tokenizer, text, MOST_TOKENS, what)
    source = tokenizer(args.text).input_ids
    with torch.inference_mode():
        written = args.translation
        if written is None:
            [[best]] = by_generate(model, tokenizer, BeamSettings())([source])
            written = best.text
            print(f"Translated: {written}")
        target = tokenizer(text_target=written).input_ids[
            : positions(model)
        ]  # a translation that was cut off there is longer, with </s>
        longest = max(len(source), len(target))
        if longest > MOST_TOKENS:
            raise ValueError(f"the text has {longest:,} tokens, and a picture holds {MOST_TOKENS}; give a sentence")
        found = attentions(model, tokenizer, [source], [target])
    layers = getattr(found, args.kind)
    layer = among("layer", len(layers) if args.layer is None else args.layer, len(layers))
    weights = layers[layer - 1][0].float().cpu().numpy()  # [H, Q, K]
    heads = [among("head", head, len(weights)) for head in args.heads or range(1, len(weights) + 1)]
    weights = weights[[head - 1 for head in heads]]
    read, wrote = tokens_as_words(tokenizer, source), tokens_as_words(tokenizer, target)
    looking, looked_at, kind, looks, seen = {
        "encoder": (read, read, "encoder self-attention", "source", "source"),
        "decoder": (wrote, ["<s>", *wrote[:-1]], "decoder self-attention", "translation", "translation so far"),
        "cross": (wrote, read, "decoder attention to the encoder", "translation", "source"),
    }[args.kind]
    where = ("in rows", "in columns") if args.form == "maps" else ("above", "below")
    title = f"{kind}, layer {layer} of {len(layers)}\n{looks} {where[0]}, {seen} {where[1]}"
    names = [f"head {head}" for head in heads]
    if args.form == "maps":
        return draw_attention_maps(weights, looking, looked_at, names, title)
    if args.tokens:
        kept = [among("token", each, len(looking)) - 1 for each in args.tokens]
        weights[:, [place for place in range(len(looking)) if place not in kept]] = 0
    return draw_attention_lines(weights, looking, looked_at, names, title, together=bool(args.tokens))


def among(what: str, number: int, count: int) -> int:
    """Return a number counted from 1.

    Raises:
        ValueError: there is no such one.

    """
    if not 1 <= number <= count:
        raise ValueError(f"there is no {what} {number}; there are 1 to {count}")
    return number


def add_lengths(one: argparse.ArgumentParser) -> None:
    """Declare what `vaswani plot lengths` takes."""
    one.add_argument("--sources", metavar="FILE", type=Path, required=True, help="what was translated, UTF-8")
    one.add_argument("--references", metavar="FILE", type=Path, required=True, help="the right translation")
    one.add_argument("--hypotheses", metavar="FILE", type=Path, nargs="+", required=True, help="the translations")
    one.add_argument(
        "--names", metavar="NAME", nargs="+", help="names of the translations, in their order (default: their files)"
    )
    one.add_argument(
        "--width",
        metavar="W",
        type=whole(1),
        default=5,
        help="words that a bucket spans, or characters of text without spaces (default: 5)",
    )
    one.add_argument(
        "--source_language", metavar="CODE", help="language of the sources (default: guessed from their script)"
    )
    one.add_argument(
        "--language",
        metavar="CODE",
        help="language of the translations, such as de or pt-BR (default: guessed from their script)",
    )


def lengths(args: argparse.Namespace) -> "Figure":
    """Draw `vaswani plot lengths`."""
    from vaswani.data.file_names import printable

    names = list(map(printable, args.names or names_apart(args.hypotheses)))
    if len(set(names)) != len(args.hypotheses):
        raise ValueError(f"{len(args.hypotheses)} translations need as many different --names: {names}")
    sources, references = read_lines(args.sources), read_lines(args.references)
    outputs = [read_lines(path) for path in args.hypotheses]

    from vaswani.evaluation.by_length import bleu_by_length
    from vaswani.evaluation.languages import lengths as lengths_of
    from vaswani.evaluation.scores import remarks
    from vaswani.plots import draw_bleu_by_length

    for remark in remarks(references, args.language):
        print(f"vaswani plot: {remark}", file=sys.stderr)
    languages = {"source_language": args.source_language, "language": args.language}
    found = [bleu_by_length(sources, references, output, args.width, **languages) for output in outputs]
    return draw_bleu_by_length(dict(zip(names, found, strict=True)), lengths_of(sources, args.source_language).unit)


PICTURES = {
    "positions": Picture("The positional encoding of section 3.5, position against depth.", add_positional, positional),
    "schedule": Picture("The learning rate of equation 3 against steps.", add_schedule, schedule),
    "curves": Picture("Loss and BLEU of one or several runs against steps.", add_curves, curves),
    "attention": Picture("Attention heads, as lines or as heat maps.", add_attention, attention),
    "lengths": Picture("BLEU of sentences of like length, one or several translations.", add_lengths, lengths),
}
