"""How lengths of time are written."""

from __future__ import annotations


def duration(seconds: float) -> str:
  """`9:05` of minutes and seconds, `1:09:05` from an hour on; never below 0."""
  minutes, seconds = divmod(max(0, int(seconds)), 60)
  hours, minutes = divmod(minutes, 60)
  return (
    f"{hours}:{minutes:02}:{seconds:02}"
    if hours
    else (f"{minutes}:{seconds:02}")
  )
