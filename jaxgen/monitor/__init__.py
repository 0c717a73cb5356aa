"""Views of run folders, read without JAX and never written."""
