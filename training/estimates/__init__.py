"""The cost of a step, by formula: operations, memory, traffic."""
