"""Checkpoints: saved, sealed, checked, resumed from, averaged, made whole."""
