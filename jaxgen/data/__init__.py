"""Image tiles from many sources, as deterministic grain pipelines."""
