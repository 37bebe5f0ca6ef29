"""Glossaries: pairs of terms from files of translators, where they stand in a text, and how a source names them."""
