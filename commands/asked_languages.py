"""The languages that `--direction` names, of a document or a glossary."""

import argparse

from vaswani.data.directions import languages_of


def asked_languages(args: argparse.Namespace) -> tuple[str, str] | None:
    """Return source and target language of `args.direction`, if it is given; raises ValueError if it names no two."""
    return None if args.direction is None else languages_of(args.direction)
