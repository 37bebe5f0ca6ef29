"""What computes each metric of the `metric_table`; the table names them, and they are loaded when they are needed."""
