"""Writing to the disk: what is read back later is written by these functions alone."""

from .atomic import atomic_files, atomic_folder, atomic_write, is_draft, sync, sync_tree, write_text

__all__ = ["atomic_files", "atomic_folder", "atomic_write", "is_draft", "sync", "sync_tree", "write_text"]
