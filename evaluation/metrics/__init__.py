"""`evaluate` modules, one a folder; load one by the path of its folder."""
