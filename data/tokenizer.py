"""The joint vocabulary of section 5.1: byte-level BPE, learned from the text of both languages.

One for every pair of languages: there is nothing to add for a new one.

Where the target is trees, their brackets with labels are whole tokens too; otherwise the tokens that a user asks for
(`learn_tokenizer`).

Bytes are the alphabet, so any text can be encoded and is decoded exactly, character by character: nothing is
normalised, no character is unknown. A space belongs to the word after it, and one is added before the text and removed
again, so that a word has the same pieces at the start of a sentence as inside it.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from .user_tokens import any_of, check_tokens, words_around

SPECIAL_TOKENS = ("<unk>", "<pad>", "<s>", "</s>")
"""Ids 0 to 3. Decoding starts with <s>, a sentence ends with </s>, and nothing is ever <unk>."""

SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256

# A word that begins or ends like a bracket with a label; or else ByteLevel's own split, by the pattern of GPT-2.
_BRACKETS_AND_WORDS = (
    r" (?:\([^\s()]+\)?|\)[^\s()]+)(?!\S)"
    r"|'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)

_log = logging.getLogger(__name__)


def learn_tokenizer(
    texts: Iterable[str],
    vocab_size: int,
    show_progress: bool = True,
    brackets: Sequence[str] = (),
    user_symbols: Sequence[str] = (),
) -> PreTrainedTokenizerFast:
    """Learn a vocabulary of `vocab_size` entries: 4 special tokens, 256 bytes, and as many merges as fit.

    `brackets`, such as "(NP", ")NP" and "(NN)", are among the entries: each is one token wherever it occurs between
    spaces. Other brackets are encoded like words. `texts` need not hold them.

    `user_symbols`, such as "<2de>", are among the entries too: each is one token wherever it occurs, also inside a
    word, and is never merged with its neighbours. At the beginning of a text no space is added before one. They are
    text: decoding keeps them. Brackets and user tokens cannot be combined.

    `texts` (sentences of both languages) is read once and not kept: memory grows with the number of distinct words,
    not with the length of the text. The same texts give the same vocabulary, whatever the number of threads. Text
    too small for so many merges gives a smaller vocabulary, and a warning that says how large it became.

    Encoding appends </s>; "</s>" and the like inside a text are ordinary characters. Raises ValueError for a
    `vocab_size` below 260 and the number of `brackets` or `user_symbols`, if one of these cannot be an entry, and if
    there is no text.
    """
    check_tokens(user_symbols, SPECIAL_TOKENS)
    if brackets and user_symbols:
        raise ValueError(f"user_tokens are {' '.join(user_symbols)}, and the target is trees. Leave them out.")
    to_learn = _room_to_learn(vocab_size, len(brackets), len(user_symbols))
    bpe = _unlearned(bool(brackets), user_symbols)
    trainer = trainers.BpeTrainer(
        vocab_size=SMALLEST_VOCABULARY + to_learn,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=show_progress,
    )
    bpe.train_from_iterator(texts, trainer)
    if to_learn and bpe.get_vocab_size() == SMALLEST_VOCABULARY:
        raise ValueError("There was nothing to learn a vocabulary from: give at least one text of two characters.")
    if brackets:
        bpe = _with_whole(bpe, [f" {bracket}" for bracket in brackets])
    if user_symbols:
        bpe.pre_tokenizer = _pieces(words_around(user_symbols))
        bpe = _with_whole(bpe, user_symbols)
    if bpe.get_vocab_size() < vocab_size:
        _log.warning("The text allows a vocabulary of %d entries only, not %d.", bpe.get_vocab_size(), vocab_size)
    return _as_pretrained(bpe)


def _room_to_learn(vocab_size: int, brackets: int, user_symbols: int) -> int:
    """Return how many entries are left for merges; ValueError if there is no room for the others."""
    smallest = SMALLEST_VOCABULARY + brackets + user_symbols
    if vocab_size >= smallest:
        return vocab_size - smallest
    asked_for = f", and {brackets} brackets of the trees" if brackets else ""
    asked_for += f", and {user_symbols} user_tokens" if user_symbols else ""
    raise ValueError(
        f"vocab_size is {vocab_size}, and the smallest is {smallest}: {len(SPECIAL_TOKENS)} special "
        f"tokens and 256 bytes{asked_for}. Give at least {smallest}; several thousand are usual."
    )


def _unlearned(brackets: bool, user_symbols: Sequence[str]) -> Tokenizer:
    """Return a tokenizer that has learned nothing yet: how it normalises, what it splits off, how it decodes."""
    bpe = Tokenizer(models.BPE(unk_token="<unk>"))
    bpe.normalizer = normalizers.Prepend(" ")
    # The split into words also prevents merges that spell a special token: "<" and "s" are never in one word.
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    bpe.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", left=1, right=0)])
    if brackets:
        bpe.pre_tokenizer = _pieces(_BRACKETS_AND_WORDS)
    if user_symbols:
        begins_with_one = Regex(rf"(?<![\s\S]) (?={any_of(user_symbols)})")  # no \A, which JavaScript lacks
        bpe.normalizer = normalizers.Sequence([bpe.normalizer, normalizers.Replace(begins_with_one, "")])
        # So that no merges are learned to spell them.
        bpe.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Split(Regex(any_of(user_symbols)), "removed"), bpe.pre_tokenizer]
        )
    return bpe


def _pieces(pattern: str) -> pre_tokenizers.PreTokenizer:
    """Return what splits a text into what a pattern finds and what lies between, each written in bytes."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def whole_pieces(model: dict[str, Any]) -> list[str]:
    """Return the entries of a BPE model, as its JSON has it, to which no merges lead: texts that stay whole."""
    if not model.get("ignore_merges"):
        return []
    reached = {"".join(merge) for merge in model["merges"]}
    return [
        piece for piece in model["vocab"] if len(piece) > 1 and piece not in reached and piece not in SPECIAL_TOKENS
    ]


