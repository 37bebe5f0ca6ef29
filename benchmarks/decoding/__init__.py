"""Translating with a trained model: speed, engines, the server, alignment, other versions of transformers."""
