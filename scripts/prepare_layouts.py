"""Cut floor plans into single rooms whose floors do not reveal their use.

    python scripts/prepare_layouts.py --input=LAYOUTS --out=layouts

LAYOUTS holds `classes.json` and `rooms/` with `index.csv` (file, room_class,
scene), `images/` and `labels/`. In the plans each use of a room has its own
floor color. Here all floors get the same color, in images and masks, so that
only walls and furniture (which keep their colors) distinguish the rooms. With
--random_colors each room draws the colors of all its classes at random, so that
a color tells nothing of the class. Whole scenes are held out.
"""

from __future__ import annotations

import argparse
import csv
import json
import pathlib
import zlib

import numpy as np
from PIL import Image

KEPT = ("outside", "wall", "floor")  # and all furniture
ROOMS = (
  "bedroom",
  "living_room",
  "kitchen",
  "bathroom",
  "balcony",
  "study",
)
FLOOR = (236, 222, 200)  # color of all floors
LEVELS = (40, 128, 216)  # of each channel, in colors drawn at random


def main() -> None:
  """Read, recolor and write."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument(
    "--input", required=True, type=pathlib.Path, help="folder of the plans"
  )
  parser.add_argument(
    "--out", required=True, type=pathlib.Path, help="a new folder"
  )
  parser.add_argument(
    "--held_out",
    type=int,
    default=6,
    help="hold out every n-th scene (default: 6)",
  )
  parser.add_argument(
    "--random_colors",
    action="store_true",
    help="draw the colors of all classes at random in each room",
  )
  args = parser.parse_args()
  if args.held_out < 2:
    parser.error(f"--held_out={args.held_out}: expected an integer >= 2")
  if args.out.exists() and any(args.out.iterdir()):
    parser.error(f"--out={args.out}: expected a new or empty folder")
  classes = json.loads((args.input / "classes.json").read_text())["classes"]
  rooms = args.input / "rooms"
  with (rooms / "index.csv").open() as file:
    rows = list(csv.DictReader(file))
  scenes = sorted({row["scene"] for row in rows})
  names = mask_names(classes)
  table = label_table(classes, names)
  for row in rows:
    held_out = scenes.index(row["scene"]) % args.held_out == 0
    split = "validation" if held_out else "train"
    name = f"{row['file']}.png"
    image = np.array(Image.open(rooms / "images" / name).convert("RGB"))
    labels = table[np.array(Image.open(rooms / "labels" / name))]
    image[labels == KEPT.index("floor")] = FLOOR
    if args.random_colors:
      image = with_random_colors(labels, row["file"])
    write_png(args.out / "images" / split / name, image)
    write_png(args.out / "masks" / split / name, labels)
    row["file"] = f"{split}/{row['file']}"
  with (args.out / "index.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "label"])
    writer.writerows((row["file"], row["room_class"]) for row in rows)
  print(f"Wrote {len(rows)} rooms; labels of pixels: {', '.join(names)}.")


def mask_names(classes: list[str]) -> list[str]:
  """The names of the labels of the new masks, in their order."""
  return [*KEPT, *(x for x in classes if x not in (*KEPT, *ROOMS))]


def label_table(classes: list[str], names: list[str]) -> np.ndarray:
  """A table from labels of the plans to labels of the masks, uint8 `(256,)`."""
  table = np.full(256, 255, np.uint8)
  for index, name in enumerate(classes):
    table[index] = names.index("floor" if name in ROOMS else name)
  return table


def with_random_colors(labels: np.ndarray, name: str) -> np.ndarray:
  """An image uint8 `(h, w, 3)` of labels `(h, w)`: each class has a color of
  its own, drawn for the name of the room; pixels without a label are black."""
  colors = np.stack(np.meshgrid(LEVELS, LEVELS, LEVELS), -1).reshape(-1, 3)
  rng = np.random.default_rng(zlib.crc32(name.encode()))
  table = np.zeros((256, 3), np.uint8)
  table[: len(colors)] = rng.permutation(colors)
  return table[labels]


def write_png(path: pathlib.Path, pixels: np.ndarray) -> None:
  """Write a PNG file, and create its folders."""
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)


if __name__ == "__main__":
  main()
