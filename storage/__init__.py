"""Writing to the disk: only these functions write what is read back later."""

from .atomic import atomic_files as atomic_files
from .atomic import atomic_folder as atomic_folder
from .atomic import atomic_write as atomic_write
from .atomic import is_draft as is_draft
from .atomic import make_folder as make_folder
from .atomic import sync as sync
from .atomic import sync_tree as sync_tree
from .atomic import write_text as write_text
from .checksums import sha256_of as sha256_of
from .damage import check_object as check_object
from .damage import naming_damage as naming_damage
from .journal import Journal as Journal
