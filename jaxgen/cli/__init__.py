"""The `jaxgen` command, one small file for each verb.

A verb's module has a docstring (its help), `add_flags(parser)` and
`run(args, rest)`; whatever needs JAX is imported inside `run`, so that help
answers at once.
"""
