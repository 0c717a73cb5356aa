"""Pages of reports in a real browser: they render, sort, and load nothing."""

import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from jaxgen.formats.npz import write_npz
from jaxgen.report import comparison
from jaxgen.report.phase_page import write_phase_report
from jaxgen.sweeps import Phase
from jaxgen.sweeps.choice import choose
from jaxgen.sweeps.report import phase_report

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
HOSTILE = "</td><script>window.harm = 1</script><img src=x onerror=harm=1>'\"&"

# Clicks, and writes what is then to be seen into the page.
PROBE = """<script>
const rows = () => [...document.querySelector("tbody").rows];
const column = i => rows().map(row => row.cells[i].textContent);
const button = i => document.querySelectorAll("thead")[0]
  .querySelectorAll("button")[i];
const seen = {harm: window.harm ?? null, before: column(0)};
button(1).click(); seen.up = column(1);
seen.sort = document.querySelectorAll("th")[1].ariaSort;
button(1).click(); seen.down = column(1);
button(2).click(); seen.second = column(2);
button(0).click(); seen.names = column(0);
seen.charts = [...document.querySelectorAll("svg")].map(
  x => x.getBoundingClientRect().width);
seen.images = [...document.images].map(x => x.naturalWidth);
seen.wide = document.documentElement.scrollWidth - window.innerWidth;
seen.loaded = performance.getEntriesByType("resource").map(x => x.name);
const out = document.createElement("pre");
out.id = "seen"; out.textContent = JSON.stringify(seen);
document.body.append(out);
</script>"""


def look(page, tmp_path):
  """What a browser sees of a page, once `PROBE` has clicked, and its
  complaints."""
  if CHROMIUM is None:
    pytest.skip("no chromium here")
  copy = tmp_path / "probed.html"
  copy.write_text(page.read_text() + PROBE)
  done = subprocess.run(
    [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu"]
    + ["--window-size=1200,900", "--enable-logging=stderr", "--dump-dom"]
    + [f"--user-data-dir={tmp_path}/profile", f"file://{copy}"],
    capture_output=True,
    text=True,
    timeout=120,
  )
  found = re.search('<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL)
  assert found, done.stderr[-2000:]
  text = found[1].replace("&lt;", "<").replace("&gt;", ">")
  complaints = [x for x in done.stderr.splitlines() if "CONSOLE" in x]
  return json.loads(text.replace("&amp;", "&")), complaints


def row(mse, size, channels):
  values = np.linspace(1, 0.1, channels)
  return {
    "mse": mse,
    "psnr": -10 * np.log10(mse),
    "latent_size": size,
    "train_images_per_second": 1000 / size,
    "latents": {
      "mean": (0 * values).tolist(),
      "scale": values.tolist(),
      "spectrum": values.tolist(),
      "effective_rank": 3.0,
      "path_ratio": 1.1,
      "largest_step": 1.2,
      "noise_levels": [0.05, 0.1],
      "noise_psnr": [40.0, 34.0],
      "kl": values.tolist(),
    },
  }


@pytest.fixture(scope="module")
def page(tmp_path_factory):
  """The report of a phase with five runs, two of them hostile."""
  folder = tmp_path_factory.mktemp("phase")
  rows = {"b": row(0.01, 64, 4), "a": row(0.02, 16, 4), "c": row(0.2, 4, 1)}
  rows |= {HOSTILE.replace("/", ""): row(0.015, 16, 4)}
  rows["no psnr"] = {k: v for k, v in row(0.1, 8, 4).items() if k != "psnr"}
  rng = np.random.default_rng(0)
  for run in rows:
    images = rng.integers(0, 255, (2, 6, 48, 48, 3), np.uint8)
    path = folder / run / "images.npz"
    write_npz(path, originals=images[0], reconstructions=images[1])
    log = "step,images,loss,validation/mse\n1,32,0.3,0.1\n2,64,0.2,0.05\n"
    (folder / run / "metrics.csv").write_text(log)
  errors = {"failed <i>": HOSTILE}
  phase = Phase(name="phase <b>", runs={x: {} for x in [*rows, *errors]})
  choice = choose(phase, rows)
  write_phase_report(
    phase_report(
      folder,
      phase,
      rows=rows,
      errors=errors,
      choice=choice,
      facts={"command": f"jaxgen sweep {HOSTILE}" + 200 * "x"},
    )
  )
  return folder / "report.html"


def test_the_report_works_in_a_browser(page, tmp_path):
  seen, complaints = look(page, tmp_path)
  assert not complaints and seen["harm"] is None
  assert seen["before"][0] == "b" and seen["before"][-1] == "c"  # by the MSE
  numbers = [float(x) for x in seen["up"]]
  assert numbers == sorted(numbers) and seen["sort"] == "ascending"
  assert [float(x) for x in seen["down"]] == numbers[::-1]
  *known, last = seen["second"]  # decibels: the best first, the unknown last
  assert last == "" and [*map(float, known)] == sorted(map(float, known))[::-1]
  assert seen["names"][-3:] == ["b", "c", "no psnr"]
  assert len(seen["charts"]) == 12 and min(seen["charts"]) > 300
  assert len(seen["images"]) == 12 and min(seen["images"]) > 50
  assert all(x.startswith("data:") for x in seen["loaded"])
  assert seen["wide"] <= 0  # the page itself does not scroll sideways


def test_nothing_in_the_report_points_outside(page):
  text = page.read_text()
  for name in re.findall(r"""(?:src|href)=['"]([^'"]*)""", text):
    assert name.startswith("data:")
  for word in ("http:", "https:", "@import", "url("):
    assert word not in text


def test_comparisons_sort_and_do_not_overflow(tmp_path):
  every = {"any": dict.fromkeys(comparison.COLUMNS)}
  names = comparison.titles("Frechet distance", every)
  rows = {
    f"candidate {i}": {k: float(i) for k in names if k not in INTEGER}
    | {k: 10**6 * i for k in INTEGER}
    | {"frechet_interval": (i - 0.5, i + 0.5), "kid_interval": (-1.0, 1.0)}
    for i in (2, 1, 3)
  }
  path = tmp_path / "comparison.html"
  images = {x: np.zeros((8, 8, 3), np.uint8) for x in rows}
  comparison.write_comparison_page(
    path, rows, pictures=images, names=names, notes=["a note"], facts={}
  )
  seen, complaints = look(path, tmp_path)
  assert not complaints and seen["before"] == [
    "candidate 2",
    "candidate 1",
    "candidate 3",
  ]
  assert seen["names"] == ["candidate 1", "candidate 2", "candidate 3"]
  assert [x.partition(" to ")[0] for x in seen["up"]][0] == "1.0000.500"
  assert seen["wide"] <= 0 and len(seen["images"]) == 3


INTEGER = ("network_calls", "parameters", "training_images")
