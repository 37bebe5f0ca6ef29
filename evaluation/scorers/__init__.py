"""The scorers of the metrics in the `metric_table`, which names them; each is loaded when it is needed."""
