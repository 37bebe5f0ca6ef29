"""Documents in, the same documents out with translations in their places: PO, XLIFF, TMX, SRT, HTML, Markdown.

A format is a function from a file's text to its units: what a reader reads, and the span that its translation replaces.
All else stays byte for byte, since nothing else is written.
"""

from .formats import DOCUMENTS as DOCUMENTS
from .formats import document_format as document_format
from .formats import reader_of as reader_of
from .segments import Counts as Counts
from .segments import translate_units as translate_units
from .unit import DocumentError as DocumentError
from .unit import Unit as Unit
from .unit import finished as finished
