"""Searches over configs in phases, each continuing from the previous winner.

A sweep file is a Python file whose `get_sweep(variant)` returns a `Sweep`; see
`configs/sweeps/` and `jaxgen sweep --help`.
"""

from jaxgen.sweeps.spec import Phase as Phase
from jaxgen.sweeps.spec import Sweep as Sweep
from jaxgen.sweeps.spec import TradeOff as TradeOff
from jaxgen.sweeps.values import Times as Times
from jaxgen.sweeps.values import Winner as Winner
from jaxgen.sweeps.values import grid as grid
