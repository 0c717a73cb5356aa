import io
import os
import pickle
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.pictures import read
from support.sources import skipped, stream

from jaxgen.config.data import DataConfig
from jaxgen.data.files.folder import folder
from jaxgen.data.sources import build
from jaxgen.errors import UserError

SPLITS = ("train", "validation")


def coordinates(height, width, number):
  """A photograph whose pixels hold (number, y, x)."""
  pixels = np.zeros((height, width, 3), np.uint8)
  pixels[..., 0] = number
  pixels[..., 1] = np.arange(height)[:, None]
  pixels[..., 2] = np.arange(width)[None]
  return pixels


def save(root, photos):
  for name, pixels in photos.items():
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def photos(tmp_path):
  sizes = [(40, 60), (60, 40), (50, 50), (32, 33), (90, 70), (64, 64)]
  save(
    tmp_path,
    {f"{i}.png": coordinates(*size, i) for i, size in enumerate(sizes)},
  )
  return tmp_path


def options(root, **other):
  return DataConfig(source="folder", path=str(root), **other)


def tiles(source, seed=0):
  rng = stream(seed)
  return [source.read(i, rng) for i in range(len(source))]


def pixels_of(elements):
  flat = np.concatenate([x["image"].reshape(-1, 3) for x in elements])
  return {tuple(x) for x in np.unique(flat, axis=0).tolist()}


@pytest.mark.parametrize("crop", ["random", "tiled"])
@pytest.mark.parametrize("split_by", ["files", "regions"])
def test_the_splits_share_no_pixel(photos, crop, split_by):
  chosen = options(
    photos, crop=crop, split_by=split_by, validation_fraction=0.3
  )
  train, held = (tiles(folder(chosen, split, 16)) for split in SPLITS)
  assert train and held
  assert not pixels_of(train) & pixels_of(held)


