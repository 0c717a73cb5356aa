"""Formatting of durations."""

from __future__ import annotations


def duration(seconds: float) -> str:
  """A duration as `9:05` (minutes and seconds), or `1:09:05` from an hour on;
  at least 0."""
  minutes, seconds = divmod(max(0, int(seconds)), 60)
  hours, minutes = divmod(minutes, 60)
  return (
    f"{hours}:{minutes:02}:{seconds:02}"
    if hours
    else (f"{minutes}:{seconds:02}")
  )
