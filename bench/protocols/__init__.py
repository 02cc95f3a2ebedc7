"""Protocols, one paper per file; the file's stem is the protocol's name in a scenario."""
