"""From text to batches: cleaning, streaming and mixing, on a corpus as large as WMT 2014's."""
