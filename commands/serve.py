"""Serve a trained model over HTTP: requests that arrive together form batches; limits, health and metrics."""

import argparse
from typing import TYPE_CHECKING

from vaswani.flags import numbers, whole
from vaswani.translation.models import EXPORTED_FILES, MODEL, Model, find_model

from .optional_packages import require_package

if TYPE_CHECKING:
    from vaswani.server.app import Loaded


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani serve` takes."""
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument(
        "--port", type=whole(0, 65535), default=8000, help="TCP port to listen on; 0 takes a free one (default: 8000)"
    )
    parser.add_argument(
        "--beams", type=whole(1), default=4, help="beams of the search, for requests without num_beams (default: 4)"
    )
    parser.add_argument(
        "--length_penalty",
        type=numbers(-10, 10),
        default=0.6,
        help="exponent alpha of section 6.1; larger favours longer translations (default: 0.6)",
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
        default=512,
        help="most tokens of one text (default: 512, or the positions that were learned)",
    )
    parser.add_argument("--max_texts", type=whole(1), default=128, help="most texts of one request (default: 128)")
    parser.add_argument(
        "--max_waiting",
        type=whole(1),
        default=512,
        help="most sentences that wait for their turn; further requests are refused (default: 512)",
    )
    add_allowed_hosts(parser)
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the accelerator if there is one)")
    add_engine(parser)


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Declare --engine."""
    parser.add_argument(
        "--engine",
        choices=("torch", *EXPORTED_FILES),
        default="torch",
        help="what translates: torch, or the engine that `vaswani export` wrote the folder for (default: torch)",
    )


def add_allowed_hosts(parser: argparse.ArgumentParser) -> None:
    """Declare --allowed_hosts, of servers and pages."""
    parser.add_argument(
        "--allowed_hosts",
        metavar="NAME",
        nargs="+",
        default=[],
        help="further names by which clients may ask, such as that of a proxy; * for any. Addresses, localhost and "
        "this machine's own name always may (default: none)",
    )


def run(args: argparse.Namespace) -> None:
    """Serve `args.model` until SIGTERM.

    Raises:
        ValueError: an extra is not installed, there is no such model, the device or the port is not available, or a
            number is out of range.
        SystemExit: code 0, the server was asked to end.
    """
    require_package("serve", "fastapi", "uvicorn", "prometheus_client")
    check_numbers(args)
    model = find_model(args.model, args.engine)

    from vaswani.server.app import ServerSettings
    from vaswani.server.hosts import known_names
    from vaswani.server.run import serve

    settings = ServerSettings(
        model.name,
        args.beams,
        args.length_penalty,
        args.tokens_per_batch,
        args.max_texts,
        args.max_waiting,
        known_names(args.host, args.allowed_hosts),
    )
    serve(settings, lambda: load(model, args.engine, args.device, args.max_tokens), args.host, args.port)


def check_numbers(args: argparse.Namespace) -> None:
    """Raise ValueError for numbers that do not go together, or of beams that the server never searches."""
    from vaswani.server.app import MAX_BEAMS

    if args.max_texts > args.max_waiting:
        raise ValueError(
            f"--max_texts is {args.max_texts} and --max_waiting {args.max_waiting}: such a request would never find "
            "room; raise --max_waiting or lower --max_texts"
        )
    if args.beams > MAX_BEAMS:
        raise ValueError(f"--beams is {args.beams}; give {MAX_BEAMS} or less")


def load(found: Model, engine: str, device: str | None, max_tokens: int) -> "Loaded":
    """Return the model, ready to search.

    Raises:
        ValueError: the device is not here, or the engine is not installed.
    """
    from vaswani.engines.load import load as load_found
    from vaswani.server.app import Loaded
    from vaswani.translation.hypotheses import BeamSettings

    model = load_found(found, engine, device=device)
    model.search(BeamSettings(), True)(
        model.tokenizer(["ready"]).input_ids
    )  # the first search is slow, so no request has to wait for it
    return Loaded(
        lambda beams: model.search(beams, True),
        model.tokenizer,
        max(map(len, model.tokenizer.get_vocab())),
        min(max_tokens, model.max_tokens),
    )
