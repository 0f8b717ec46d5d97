"""Mysteries: a server that leaks somewhere, its traffic, and the accusations."""
