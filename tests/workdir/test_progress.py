import json

from jaxgen.workdir.progress import Advance, Progress


def test_a_stage_that_gets_no_better_ends():
  rule = Advance(window=100, tolerance=0.1, minimum=0.2)
  due = lambda *scores: rule.due(scores, stage_images=64)  # noqa: E731
  assert not due((50, 10.0))  # no window yet
  assert not due((50, 10.0), (150, 10.2))
  assert due((50, 10.0), (150, 10.05))
  assert not due((50, 10.0), (100, 10.2), (150, 9.0))


def test_a_stage_does_not_end_before_its_minimum_or_its_fade():
  rule = Advance(window=10, tolerance=0.1, minimum=1.0)
  early, late = ((10, 1.0), (50, 1.0)), ((10, 1.0), (64, 1.0))
  assert not rule.due(early, stage_images=64)
  assert rule.due(late, stage_images=64)
  assert not rule.due(late, stage_images=64, fade_images=65)


def test_decisions_are_recorded_and_read_again():
  p = Progress().scored(32, 1.5).end(64).scored(32, 2.5)
  assert Progress.from_metadata(json.loads(json.dumps(p.to_metadata()))) == p
  assert p.ends([100, 100, 50]) == [64, 164, 214]
  assert Progress.from_metadata({"stage": 0}) == Progress()
