"""What the page of an explorer shows, and answers to what is done on it.

A session describes itself once (`state`) and then answers actions (`act`), both
as plain data for JSON; pictures are data URLs. All that an answer depends on is
in the request, except for the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, Protocol, TypedDict


class Control(TypedDict, total=False):
  """An input of the page: a slider, a list of values, or a button.

  `group` is the heading that it is below, `hint` a text beside it.
  """

  name: str
  label: str
  kind: Literal["range", "select", "number", "button"]
  group: str
  hint: str
  value: Any
  values: Sequence[str]
  min: float
  max: float
  step: float


class Figure(TypedDict):
  """A picture and its caption."""

  label: str
  image: str


class Answer(TypedDict):
  """What changes on the page: figures, lines of text, values of controls, the
  latent or tile that the next action is about, and Python code for the same."""

  figures: list[Figure]
  notes: list[str]
  values: NotRequired[dict[str, Any]]
  latent: NotRequired[list[float]]
  tile: NotRequired[str]
  code: NotRequired[str]


class State(TypedDict):
  """A page before the first action.

  Attributes:
    title, about: of the page.
    controls: its inputs.
    tray: small pictures to begin from.
    slots: names of remembered latents.
    uploads: whether images can be dropped on it.
    paints: whether a mask can be drawn on the first figure.
  """

  title: str
  about: str
  controls: list[Control]
  tray: list[str]
  slots: list[str]
  uploads: bool
  paints: bool


class Session(Protocol):
  """What a page is about."""

  def state(self) -> State:
    """The page before the first action."""
    ...

  def act(self, action: str, given: Mapping[str, Any]) -> Answer:
    """The answer to an action.

    Args:
      action: `start`, `change` (of a control), `tile` (of the tray, by
        `index`), `upload` (of `image`), or the name of a button.
      given: `values` of the controls, `latent`, `slots` and, where it is drawn,
        `mask`.

    Raises:
      UserError: it is none of these.
    """
    ...
