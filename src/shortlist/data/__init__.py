"""Documents by id without loading them, and evaluation sets (folders in the layout of BEIR) as one value."""

from ..formats.documents import iter_documents
from .collection import Collection
from .dataset import Dataset, load_dataset

__all__ = ["Collection", "Dataset", "iter_documents", "load_dataset"]
