"""Metrics that a network computes: its checkpoint is read, and it judges translations line by line."""
