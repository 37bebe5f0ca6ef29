"""Encoded row groups kept on disk: from the second epoch on nothing is read, cleaned or encoded again."""

import errno
import hashlib
import json
import logging
import shutil
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load, save
from transformers import PreTrainedTokenizerBase

from vaswani.storage import atomic_write

from .cleaning import CleaningLimits, Drops
from .encoding import EncodedGroup, Ragged, encode_group
from .pairs import Corpus
from .segmentation import Segmentation
from .word_encoding import WordEncoder

_log = logging.getLogger(__name__)

_DIGEST = hashlib.sha256().digest_size
_SUFFIX = ".tokens"


class TokenCache:
    """A folder with a file for each row group that has been encoded; for a single corpus, vocabulary and cleaning.

    Any number of processes may read and write it at the same time: a file is written completely or not at all. It holds
    the SHA-256 of what follows, and arrays as safetensors writes them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_full = False
        folder.mkdir(parents=True, exist_ok=True)

    def load(self, group: int) -> EncodedGroup | None:
        """Return a row group, or None if it is not here. A damaged file is deleted, with a warning."""
        path = self._path(group)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._discard(path, str(error))
            return None
        digest, arrays_in_it = content[:_DIGEST], content[_DIGEST:]
        if hashlib.sha256(arrays_in_it).digest() != digest:
            self._discard(path, "its checksum does not fit")
            return None
        # Not NumPy's own format: it parses headers by Python's parser, which threads of Python 3.11 must not share.
        arrays = load(arrays_in_it)
        drops = Drops(**json.loads(arrays["drops"].tobytes()))
        drops.dropped = Counter(drops.dropped)
        return EncodedGroup(
            arrays["rows"],
            Ragged(arrays["sources"], arrays["source_starts"]),
            Ragged(arrays["targets"], arrays["target_starts"]),
            drops,
        )

    def store(self, group: int, encoded: EncodedGroup) -> None:
        """Write a row group; if the disk is full, warn once and continue without the cache."""
        content = save(
            {
                "rows": encoded.rows,
                "sources": encoded.sources.tokens,
                "source_starts": encoded.sources.starts,
                "targets": encoded.targets.tokens,
                "target_starts": encoded.targets.starts,
                "drops": np.frombuffer(json.dumps(vars(encoded.drops)).encode(), dtype=np.uint8),
            }
        )
        try:
            with atomic_write(self._path(group)) as file:
                file.write(hashlib.sha256(content).digest() + content)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            if not self._is_full:
                _log.warning(
                    "the disk of %s is full: what --packed_cache has not kept yet is read and encoded again "
                    "in each epoch. Free some, or name another --cache_dir",
                    self.folder,
                )
            self._is_full = True

    def size_when_full(self, corpus: Corpus, example: EncodedGroup) -> int:
        """Return about how many bytes a whole corpus will take, estimated from the rows of one group."""
        content = sum(array.nbytes for array in (example.rows, *example.sources, *example.targets))
        return round(content * corpus.rows / max(1, example.drops.rows)) + corpus.groups * 2_000

    def filled(self) -> int:
        """Return how many row groups are here."""
        return sum(1 for path in self.folder.glob(f"*{_SUFFIX}") if not path.name.startswith("."))

    def free(self) -> int:
        """Return the free bytes of the disk it is on."""
        return shutil.disk_usage(self.folder).free

    def _discard(self, path: Path, fault: str) -> None:
        _log.warning("%s is damaged (%s); its rows are read and encoded again", path, fault)
        path.unlink(missing_ok=True)

    def _path(self, group: int) -> Path:
        return self.folder / f"{group:07d}{_SUFFIX}"


class GroupReader:
    """Gives the encoded row groups of a corpus by number: from the cache if it has them, or else from the corpus."""

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: PreTrainedTokenizerBase,
        limits: CleaningLimits,
        cache: TokenCache | None,
        segmentation: Segmentation | None = None,
    ) -> None:
        self._source = (corpus, WordEncoder(tokenizer), limits)
        self._cache = cache
        self._segmentation = segmentation

    def __call__(self, group: int, *key: int) -> EncodedGroup:
        """Return one row group; `key`, such as seed and epoch, decides what is drawn for its pairs."""
        corpus, encode_texts, limits = self._source
        if self._segmentation is not None:
            return encode_group(corpus, group, encode_texts, limits, partial(self._segmentation.pair, (*key, group)))
        if self._cache is None:
            return encode_group(corpus, group, encode_texts, limits)
        encoded = self._cache.load(group)
        if encoded is None:
            encoded = encode_group(corpus, group, encode_texts, limits)
            self._cache.store(group, encoded)
        return encoded
