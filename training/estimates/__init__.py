"""What a step costs, by formula: operations, memory, traffic."""
