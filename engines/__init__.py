"""Engines other than torch: trained models exported to them, and translated with."""
