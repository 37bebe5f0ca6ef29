"""How much of the scored sets occurs in the training text, in words for the screen and for the card."""

from .metrics_record import OverlapRecord


def overlap_as_text(record: OverlapRecord) -> list[str]:
    """Return a line for each set, from "test_text_in_training" of metrics.json."""
    looked, all_groups = record.row_groups
    part = "" if looked == all_groups else f" (searched {looked:,} of {all_groups:,} row groups, sampled)"
    lines = []
    for split, found in record.splits.items():
        of = f"of the {found.of:,}"
        counts = f"{found.pairs:,} {of} pairs, {found.sources:,} {of} sources, {found.targets:,} {of} targets"
        if not (found.pairs or found.sources or found.targets):
            counts = f"none {of} pairs, and no source or target of theirs alone"
        end = ", and left out of it" if record.left_out else ""
        lines.append(f"{split} in the training text{part}: {counts}{end}")
    return lines