def test_adjacent_tiles_see_each_pixel_once(photos):
  source = folder(options(photos, crop="tiled"), "validation", 16)
  elements = tiles(source)
  number = int(elements[0]["image"][0, 0, 0])
  height, width = read(photos / f"{number}.png").shape[:2]
  assert len(elements) == (height // 16) * (width // 16)
  assert len(pixels_of(elements)) == 256 * len(elements)


def test_random_crops_reach_every_pixel_and_weigh_by_area(photos):
  source = folder(options(photos), "train", 16)
  elements = [x for seed in range(4) for x in tiles(source, seed)]
  numbers, counts = np.unique(
    [x["image"][0, 0, 0] for x in elements], return_counts=True
  )
  shapes = [read(photos / f"{i}.png").shape[:2] for i in numbers]
  areas = [width * height for width, height in shapes]
  assert len(areas) == 5
  assert np.corrcoef(areas, counts)[0, 1] > 0.95
  assert counts[np.argmax(areas)] > 3 * counts[np.argmin(areas)]
  seen = np.bincount([p[0] for p in pixels_of(elements)])
  assert (seen[numbers] > 0.95 * np.array(areas)).all()


def test_random_crops_are_uniformly_distributed(tmp_path):
  for i in range(2):
    save(tmp_path, {f"{i}.png": coordinates(18, 19, i)})
  source = folder(options(tmp_path), "train", 16)
  rng = stream(0)
  corners = [tuple(source.read(0, rng)["image"][0, 0, 1:]) for _ in range(600)]
  _, counts = np.unique(corners, axis=0, return_counts=True)
  assert len(counts) == 3 * 4
  assert (
    counts.min() > 25 and counts.max() < 80
  )  # 50 each, 7 standard deviation


def test_crops_are_contiguous_pieces(photos):
  image = folder(options(photos), "train", 16).read(5, stream(1))
  steps = np.diff(image["image"].astype(int), axis=0)
  assert (steps == [0, 1, 0]).all()


@pytest.mark.parametrize("crop", ["random", "whole"])
def test_reading_is_pure_and_survives_pickling(photos, crop):
  source = folder(options(photos, crop=crop), "train", 16)
  copy = pickle.loads(pickle.dumps(source))
  for index in (len(source) - 1, 0):
    one = source.read(index, stream(3))["image"]
    two = copy.read(index, stream(3))["image"]
    np.testing.assert_array_equal(one, two)


def test_a_tiny_cache_changes_nothing(photos):
  one, two = (
    folder(options(photos, cache_mb=mb), "train", 16) for mb in (0, 64)
  )
  for a, b in zip(tiles(one), tiles(two), strict=True):
    np.testing.assert_array_equal(a["image"], b["image"])


def test_cached_photographs_are_decoded_once(photos, monkeypatch):
  source = folder(options(photos, cache_mb=63), "train", 16)
  tiles(source)
  monkeypatch.setattr("jaxgen.formats.image_files.read_pixels", None)
  assert tiles(source)  # a file that is read again would be an error


def test_whole_images_are_their_center_squares(photos):
  source = folder(options(photos, crop="whole"), "train", 20)
  assert len(source) == 5
  for element in tiles(source):
    number = int(element["image"][0, 0, 0])
    full = read(photos / f"{number}.png")
    height, width = full.shape[:2]
    y, x = element["image"][..., 1], element["image"][..., 2]
    np.testing.assert_allclose(y.mean(), (height - 1) / 2, atol=1)
    np.testing.assert_allclose(x.mean(), (width - 1) / 2, atol=1)
    side = min(height, width)
    np.testing.assert_allclose(np.ptp(y[2:-2]), side * 15 / 20, atol=2)


def test_masks_are_cut_and_resized_with_their_images(photos):
  for i in range(6):
    full = read(photos / f"{i}.png").astype(np.uint16)
    save(photos / "masks", {f"{i}.png": full[..., 1] * 256 + full[..., 2]})
  for crop, size in (("random", 16), ("whole", 20), ("random", 8)):
    chosen = options(photos, masks="masks", crop=crop, crop_size=16)
    element = folder(chosen, "train", size).read(2, stream(0))
    mask = element["mask"]
    assert mask.dtype == np.int32 and mask.shape == (size, size)
    tile = element["image"].astype(int)[3:-3, 3:-3]
    assert np.abs(mask[3:-3, 3:-3] // 256 - tile[..., 1]).max() <= 2
    assert np.abs(mask[3:-3, 3:-3] % 256 - tile[..., 2]).max() <= 2


def test_images_without_a_fitting_mask_are_named(photos):
  for i in range(5):
    mask = np.zeros((40, 60), np.uint8)
    save(photos / "masks", {f"{i}.png": mask})
  with pytest.raises(UserError, match="5 unusable.*1.png.*60 x 40.*5.png"):
    folder(options(photos, masks="masks"), "train", 16)


def test_classes_from_subfolders(tmp_path):
  for i, name in enumerate(["cat/1", "dog/2", "dog/3", "ant/4", "5"]):
    save(tmp_path, {f"{name}.png": coordinates(16, 16, i)})
  classes = {}
  for split in SPLITS:
    source = folder(options(tmp_path), split, 16)
    assert source.label_names == ("ant", "cat", "dog")
    for x in tiles(source):
      assert x["label"].dtype == np.int32
      classes[int(x["image"][0, 0, 0])] = int(x["label"])
  assert classes == {0: 1, 1: 2, 2: 2, 3: 0, 4: -1}


@pytest.mark.parametrize("column", ["label", "class", "room_class"])
@pytest.mark.parametrize("form", ["{}", "{}.png", "images/{}.png"])
def test_classes_from_an_index(tmp_path, column, form):
  for i in range(4):
    save(tmp_path, {f"images/{i}.png": coordinates(16, 16, i)})
    save(tmp_path, {f"labels/{i}.png": np.zeros((16, 16), np.uint8)})
  rows = [f"{form.format(i)},{'xyzx'[i]}" for i in range(3)] + ["gone,w"]
  (tmp_path / "index.csv").write_text("\n".join([f"file,{column}", *rows]))
  classes = {}
  for split in SPLITS:
    source = folder(options(tmp_path), split, 16)
    for x in tiles(source):
      label = int(x["label"])
      name = source.label_names[label] if label >= 0 else None
      classes[int(x["image"][0, 0, 0])] = name
  assert classes == {0: "x", 1: "y", 2: "z", 3: None}


def test_an_index_of_other_files_is_refused(photos):
  (photos / "index.csv").write_text("file,label\nother,1\n")
  with pytest.raises(UserError, match="index.csv"):
    folder(options(photos), "train", 16)


def test_an_index_that_fits_in_part_is_counted(tmp_path):
  save(tmp_path, {f"{i}.png": coordinates(40, 40, i) for i in range(4)})
  rows = ["0.png,x", "./1.png,NaN", "2.PNG,y", "gone.png,y"]
  (tmp_path / "index.csv").write_text("\n".join(["file,label", *rows]))
  findings = folder(options(tmp_path), "train", 32).findings
  assert findings.unlabelled == 2  # 1.png and 3.png
  assert findings.skipped == {"row of index.csv without an image": ["gone.png"]}
  assert any("gone.png" in text for text in findings.warnings)
  assert any("3.png" in text for text in findings.warnings)


def test_an_index_without_labels_is_said_not_to_be_used(photos):
  (photos / "index.csv").write_text("file,area\n0.png,2\n")
  findings = folder(options(photos), "train", 16).findings
  assert any("area" in text for text in findings.warnings)


def test_a_class_with_the_name_of_a_split(tmp_path):
  for i, name in enumerate(["train/1", "train/2", "car/3", "car/4"]):
    save(tmp_path, {f"{name}.png": coordinates(16, 16, i)})
  source = folder(options(tmp_path), "train", 16)
  assert source.label_names == ("car", "train")
  assert any("train/" in text for text in source.findings.warnings)


def test_the_split_is_told_and_what_is_not_used(tmp_path):
  pixels = [coordinates(16, 16, i) for i in range(7)]
  names = ["train/a/0", "train/a/1", "valid/a/2", "test/a/3", "4", "valid/5"]
  pairs = zip(names, pixels, strict=False)
  save(tmp_path, {f"{name}.png": x for name, x in pairs})
  save(
    tmp_path, {"train/copy.png": pixels[2], "valid/small.png": pixels[6][1:]}
  )
  (tmp_path / "notes.txt").write_text("hello")
  (tmp_path / ".hidden").write_text("hello")
  source = folder(options(tmp_path, on_bad="skip"), "train", 16)
  findings = source.findings
  assert "train/" in findings.split and "valid/" in findings.split
  assert findings.images == {"train": 2, "validation": 2}
  assert findings.unlabelled == 1 and findings.duplicates == 1
  assert sorted(map(list, findings.skipped.values())) == [
    *([".hidden"], ["4.png"], ["notes.txt"], ["test/a/3.png"]),
    ["valid/small.png"],
  ]
  assert any("4.png" in text for text in findings.warnings)


def test_folders_outside_of_the_splits_are_refused_or_skipped(tmp_path):
  names = ["train/a/0", "train/a/1", "val/a/2", "cats/3", "dogs/4"]
  for i, name in enumerate(names):
    save(tmp_path, {f"{name}.png": coordinates(16, 16, i)})
  with pytest.raises(UserError, match="cats/, dogs/, .*train/ and val/.*skip"):
    folder(options(tmp_path), "train", 16)
  findings = folder(options(tmp_path, on_bad="skip"), "train", 16).findings
  assert findings.images == {"train": 2, "validation": 1}
  assert any("cats/3.png" in text for text in findings.warnings)


def test_the_reason_of_a_split_without_folders_is_told(photos):
  for split_by in ("files", "regions"):
    chosen = options(photos, split_by=split_by, validation_fraction=0.3)
    findings = folder(chosen, "validation", 16).findings
    assert f"split_by={split_by}" in findings.split and "30 %" in findings.split
    assert findings.images["train"] in (4, 6) and findings.bits == 8


def test_many_bad_files_are_five_names_and_a_count(tmp_path):
  save(tmp_path, {f"{i:03}.png": coordinates(8, 9, i) for i in range(40)})
  with pytest.raises(UserError, match="40 unusable") as caught:
    folder(options(tmp_path), "train", 16)
  message = str(caught.value)
  assert message.count(".png") == 5 and "35 more" in message


def test_folders_that_are_splits(tmp_path):
  for i, part in enumerate(["train/a", "train/b", "val/a", "test/b"]):
    save(tmp_path, {f"{part}/x.png": coordinates(16, 16, i)})
  train, held = (tiles(folder(options(tmp_path), s, 16)) for s in SPLITS)
  assert sorted(int(x["image"][0, 0, 0]) for x in train) == [0, 1]
  assert [int(x["image"][0, 0, 0]) for x in held] == [2]


def test_copies_are_in_one_split_only(tmp_path):
  for i in range(6):
    for copy in ("png", "bmp", "tiff"):
      save(tmp_path, {f"{i}_{copy}.{copy}": coordinates(20, 40, i)})
  for split_by in ("files", "regions"):
    chosen = options(tmp_path, split_by=split_by, validation_fraction=0.5)
    train: Any = folder(chosen, "train", 16)
    held = folder(chosen, "validation", 16)
    assert not pixels_of(tiles(train)) & pixels_of(tiles(held))
    assert len(train.regions) == (3 if split_by == "files" else 6)


def break_files(root):
  (root / "torn.png").write_bytes((root / "0.png").read_bytes()[:90])
  (root / "empty.jpg").write_bytes(b"")
  (root / "text.webp").write_text("hello")
  save(root, {"small.png": coordinates(15, 40, 9)})


def test_all_bad_files_are_named_at_once(photos):
  break_files(photos)
  with pytest.raises(UserError) as caught:
    folder(options(photos), "train", 16)
  message = str(caught.value)
  assert "4 unusable" in message and "data.on_bad=skip" in message
  for name in ("torn.png", "empty.jpg", "text.webp", "small.png", "40 x 15"):
    assert name in message


def test_bad_files_can_be_skipped(photos):
  good = folder(options(photos), "train", 16)
  break_files(photos)
  source = folder(options(photos, on_bad="skip"), "train", 16)
  assert len(skipped(source)) == 4
  assert any("torn.png" in name for name in skipped(source))
  assert len(source) > 0.5 * len(good)
  assert not any(x["image"][0, 0, 0] == 9 for x in tiles(source))


def test_skipping_by_size_moves_nothing_between_the_splits(photos):
  """A photograph that is held out at 16 pixels is not trained on at 48."""
  chosen = options(photos, on_bad="skip", validation_fraction=0.5)
  held = pixels_of(tiles(folder(chosen, "validation", 16)))
  large = pixels_of(tiles(folder(chosen, "train", 48)))
  assert not {p[0] for p in held} & {p[0] for p in large}


@pytest.mark.parametrize("crop", ["random", "tiled", "whole"])
@pytest.mark.parametrize("split_by", ["files", "regions"])
def test_small_images_are_enlarged_on_request(photos, crop, split_by):
  chosen = options(photos, crop=crop, split_by=split_by, upsample=True)
  if crop == "whole" and split_by == "regions":
    with pytest.raises(UserError, match="split_by=files"):
      folder(chosen, "train", 64)
    return
  for split in SPLITS:
    for element in tiles(folder(chosen, split, 64)):
      assert element["image"].shape == (64, 64, 3)


def test_the_greater_depth_is_kept(tmp_path):
  rng = np.random.default_rng(0)
  deep = rng.integers(0, 65536, (3, 16, 16)).astype(np.uint16)
  save(tmp_path, {"a.png": deep[0], "b.tif": deep[1]})
  for channels in (1, 3):
    chosen = options(tmp_path, channels=channels)
    (element,) = tiles(folder(chosen, "train", 16))
    assert element["image"].dtype == np.uint16
    assert any(np.array_equal(element["image"][..., 0], x) for x in deep)
  save(tmp_path, {"c.png": coordinates(16, 16, 1)})
  sources: list[Any] = [folder(options(tmp_path), x, 16) for x in SPLITS]
  found = [x["image"] for source in sources for x in tiles(source)]
  assert {x.dtype.name for x in found} == {"uint16"}
  scaled = coordinates(16, 16, 1) * np.uint16(257)
  assert sum(np.array_equal(x, scaled) for x in found) == 1
  assert sources[0].findings.bits == 16
  assert any("8 bits" in x for x in sources[0].findings.warnings)


def save_stack(path, levels):
  pages = [Image.new("L", (16, 16), level) for level in levels]
  pages[0].save(path, save_all=True, append_images=pages[1:])


def test_every_page_of_a_stack_is_an_image(tmp_path):
  save_stack(tmp_path / "a.tif", [20, 60, 100, 140])
  save_stack(tmp_path / "b.tif", [200, 240])
  parts: list[Any] = [folder(options(tmp_path), x, 16) for x in SPLITS]
  found = {x["image"].mean() for part in parts for x in tiles(part)}
  assert found == {20, 60, 100, 140, 200, 240}
  assert any("6 images" in x for x in parts[0].findings.warnings)
  held = {x["image"].mean() for x in tiles(parts[1])}
  assert held in ({20, 60, 100, 140}, {200, 240})
  parts = [folder(options(tmp_path, page=1), x, 16) for x in SPLITS]
  found = {x["image"].mean() for part in parts for x in tiles(part)}
  assert found == {60, 240}
  (unused,) = parts[0].findings.skipped.values()
  assert unused == [f"a.tif page {i}" for i in (0, 2, 3)] + ["b.tif page 0"]
  with pytest.raises(UserError, match="data.page"):
    folder(options(tmp_path, page=3), "train", 16)


def test_pages_of_a_single_file_are_divided_with_a_warning(tmp_path):
  save_stack(tmp_path / "a.tif", [20, 60, 100, 140])
  train = folder(options(tmp_path), "train", 16)
  assert len(folder(options(tmp_path), "validation", 16))
  assert any("data.split_by=regions" in x for x in train.findings.warnings)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.int32, np.uint16])
