"""BLEU and its kin, each score with its name and signature."""
