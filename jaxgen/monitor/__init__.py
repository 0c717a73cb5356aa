"""What a run's folder tells of it: read without JAX, and never written."""
