"""Several processes: checked at the start, sharing weights, lost, asked to end."""
