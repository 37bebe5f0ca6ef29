"""Several processes: checks at the start, shared weights, lost processes, signals."""
