"""`evaluate` modules, one per folder; load one by the path of its folder."""
