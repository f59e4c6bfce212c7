"""First stages, one file per retriever; the file's name is the registry name."""
