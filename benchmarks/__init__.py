"""What a report in docs/results/ measured, to be run again: from the root of a checkout, as modules.

python -m benchmarks.training.train_step --help

A report from before these were grouped has the command of its day: benchmarks/NAME.py, at the commit that it names.
"""
