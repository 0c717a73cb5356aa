"""Laws of what is sent and fetched, on listings."""

import random

import pytest

from jaxgen.stores import plan
from jaxgen.stores.plan import Local, Push, Synced
from jaxgen.stores.store import Remote

RUN = ("config.json", "metrics.csv", "tensorboard/events")
FIVE = ("checkpoints/5/_METADATA", "checkpoints/5/ema/d/a", "checksums/5.json")
SIX = tuple(x.replace("5", "6") for x in FIVE)
COPY = (
  "companions/hint/checkpoints/9/a",
  "companions/hint/checksums/9.json",
  "companions/hint/companion.json",
)


def local(names, time=1, size=10):
  return {name: Local(size, time) for name in names}


def remote(names, tag="a"):
  return {name: Remote(10, tag) for name in names}


def synced(names, time=1, tag="a"):
  return {name: Synced(Local(10, time), tag) for name in names}


def push(here, there, everything=True):
  return plan.plan_push(here, there, everything=everything)


def test_what_is_hidden_or_unmarked_does_not_count():
  tmp = "checkpoints/7.orbax-checkpoint-tmp/a"
  hidden = (".lock", "samples/.0f.part", "x.part", tmp, *SIX[:2])
  assert plan.shown({*RUN, *FIVE, *COPY, *hidden}) == {*RUN, *FIVE, *COPY}
  assert plan.shown({*COPY} - {COPY[1]}) == {COPY[2]}


def test_marks_follow_what_they_mark_and_are_removed_before_it():
  names = [*RUN, *FIVE, *SIX, *COPY]
  for seed in range(20):
    random.Random(seed).shuffle(names)
    order = plan.marks_last(names)
    assert set(order[-4:-2]) == {*COPY[1:]}
    assert order[-4:-2] == COPY[1:]
    assert set(order[-2:]) == {FIVE[2], SIX[2]}
    assert plan.marks_first(names) == order[::-1]


@pytest.mark.parametrize("everything", [False, True])
def test_nothing_changed_is_nothing_to_do(everything):
  names = (*RUN, *FIVE, *COPY)
  assert push(local(names), synced(names), everything) == Push((), (), ())
  pull = plan.plan_pull(remote(names), local(names), synced(names))
  assert pull == ((), (), False)


def test_after_a_push_nothing_is_to_be_sent():
  here = local((*RUN, *FIVE))
  sent = push(here, {}).upload
  assert set(sent) == here.keys()
  assert push(here, {x: Synced(here[x], "t") for x in sent}) == ((), (), ())


def test_between_checkpoints_only_small_files_are_sent():
  before, grown = synced((*RUN, *FIVE)), local(("metrics.csv",), time=2)
  here = local((*RUN, *FIVE)) | grown
  here |= {"tensorboard/events": Local(plan.SMALL + 1, 2)}
  assert push(here, before, False) == ((), ("metrics.csv",), ())
  here |= local(SIX)
  events = {"metrics.csv", "tensorboard/events", *SIX}
  assert set(push(here, before, False).upload) == events


def test_the_last_checkpoint_of_the_store_stays_until_there_is_another():
  before = synced((*RUN, *FIVE))
  assert push(local(RUN), before) == ((), (), ())
  after = push(local((*RUN, *SIX)), before)
  assert set(after.upload) == {*SIX} and set(after.delete) == {*FIVE}
  assert after.upload[-1] == SIX[2] and after.delete[0] == FIVE[2]


def test_a_checkpoint_that_is_replaced_is_unmarked_first_and_marked_last():
  here = local((*RUN, *FIVE)) | local(FIVE[:1], time=2)
  after = push(here, synced((*RUN, *FIVE)))
  assert after.unmark == (FIVE[2],)
  assert after.upload == (FIVE[0], FIVE[2])


def test_an_empty_folder_becomes_what_counts_in_the_store():
  pull = plan.plan_pull(remote((*RUN, *FIVE, *SIX[:2], ".lock-1")), {}, {})
  assert set(pull.download) == {*RUN, *FIVE} and not pull.remove
  assert pull.download[-1] == FIVE[2]


def test_what_a_dead_training_run_could_not_send_stays():
  known = synced((*RUN, *FIVE))
  here = local((*RUN, *FIVE, *SIX)) | local(["metrics.csv"], time=2)
  pull = plan.plan_pull(remote((*RUN, *FIVE)), here, known)
  assert pull == ((), (), False)


def test_checkpoints_of_another_process_win():
  other = tuple(x.replace("5", "7") for x in FIVE)
  known = synced((*RUN, *FIVE))
  here = local((*RUN, *FIVE, *SIX)) | local(["metrics.csv"], time=2)
  there = remote((*RUN, *other)) | remote(["metrics.csv"], "b")
  pull = plan.plan_pull(there, here, known)
  assert pull.replaced and set(pull.download) == {*other, "metrics.csv"}
  assert set(pull.remove) == {*FIVE, *SIX}
  assert {*pull.remove[:2]} == {FIVE[2], SIX[2]}


def test_between_checkpoints_the_newer_side_of_a_file_is_taken():
  known = synced((*RUN, *FIVE))
  there = remote((*RUN, *FIVE)) | remote(["metrics.csv"], "b")
  pull = plan.plan_pull(there, local((*RUN, *FIVE)), known)
  assert pull == (("metrics.csv",), (), False)
  lacking = remote(("config.json", *FIVE))
  pull = plan.plan_pull(lacking, local((*RUN, *FIVE, "mine.txt")), known)
  assert set(pull.remove) == {*RUN[1:]} and not pull.download


def test_a_file_that_both_sides_have_changed_stays():
  known, mine = synced((*RUN, *FIVE)), local(["metrics.csv"], time=2)
  there = remote((*RUN, *FIVE)) | remote(["metrics.csv"], "b")
  assert plan.plan_pull(there, local((*RUN, *FIVE)) | mine, known)[:2] == (
    (),
    (),
  )
  there.pop("metrics.csv")
  assert plan.plan_pull(there, local((*RUN, *FIVE)) | mine, known)[:2] == (
    (),
    (),
  )
