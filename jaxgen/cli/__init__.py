"""The `jaxgen` command, with one module per verb.

A verb's module has a docstring (its help), `add_flags(parser)` and
`run(args, rest)`; modules that need JAX are imported inside `run`, so that help
is fast.
"""
