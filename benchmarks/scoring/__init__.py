"""Scores: comparisons of two outputs, F1 of parses against EVALB, what survives as it is written."""
