"""BLEU and other scores, each with its name and signature."""
