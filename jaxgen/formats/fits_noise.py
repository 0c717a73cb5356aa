"""What the header of a FITS file says of the noise."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from jaxgen.formats.fits import Header

_GAINS = ("EGAIN", "GAIN")  # of capture programs, by definition and by habit
_READ_NOISES = ("RDNOISE", "READNOIS", "RON", "ENOISE")
_BLACKS = ("BLKLEVEL", "BLACKLEV", "BIASLVL", "BIASLEVE")
_WHITES = ("SATURATE", "SATLEVEL", "MAXLIN")
_PER_ELECTRON = re.compile(r"(adu|dn|counts?)\s*(/|per)\s*(e|photo)", re.I)
_PER_NUMBER = re.compile(r"e(lectrons?|-)?\s*(/|per)\s*(adu|dn|count)", re.I)
_MOST = 30.0  # electrons per DN; beyond it is rather the setting of a dial


class NoiseWords(NamedTuple):
  """What a header says of the noise: DN per electron, electrons, DN.

  Attributes:
    gain, read_noise, black, white: None: not said.
    notes: what a user should know about the reading.
  """

  gain: float | None
  read_noise: float | None
  black: float | None
  white: float | None
  notes: tuple[str, ...]


def noise_words(header: Header, *, gain: float | None = None) -> NoiseWords:
  """The noise by the usual keywords, or with another gain than the header's.

  GAIN is electrons per DN in most files, the inverse of the gain in the rest of
  jaxgen; a comment such as "ADU/e-" says otherwise.

  Raises:
    ValueError: a keyword has a value that no camera has.
  """
  gain, notes = (gain, ()) if gain else _gain(header)
  unit = str(header.get("BUNIT", ("", ""))[0]).strip()
  if unit and not re.fullmatch(r"(?i)adu|dn|counts?", unit):
    notes = (*notes, f"BUNIT is {unit!r}: values are taken for DN")
  black, white = levels(header)
  name, read_noise = _first(header, _READ_NOISES)
  if read_noise is not None and read_noise < 0:
    raise ValueError(f"{name}={read_noise:g}: expected 0 or more")
  return NoiseWords(
    gain=gain,
    read_noise=read_noise,
    black=black,
    white=white,
    notes=notes,
  )


def levels(header: Header) -> tuple[float | None, float | None]:
  """The black and the white level in DN; None: the header does not say."""
  return _first(header, _BLACKS)[1], _first(header, _WHITES)[1]


def _gain(header: Header) -> tuple[float | None, tuple[str, ...]]:
  name, value = _first(header, _GAINS)
  if value is None:
    return None, ()
  if value <= 0:
    raise ValueError(f"{name}={value:g}: expected above 0")
  comment = header[name][1]
  if _PER_ELECTRON.search(comment):
    return value, (f"{name}={value:g} is DN per electron by its comment",)
  if value > _MOST and not _PER_NUMBER.search(comment):
    raise ValueError(
      f"{name}={value:g}: expected electrons per DN, up to {_MOST:g}: rather"
      " the setting of a dial"
    )
  note = f"{name}={value:g} electrons per DN is {1 / value:.4g} DN per electron"
  return 1 / value, (note,)


def _first(header: Header, names: tuple[str, ...]) -> tuple[str, float | None]:
  """The first of the keywords that there are, and its value."""
  for name in names:
    value = header.get(name, (None, ""))[0]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
      if not np.isfinite(value):
        raise ValueError(f"{name}: expected a number, got {value}")
      return name, float(value)
  return "", None
