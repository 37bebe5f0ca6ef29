"""Translations over HTTP: one process, one model, batches of what arrives together."""