def words_apart(tokenizer: PreTrainedTokenizerBase) -> list[str] | None:
    """Return the user's tokens of a vocabulary whose words are encoded one by one; None if it is not known to be one.

    One that `learn_tokenizer` returned, without brackets, encodes a text as its words, one after another, where single
    spaces part them and no word but the first begins with a user's token.
    """
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return None
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    if state["model"]["type"] != "BPE" or state["model"].get("dropout") or state["truncation"] or state["padding"]:
        return None
    plain = decoders.ByteLevel()
    symbols = [plain.decode([piece]) for piece in whole_pieces(state["model"])]
    expected = _unlearned(False, symbols)
    if symbols:
        expected.pre_tokenizer = _pieces(words_around(symbols))
    own = json.loads(expected.to_str())
    return symbols if all(state[part] == own[part] for part in ("normalizer", "pre_tokenizer")) else None


def _as_pretrained(bpe: Tokenizer) -> PreTrainedTokenizerFast:
    """Return a tokenizer as transformers has it, which ends each text with </s>."""
    end = ("</s>", SPECIAL_TOKENS.index("</s>"))
    bpe.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B:1 </s>:1", special_tokens=[end]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        unk_token="<unk>",
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        padding_side="right",
        clean_up_tokenization_spaces=False,
        split_special_tokens=True,
        model_input_names=["input_ids", "attention_mask"],
    )


def _with_whole(bpe: Tokenizer, texts: Sequence[str]) -> Tokenizer:
    """Return a tokenizer with further entries, each for a text that its pre-tokenizer leaves in one piece.

    They are not the library's added tokens: around those each part of a text is normalised by itself, and so would get
    the space of a beginning; and a letter beyond ASCII in one would be decoded as another.
    """
    state = json.loads(bpe.to_str())
    assert bpe.pre_tokenizer is not None
    for text in texts:
        [(piece, _)] = bpe.pre_tokenizer.pre_tokenize_str(text)
        state["model"]["vocab"].setdefault(piece, len(state["model"]["vocab"]))
    state["model"]["ignore_merges"] = True  # a piece that is an entry is one token, though no merges lead to it
    return Tokenizer.from_str(json.dumps(state))


def fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return 32 hexadecimal digits that change whenever any text would be encoded differently."""
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return _fingerprint_of_files(tokenizer)
    state = json.loads(tokenizer.backend_tokenizer.to_str())
    # Padding and truncation are traces of the latest call, not of the vocabulary.
    meaning = {key: value for key, value in state.items() if key not in ("padding", "truncation")}
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()[:32]


def _fingerprint_of_files(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the same of a tokenizer that is no pipeline of `tokenizers`, as MarianTokenizer: of all that it saves."""
    with tempfile.TemporaryDirectory() as temporary:
        tokenizer.save_pretrained(temporary)
        digest = hashlib.sha256()
        for file in sorted(Path(temporary).iterdir()):
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:32]
