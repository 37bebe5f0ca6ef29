"""What a card says of a model's form as a class of transformers' own: how to load it, and what its search gives."""

from vaswani.training.validation_figures import called, shown

from .native_record import NativeRecord

BESIDE, INSTEAD = "beside", "instead"
"""Where that form goes: in a folder of the repository, or to its top, in the place of the form with code of its own."""
FOLDER = "transformers"
"""That folder."""
SNIPPET = """\
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("{name}"{where})
model = AutoModelForSeq2SeqLM.from_pretrained("{name}"{where})
batch = tokenizer([{example!r}], padding=True, return_tensors="pt")
print(tokenizer.batch_decode(model.generate(**batch), skip_special_tokens=True))
"""
FROZEN = (
    "Before you train it further, call `embed_positions.requires_grad_(False)` in `model.model.encoder` and "
    "`model.model.decoder`: transformers 5.24 would train the positions and not save them."
)
"""For whoever trains a model further; findings/transformers-marian-positions.sh shows why."""


def native_section(name: str, record: NativeRecord, place: str, branch: str | None, example: str) -> str:
    """Return how to load that form, without code from the Hub, and the figures of both searches.

    Args:
        name: OWNER/NAME.
        record: of the export.
        place: BESIDE or INSTEAD.
        branch: the branch to push to, if not main.
        example: a sentence to translate.

    """
    where = (f', subfolder="{FOLDER}"' if place == BESIDE else "") + (f', revision="{branch}"' if branch else "")
    snippet = SNIPPET.format(name=name, where=where, example=example)
    files = f"The files in `{FOLDER}/` are the same model" if place == BESIDE else "The model is written"
    text = (
        f"```bash\npip install torch transformers\n```\n\n```python\n{snippet}```\n\n{files} as a "
        f"`{record.architecture}` of transformers: it needs no `trust_remote_code`. Its logits differ from those of "
        f"the network that was trained by {record.difference:.1e} at most, the rounding of both. {FROZEN}"
    )
    if record.beams == 1:
        return text
    text += (
        f" Its search is that of transformers, which divides log P by a power of the length; the exponent is "
        f"{record.exponent:g}. The paper's search divides it by ((5 + length) / 6)^{record.length_penalty:g}."
    )
    if (chosen := record.chosen) is None:
        return f"{text} The exponent was not chosen by translating: it makes both rise alike at 25 tokens."
    name_of = called(chosen.metric)
    rows = [f"| the paper's, {record.length_penalty:g} | {shown(chosen.metric, chosen.paper)} |"]
    rows += [
        f"| transformers', {exponent}{', written' if float(exponent) == record.exponent else ''} | "
        f"{shown(chosen.metric, value)} |"
        for exponent, value in chosen.by_exponent.items()
    ]
    return "\n".join(
        [
            f"{text} It was chosen on the validation set, {chosen.sentences:,} sentences, {record.beams} beams:",
            "",
            f"| search, exponent | {name_of} |",
            "|---|---:|",
            *rows,
        ]
    )
