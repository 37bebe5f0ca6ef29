"""Show a trained model on a web page: translations, the n best with scores, attention as a heat map."""

import argparse
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

from vaswani.flags import whole
from vaswani.translation.models import MODEL, Model, find_device, find_model, load_model

from .optional_packages import require_package
from .serve import add_allowed_hosts, add_engine

if TYPE_CHECKING:
    from vaswani.server.attention_picture import AttentionPicture
    from vaswani.translation.loaded import LoadedModel


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani demo` takes."""
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=whole(1, 65535), default=7860, help="TCP port to listen on (default: 7860)")
    parser.add_argument(
        "--no_examples",
        action="store_true",
        help="show no example sentences from the training text (default: show some, if the run's text still exists)",
    )
    add_allowed_hosts(parser)
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the accelerator if there is one)")
    add_engine(parser)


def is_own(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load(found: Model, engine: str, device: str | None) -> "tuple[LoadedModel, AttentionPicture | None]":
    """Return the model, and what draws its attention where the engine shows it."""
    from vaswani.engines.load import load as load_found

    if engine != "torch":
        return load_found(found, engine, device=device), None

    from vaswani.server.attention_picture import AttentionPicture
    from vaswani.translation.load import by_network

    network, tokenizer = load_model(found.folder, find_device(device))
    return by_network(network, tokenizer), AttentionPicture(network, tokenizer)


def run(args: argparse.Namespace) -> None:
    """Show `args.model` until interrupted.

    Raises:
        ValueError: an extra is not installed, there is no such model, or the device or the port is not available.
    """
    require_package("demo", "gradio")
    from vaswani.server.sockets import address, listen

    listen(args.host, args.port).close()  # an address that is taken is reported before the model is loaded

    found = find_model(args.model, args.engine)

    from vaswani.experiment.model_origin import model_origin
    from vaswani.experiment.training_sentences import training_sentences
    from vaswani.server.demo import EXAMPLES, MAX_TOKENS, build_page, show
    from vaswani.server.hosts import known_names

    origin = model_origin(found.folder.resolve())
    model, picture = load(found, args.engine, args.device)
    most, examples = min(MAX_TOKENS, model.max_tokens), []
    if origin.run is not None and not args.no_examples:
        examples = training_sentences(origin.run, EXAMPLES, lambda text: len(model.tokenizer(text).input_ids) <= most)
    page = build_page(model, picture, found.name, origin.as_text, examples)
    print(f"{found.name} on http://{address(args.host, args.port)}", file=sys.stderr, flush=True)
    if examples and not is_own(args.host):
        print(
            f"Everyone who can reach {args.host} sees {len(examples)} sentences of the training text; --no_examples "
            "leaves them out",
            file=sys.stderr,
        )
    show(page, args.host, args.port, known_names(args.host, args.allowed_hosts))
