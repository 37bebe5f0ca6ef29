"""A trained model at work: text in, translations out."""