def test_other_types_are_read_with_a_value_range(tmp_path, dtype):
  rng = np.random.default_rng(0)
  images = rng.integers(0, 1001, (4, 16, 16)).astype(dtype)
  for i, image in enumerate(images):
    tifffile.imwrite(tmp_path / f"{i}.tif", image)
  if dtype != np.uint16:
    with pytest.raises(UserError, match="data.value_range"):
      folder(options(tmp_path, channels=1), "train", 16)
  chosen = options(tmp_path, channels=1, value_range=(0.0, 1000.0))
  parts: list[Any] = [folder(chosen, x, 16) for x in SPLITS]
  found = [x["image"][..., 0] for part in parts for x in tiles(part)]
  for image in images:
    scaled = image / 500 - 1
    assert sum(np.allclose(scaled, x, atol=1e-6) for x in found) == 1
  seen = parts[0].findings.value_seen
  assert seen == (images.min(), images.max())


def test_the_fingerprint_follows_the_data_only(photos):
  def fingerprint(**other):
    return folder(options(photos, **other), "train", 16).fingerprint

  before = fingerprint()
  assert before == fingerprint(crop="tiled", seed=3, cache_mb=1)
  save(photos, {"0.png": coordinates(40, 60, 77)})
  assert fingerprint() != before


@pytest.mark.parametrize("path", ["", "nowhere"])
def test_no_folder(path):
  with pytest.raises(UserError, match="data.path"):
    folder(options(path), "train", 16)


