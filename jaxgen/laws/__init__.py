"""Laws that hold on every machine, checked by the tests and by `doctor`.

Each law is a known number with a tolerance and a source. Laws are checked on
the devices of the machine, in full float32.
"""

from __future__ import annotations

from jaxgen.laws import (
  diffusion,
  few_steps,
  hybrid,
  losses,
  metrics,
  restoration,
  training,
  transfer,
)
from jaxgen.laws.law import Law as Law

LAWS = (
  *diffusion.LAWS,
  *few_steps.LAWS,
  *restoration.LAWS,
  *transfer.LAWS,
  *losses.LAWS,
  *metrics.LAWS,
  *hybrid.LAWS,
  *training.LAWS,
)
