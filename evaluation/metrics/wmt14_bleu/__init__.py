"""The paper's tokenised, compound-split BLEU."""
