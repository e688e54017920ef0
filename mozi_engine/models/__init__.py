"""Model files: the catalogue, where each file comes from, what a GGUF says of itself."""
