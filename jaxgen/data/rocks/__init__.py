"""Procedural rock tiles."""
