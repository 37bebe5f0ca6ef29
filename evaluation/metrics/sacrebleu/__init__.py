"""BLEU, chrF and TER by the sacrebleu library."""
