"""Single rooms of floor plans, whose floors do not give their use away.

    python scripts/prepare_layouts.py --input=LAYOUTS --out=layouts

LAYOUTS holds `classes.json` and `rooms/` with `index.csv` (file, room_class,
scene), `images/` and `labels/`. In the plans every use of a room has a floor of
its own colour: here all floors are painted alike, in the images and in the
masks, so that walls and furniture (which keeps its colours) have to tell. Whole
scenes are held out.
"""

import argparse
import csv
import json
import pathlib

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
FLOOR = (236, 222, 200)  # of all rooms


def main():
  """Read, repaint and write."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--input", required=True, type=pathlib.Path)
  parser.add_argument("--out", required=True, type=pathlib.Path)
  parser.add_argument(
    "--held_out", type=int, default=6, help="every n-th scene"
  )
  args = parser.parse_args()
  if args.held_out < 2:
    parser.error("--held_out: at least 2 is needed")
  if args.out.exists() and any(args.out.iterdir()):
    parser.error(f"{args.out} is not empty: name a new folder")
  classes = json.loads((args.input / "classes.json").read_text())["classes"]
  rooms = args.input / "rooms"
  with (rooms / "index.csv").open() as file:
    rows = list(csv.DictReader(file))
  scenes = sorted({row["scene"] for row in rows})
  table = renumbered(classes)
  for row in rows:
    held = scenes.index(row["scene"]) % args.held_out == 0
    split = "validation" if held else "train"
    name = f"{row['file']}.png"
    image = np.array(Image.open(rooms / "images" / name).convert("RGB"))
    labels = table[np.array(Image.open(rooms / "labels" / name))]
    image[labels == KEPT.index("floor")] = FLOOR
    write(args.out / "images" / split / name, image)
    write(args.out / "masks" / split / name, labels)
    row["file"] = f"{split}/{row['file']}"
  with (args.out / "index.csv").open("w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(["file", "label"])
    writer.writerows((row["file"], row["room_class"]) for row in rows)
  names = [*KEPT, *(x for x in classes if x not in (*KEPT, *ROOMS))]
  print(f"{len(rows)} rooms; labels of pixels: {', '.join(names)}.")


def renumbered(classes):
  """From labels of the plans to those of the masks, uint8 `(256,)`."""
  furniture = [x for x in classes if x not in (*KEPT, *ROOMS)]
  names = [*KEPT, *furniture]
  table = np.full(256, 255, np.uint8)
  for index, name in enumerate(classes):
    table[index] = names.index("floor" if name in ROOMS else name)
  return table


def write(path, pixels):
  """A PNG file, and the folders it is in."""
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path)


if __name__ == "__main__":
  main()
