"""Runs of several stages: what their tests have in common."""

from typing import Any

from support.programs import stages

from jaxgen.train.stage import StageProgram

STAGES = {
  "stages.resolution": "(16,24,32)",
  "stages.patch_size": "(4,6,4)",  # larger ones, then more of them
  "model.grids": "(4,8)",
  "stages.images": "(128,128,128)",
  "stages.batch_size": "(32,)",
  "stages.warmup_images": "(0,64,64)",
  "stages.fade_images": "(0,128,96)",  # a run is killed within the first
}
TWO = STAGES | {
  "stages.resolution": "(16,24)",
  "stages.patch_size": "(4,6)",
  "model.grids": "()",
  "stages.images": "(128,128)",
  "stages.warmup_images": "(0,64)",
  "stages.fade_images": "(0,64)",
}


def two_stages(devices: int = 1, /, **changes: Any) -> list[StageProgram]:
  """Programs of two stages, by default of different sizes."""
  flags = {"stages.images": (64, 64), "stages.batch_size": (32,)}
  flags |= {"stages.resolution": (16, 24), "stages.patch_size": (4, 6)}
  return stages(devices, **flags | changes)


EQUAL = {"stages.resolution": (16, 16), "stages.patch_size": (4, 4)}
