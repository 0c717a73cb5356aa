"""Read-only views of run folders, without JAX."""
