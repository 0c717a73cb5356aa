"""A run's folder as a view: read without JAX, and never written."""
