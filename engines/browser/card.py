"""README.md of a model that was exported as a page: what is there, how to serve it, and what it is worth."""

from dataclasses import dataclass
from pathlib import Path

from vaswani.training.validation_figures import shown

from .record import BrowserRecord

TEXT = """\
# {name}: translation in the browser

Serve this folder by any server of static files, for instance, from within it,

```bash
python -m http.server
```

and open http://localhost:8000/. The page translates line by line; the text is sent nowhere. After it was loaded once,
it works without its server (by https, or on localhost). Keys: Ctrl+Enter translates, Esc stops, Tab goes on.

## Files

| | MB |
|---|---:|
{files}
| all | {all} |

The weights are stored as {quantization}. `config.json`, `tokenizer.json`, `generation_config.json` and `onnx/` are laid
out as [transformers.js](https://huggingface.co/docs/transformers.js) reads them. `licenses.txt` has the licences of the
programs in `worker.js` and of the runtime.

## The search

transformers.js searches greedily, whatever `num_beams` says. {score}
"""
UNMEASURED = (
    "What that costs was not measured: `vaswani export --to browser --validation SOURCE REFERENCE` does,\n"
    "and says it here."
)
PARTS = (
    ("the encoder", ("encoder_model",)),
    ("the decoder", ("decoder_model",)),
    ("the runtime of ONNX", (".wasm",)),
    ("transformers.js and the page", (".js", ".html", ".css")),
    ("tokenizer and settings", (".json",)),
)
"""Parts of the folder, by what the names of their files hold; the first that fits counts."""


@dataclass(frozen=True)
class Score:
    """Of a validation set, by both searches."""

    metric: str
    """The key of the figure."""
    sentences: int
    beams: int
    length_penalty: float
    paper: float
    """Of the paper's search with the model as it was trained."""
    greedy: float
    """Of greedy search with the exported graphs."""


def card(folder: Path, record: BrowserRecord, score: Score | None) -> str:
    """Return the text of README.md.

    Args:
        folder: with all other files of the page.
        record: of the export.
        score: by both searches, if there was a validation set.

    """
    sizes = dict.fromkeys((part for part, _ in PARTS), 0)
    for file in folder.rglob("*"):
        name = file.relative_to(folder).as_posix()
        part = next((part for part, held in PARTS if any(each in name for each in held)), None)
        if part is not None:
            sizes[part] += file.stat().st_size
    rows = [f"| {part} | {size / 1e6:.1f} |" for part, size in sizes.items()]
    return TEXT.format(
        name=record.name,
        files="\n".join(rows),
        all=f"{sum(sizes.values()) / 1e6:.1f}",
        quantization=record.quantization,
        score=UNMEASURED if score is None else scores(record, score),
    )


def scores(record: BrowserRecord, score: Score) -> str:
    """Return a sentence and a table of both searches."""
    return "\n".join(
        [
            f"On the validation set, {score.sentences:,} sentences:",
            "",
            "| search | score |",
            "|---|---:|",
            f"| the paper's, {score.beams} beams, length penalty {score.length_penalty:g}, float32 | "
            f"{shown(score.metric, score.paper)} |",
            f"| greedy, {record.quantization}: this page | {shown(score.metric, score.greedy)} |",
        ]
    )
