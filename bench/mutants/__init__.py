"""Protocols with one rule broken, each a bug that somebody really had; every one has a scenario that convicts it."""
