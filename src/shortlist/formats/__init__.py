"""File formats: TREC runs and judgements, topics, BEIR folders, MS MARCO tables, and the JSON of other rerankers.

``read(path)`` gives rankings from any of them, ``write`` and ``convert`` go the other way. Judgements, queries and
documents have their own readers in ``qrels``, ``queries`` and ``documents``; runs as rows in ``run``. One file per
format in ``dialects``.
"""

from .convert import Report, convert
from .lines import Bad, Source
from .qrels import iter_qrels, read_qrels
from .queries import by_id, iter_queries, read_queries
from .reading import FORMATS, detect, names, read, write
from .run import RunReport, iter_run, read_rankings, write_run

__all__ = [
    "FORMATS",
    "Bad",
    "Report",
    "RunReport",
    "Source",
    "by_id",
    "convert",
    "detect",
    "iter_qrels",
    "iter_queries",
    "iter_run",
    "names",
    "read",
    "read_qrels",
    "read_queries",
    "read_rankings",
    "write",
    "write_run",
]
