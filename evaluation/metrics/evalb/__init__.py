"""Labelled bracketing by the rules of EVALB."""
