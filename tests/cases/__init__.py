"""What the public bug reports of others' pipelines say goes wrong, by number, each with variants of its kind."""
