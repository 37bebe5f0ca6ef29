"""Translations over HTTP: one process, one model; requests that arrive together form batches."""
