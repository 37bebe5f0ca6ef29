"""COMET (Rei et al. 2020, 2022): a regression on what XLM-R makes of source, translation and reference."""
