"""What all pictures share: colours that everyone can distinguish, fonts, and how they are written to files."""

import logging
import re
import warnings
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

from matplotlib import font_manager, style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.rcsetup import cycler

from vaswani.storage import atomic_write

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F3C8D", "#000000")
"""Okabe and Ito's colours for colour-blind readers, with a purple in place of their yellow, too pale on white."""

LINES: tuple[Literal["-", "--", ":"], ...] = ("-", "--", ":")
"""Line styles, for the ninth line and later ones, which repeat a colour."""

OTHER_SCRIPTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Noto Sans SC",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Arial Unicode MS",
)
"""Fonts for letters that matplotlib's own lacks; the installed ones are tried in turn."""

STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans", *(name for name in OTHER_SCRIPTS if name in font_manager.get_font_names())],
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "0.4",
    "axes.prop_cycle": cycler(linestyle=LINES) * cycler(color=COLOURS),
    "xtick.color": "0.3",
    "ytick.color": "0.3",
    "xtick.labelcolor": "black",
    "ytick.labelcolor": "black",
    "grid.color": "0.9",
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.hashsalt": "vaswani",  # the same picture is the same file
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in this style, whatever the user's own is, and restore the user's style."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> R:
        with style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return inside


@styled
def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem`.png and `stem`.svg, and return both paths; the folder is made if it is missing.

    A warning names letters that no font here has, which appear as boxes.
    """
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("png", "svg")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for path in paths:
            kind = path.suffix[1:]
            with atomic_write(path) as file:
                figure.savefig(file, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
    missing = [re.match(r"Glyph (\d+) .*missing from font", str(each.message)) for each in caught]
    for each, match in zip(caught, missing, strict=True):
        if match is None:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if letters := "".join(sorted({chr(int(match[1])) for match in missing if match})):
        logging.getLogger(__name__).warning(
            "No font here has %s: they are shown as boxes in %s. Install one, such as Noto Sans CJK", letters, stem
        )
    return paths


def name_lines(place: Axes | Figure, lines: Sequence[Artist], names: Sequence[str], **how: Any) -> Legend:
    """Write a legend of names from users: a $ in them begins no formula, and a _ does not hide them."""
    legend = place.legend(list(lines), list(names), **how)
    for text in legend.get_texts():
        text.set_parse_math(False)
    return legend
