"""A tokenizer as OPUS-MT has it, learned here: two models of SentencePiece and the vocabulary that numbers both."""

import json
import random
from pathlib import Path

import sentencepiece


def sentences(letters: str, number: int, seed: int = 1) -> list[str]:
    """Some of sixty words of these letters, one to eight of them."""
    draw = random.Random(seed)
    words = ["".join(draw.choice(letters) for _ in range(draw.randint(1, 6))) for _ in range(60)]
    return [" ".join(draw.choice(words) for _ in range(draw.randint(1, 8))) for _ in range(number)]


LETTERS = {"source": "abcdefghé", "target": "cdijklmnß"}


def leave_models(folder: Path) -> dict[str, int]:
    """Write source.spm and target.spm, and return the numbers of their pieces as Marian gives them: no padding."""
    vocabulary = {"</s>": 0, "<unk>": 1}
    for side, letters in LETTERS.items():
        text = folder / f"{side}.txt"
        text.write_text("\n".join(sentences(letters, 400)), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=str(text), model_prefix=str(folder / side), vocab_size=60, minloglevel=2
        )
        text.unlink()
        (folder / f"{side}.vocab").unlink()
        (folder / f"{side}.model").rename(folder / f"{side}.spm")
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{side}.spm"))
        for place in range(model.get_piece_size()):
            piece = model.id_to_piece(place)
            if piece not in ("<s>", "</s>", "<unk>"):
                vocabulary.setdefault(piece, len(vocabulary))
    return vocabulary


def leave_tokenizer(folder: Path) -> int:
    """Write the files beside an OPUS-MT on the Hub, which name no class; return how many tokens there are."""
    vocabulary = leave_models(folder)
    vocabulary["<pad>"] = len(vocabulary)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"source_lang": "en", "target_lang": "de"}')
    return len(vocabulary)
