"""Malformed input and kills at random, for `scripts/fuzz.py` and the tests."""
