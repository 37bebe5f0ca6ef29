"""Show a trained model on a page: translate, the n best with scores, attention as a heat map."""

import argparse
import sys

from .extras import require
from .models import MODEL, find_device, find_model, load_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `vaswani demo` takes."""
    parser.add_argument("model", metavar="MODEL", help=MODEL)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1, this machine)")
    parser.add_argument("--port", type=int, default=7860, help="(default: 7860)")
    parser.add_argument(
        "--source", choices=("en", "de"), default="en", help="language of the example sentences (default: en)"
    )
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: the accelerator if there is one)")


def run(args: argparse.Namespace) -> None:
    """Show `args.model` until interrupted.

    Raises:
        ValueError: an extra is not installed, there is no such model, or the device or the port cannot be had.
    """
    require("demo", "gradio")
    if not 0 < args.port < 1 << 16:
        raise ValueError(f"--port is {args.port}; give 1 to 65535")
    from vaswani.serving.listening import address, listen

    listen(args.host, args.port).close()  # what cannot be had is told before the model is loaded

    found = find_model(args.model)

    from vaswani.serving.demo import build_page, example_sentences, show

    model, tokenizer = load_model(found.folder, find_device(args.device))
    page = build_page(model, tokenizer, found.name, example_sentences(args.source))
    print(f"{found.name} on http://{address(args.host, args.port)}", file=sys.stderr, flush=True)
    show(page, args.host, args.port)
