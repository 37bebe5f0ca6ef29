"""Any data set of the Hugging Face Hub, streamed: row group by row group, nothing downloaded ahead."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from datasets import load_dataset_builder

from .pairs import Row, fingerprint
from .splits import choose_split
from .tables import find_columns, table_rows

_ROWS_AT_ONCE = 1_000


class HubCorpus:
    """One split of a data set, in as many groups as it can be cut into: row groups of parquet, files of other formats.

    A group is read whole, so a format without row groups costs the memory of its largest file. Takes what
    `datasets.load_dataset` takes, a local folder too. Raises ValueError for an unknown split, missing columns; an
    error on reading says which group it was.
    """

    def __init__(self, dataset: str, config: str | None, split: str, source: str, target: str) -> None:
        builder = load_dataset_builder(dataset, config)
        shown = f"{dataset}/{config}" if config else dataset
        files = builder.config.data_files or {}
        split = choose_split(split, [str(name) for name in files or builder.info.splits or ()], f"--dataset {shown}")
        self.name = f"{shown}:{split}"
        self._stream: Any = builder.as_streaming_dataset(split=split).reshard().with_format("arrow")
        self._columns = find_columns(self._schema(), source, target, self.name)
        self.groups = self._stream.num_shards
        told = (builder.info.splits or {}).get(split)
        self.rows = told.num_examples if told and told.num_examples else self.groups * len(self.read(0))
        # Of each file its address, which names the revision, and its ETag (on this machine: the time of its change).
        data = files.get(split)
        origin = str((list(data), data.origin_metadata)) if data else str(builder.hash)
        self.fingerprint = fingerprint(dataset, str(config), split, origin, str(self.groups), source, target)

    def read(self, group: int) -> list[Row]:
        """Return the rows of one group."""
        where = f"{self.name}, group {group}"
        rows: list[Row] = []
        for table in self._tables(self._stream.shard(num_shards=self.groups, index=group), where):
            rows += table_rows(table, self._columns, where, first=len(rows) + 1)
        return rows

    def _schema(self) -> pa.Schema:
        if self._stream.features is not None:
            return self._stream.features.arrow_schema
        for table in self._tables(self._stream, self.name):
            return table.schema
        raise ValueError(f"{self.name} holds no rows. Name another split or data set.")

    def _tables(self, stream: Any, where: str) -> Iterator[pa.Table]:
        try:
            yield from stream.iter(batch_size=_ROWS_AT_ONCE)
        except Exception as error:  # its kind stays, since a network error may be worth another try
            error.add_note(
                f"This came while {where} was read. If the file itself is damaged, download it, mend it, and give its "
                "folder as --data_dir."
            )
            raise
