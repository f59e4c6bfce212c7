"""One file per format; the file's name is the format's name.

A dialect module has a docstring (first line: what it is; ``Source:``), ``kind`` (rankings, qrels, queries or corpus),
``holds`` (what it can keep, words of ``features.UNITS``), ``sniff(sample)``, ``read(path, bad=...)`` and
``write(items, path, notes)``. A file of rows (one line per document) has ``rows(source, bad)`` as well, so that it can
be regrouped. Optional: ``suffixes`` that choose it for writing, ``keeps`` (metadata keys it can hold), ``order`` (of
rows).
"""
