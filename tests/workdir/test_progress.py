import json

from jaxgen.workdir.progress import Progress


def test_decisions_are_recorded_and_read_again():
  p = Progress().scored(32, 1.5).end(64).scored(32, 2.5)
  assert Progress.from_metadata(json.loads(json.dumps(p.to_metadata()))) == p
  assert p.ends([100, 100, 50]) == [64, 164, 214]
  assert Progress.from_metadata({"stage": 0}) == Progress()
