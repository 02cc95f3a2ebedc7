"""Workloads, one kind per file; the file's stem is the kind's name in a scenario."""
