"""How long a text may be before it is encoded: encoding takes hundreds of times the memory of the text."""

from .hypotheses import Tokenizer

CHEAP = 100_000
"""Characters that are encoded however few tokens are allowed, in some megabytes: then a message has their number."""


def most_characters(longest: int, tokens: int) -> int:
    """Return how many characters so many tokens can hold, if all have those of the longest one; or CHEAP."""
    return max(CHEAP, tokens * longest)


def longest_token(tokenizer: Tokenizer) -> int:
    """Return the characters of the longest token of a vocabulary."""
    return max(map(len, tokenizer.get_vocab()))


def check_characters(tokenizer: Tokenizer, text: str, tokens: int, what: str) -> None:
    """Raise ValueError if a text has more characters than so many tokens can hold; `what` is its name."""
    if len(text) > CHEAP and len(text) > (most := most_characters(longest_token(tokenizer), tokens)):
        raise ValueError(
            f"{what} has {len(text):,} characters, and {tokens:,} tokens hold no more than {most:,}; split it into "
            "sentences"
        )