def test_no_images(tmp_path):
  with pytest.raises(UserError, match="data.path"):
    folder(options(tmp_path), "train", 16)


def test_one_image_is_split_by_regions(tmp_path):
  save(tmp_path, {"a.png": coordinates(64, 64, 0)})
  with pytest.raises(UserError, match="split_by=regions"):
    folder(options(tmp_path), "train", 16)
  chosen = options(tmp_path, split_by="regions")
  assert all(len(folder(chosen, split, 16)) for split in SPLITS)


def test_a_file_that_changes_later_is_named(photos):
  source = folder(options(photos, cache_mb=0), "train", 16)
  for path in photos.glob("*.png"):
    path.write_bytes(io.BytesIO(b"gone").getvalue())
  with pytest.raises(UserError, match=r"\.png"):
    source.read(0)


def test_a_name_that_is_not_utf8_is_accepted(tmp_path):
  save(tmp_path, {"a.png": coordinates(40, 40, 1)})
  save(tmp_path, {os.fsdecode(b"\xff\xe9.png"): coordinates(40, 40, 2)})
  found = [len(folder(options(tmp_path), split, 32)) for split in SPLITS]
  assert min(found) >= 1


def test_an_index_with_semicolons(tmp_path):
  save(tmp_path, {f"{i}.png": coordinates(40, 40, i) for i in range(3)})
  index = tmp_path / "index.csv"
  index.write_text("file;label\n0;x\n1;y\n2;x\n")
  assert folder(options(tmp_path), "train", 32).label_names == ("x", "y")


