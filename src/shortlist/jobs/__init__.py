"""Long jobs that may be killed at any moment and continue where they were."""

from .manifest import file_digest, manifest
from .rerank import RerankReport, Stopped, rerank_file

__all__ = ["RerankReport", "Stopped", "file_digest", "manifest", "rerank_file"]
