"""Training: a step and what it is made of, a run, precisions, several processes."""