def test_an_index_that_is_not_utf8_is_named(tmp_path):
  save(tmp_path, {f"{i}.png": coordinates(40, 40, i) for i in range(3)})
  index = tmp_path / "index.csv"
  index.write_bytes("file,label\n0,é\n".encode("latin-1"))
  with pytest.raises(UserError, match="index.csv"):
    folder(options(tmp_path), "train", 32)


def test_crops_smaller_than_the_tile_are_enlarged_on_request_only(photos):
  with pytest.raises(UserError, match="data.crop_size=16"):
    build(options(photos, crop_size=16), "train", 32)
  source = build(options(photos, crop_size=16, upsample=True), "train", 32)
  assert source.read(0)["image"].shape == (32, 32, 3)


@pytest.mark.parametrize("channels", [2, 4, 16])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_of_any_number_of_channels(tmp_path, dtype, planar, channels):
  rng = np.random.default_rng(0)
  top = {"uint8": 2**8, "uint16": 2**16}.get(np.dtype(dtype).name, 1)
  images = (rng.random((4, 8, 8, channels)) * top).astype(dtype)
  for i, image in enumerate(images):
    planes = image if planar == "contig" else np.moveaxis(image, 2, 0)
    tifffile.imwrite(
      tmp_path / f"{i}.tif",
      np.ascontiguousarray(planes),
      photometric="minisblack",
      planarconfig=planar,
    )
  parts = [
    folder(options(tmp_path, channels=channels), split, 8) for split in SPLITS
  ]
  found = np.stack([x["image"] for part in parts for x in tiles(part)])
  want = 2 * images - 1 if dtype == np.float32 else images
  order = [np.lexsort(x.reshape(4, -1).T) for x in (found, want)]
  np.testing.assert_allclose(found[order[0]], want[order[1]], atol=1e-6)


def test_channels_that_cannot_be_converted_are_named(tmp_path):
  for i in range(3):
    image = np.full((8, 8, 4), i, np.uint8)
    tifffile.imwrite(
      tmp_path / f"{i}.tif",
      image,
      photometric="minisblack",
      planarconfig="contig",
    )
  with pytest.raises(UserError, match="data.channels"):
    folder(options(tmp_path), "train", 8)
