"""Laws that hold on every machine, as a list that tests and `doctor` share.

Each law is one number with what it has to be, how far off it may be, and where
that is written. They run on the devices that are there, in float32.
"""

from __future__ import annotations

from jaxgen.laws import coding, diffusion, growth, machinery
from jaxgen.laws.law import Law as Law

LAWS = (*diffusion.LAWS, *growth.LAWS, *coding.LAWS, *machinery.LAWS)
