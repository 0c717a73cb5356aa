"""jaxgen's networks in PyTorch, written as its users would; imports no JAX.

Modules have the names of jaxgen's parameters.
"""
