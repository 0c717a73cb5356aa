"""Flags of denoiser sampling, and their conversion to options."""

from __future__ import annotations

import argparse
import difflib
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from jaxgen.cli import flags
from jaxgen.errors import UserError
from jaxgen.formats import addresses

if TYPE_CHECKING:
  from jaxgen.cli.flags import Group
  from jaxgen.sample.denoiser import DenoiserRun
  from jaxgen.sample.options import SamplingKeywords
  from jaxgen.sample.run import LoadedRun

SAMPLING = (
  "sampler",
  "steps",
  "guidance",
  "guidance_weights",
  "interval",
  "weak",
  "eta",
  "churn",
)


def add_sampling_flags(group: Group) -> None:
  """Add the flags of verbs that sample from a denoiser."""
  group.add_argument(
    "--sampler",
    help="heun-18 (the default), ddpm-1000, ddim-50, ddim-25; or euler, heun, "
    "edm_stochastic, dpmpp_2m, dpmpp_sde, ddim, ddpm with --steps; few-step "
    "models: consistency-1, -2 (the default) or -4, flow-map-1, -2 or -4; or "
    "consistency, flow_map with --steps",
  )
  group.add_argument(
    "--steps", type=flags.integer(1), help="number of sampling steps"
  )
  group.add_argument(
    "--guidance",
    type=float,
    help="w in D_0 + w (D_c - D_0); 1: no guidance (default)",
  )
  group.add_argument(
    "--guidance_weights",
    metavar="NAME=W,...",
    help="one weight per condition, instead of --guidance",
  )
  group.add_argument(
    "--interval", metavar="LOW,HIGH", help="sigmas at which guidance applies"
  )
  group.add_argument("--eta", type=float, help="noise of ddim, 0 to 1")
  group.add_argument("--churn", type=float, help="S_churn of edm_stochastic")
  group.add_argument(
    "--weak",
    help="guide away from a weaker denoiser: a workdir, or a checkpoint of "
    "this run (ema-0.05@STEP)",
  )


def refuse(
  args: argparse.Namespace, names: Sequence[str], *, owner: str
) -> None:
  """Raise a UserError if a flag of another owner was given."""
  for name in names:
    if getattr(args, name, None) not in (None, False):
      raise UserError(f"--{name} is for {owner}.")


def check_values(args: argparse.Namespace) -> None:
  """Raise a UserError for values of the flags that are wrong for any run."""
  from jaxgen.sample.options import SamplingOptions

  SamplingOptions(**_values(args))


def sampling_options(args: argparse.Namespace) -> SamplingKeywords:
  """The options given by the flags, without conditions."""
  options = _values(args)
  if args.weak is not None:
    options["weak"] = _weak(args)
  return options


def _values(args: argparse.Namespace) -> SamplingKeywords:
  """The options that need no run."""
  options: SamplingKeywords = {}
  if args.sampler is not None:
    options["sampler"] = args.sampler
  if args.steps is not None:
    options["steps"] = args.steps
  if args.guidance is not None:
    options["guidance"] = args.guidance
  if args.guidance_weights is not None:
    options["guidance_weights"] = _weights(args.guidance_weights)
  if args.interval is not None:
    options["interval"] = _interval(args.interval)
  if args.eta is not None:
    options["eta"] = args.eta
  if args.churn is not None:
    options["churn"] = args.churn
  return options


def requested_conditions(
  run: DenoiserRun, rest: Sequence[str]
) -> dict[str, str]:
  """The values of a run's conditions given by flags such as
  `--rock_type=granite` (`--class` for class labels)."""
  from jaxgen.sample.condition_values import value_index

  known = {("class" if k == "label" else k): k for k in run.conditions}
  values = {}
  for argument in rest:
    name, equals, value = argument.removeprefix("--").partition("=")
    if name not in known or not equals or not argument.startswith("--"):
      raise UserError(_no_condition(argument, name, list(known)))
    value_index(run.conditions[known[name]], value, f"--{name}")
    values[known[name]] = value
  return values


def _no_condition(argument: str, name: str, known: Sequence[str]) -> str:
  if not known:
    return f"{argument}: this run has no conditions."
  flag_names = ", ".join(f"--{x}=..." for x in known)
  near = difflib.get_close_matches(name, known, n=1)
  hint = f" Did you mean --{near[0]}=...?" if near else ""
  hint = f" Expected --{name}=VALUE." if name in known else hint
  return f"{argument}: the conditions of this run are {flag_names}.{hint}"


def _weak(args: argparse.Namespace) -> LoadedRun:
  from jaxgen.sample.load import load

  if addresses.store_of(args.weak) or pathlib.Path(args.weak).is_dir():
    return load(args.weak)
  return load(args.workdir, args.weak)


def _weights(text: str) -> dict[str, float]:
  """The weights in a flag such as `rock_type=2,zoom_level=1`."""
  weights = {}
  for part in filter(None, text.split(",")):
    name, _, number = part.partition("=")
    name = "label" if name == "class" else name
    weights[name] = _number(f"--guidance_weights={text}", number)
  return weights


def _interval(text: str) -> tuple[float, float]:
  """The interval in a flag `LOW,HIGH`."""
  flag = f"--interval={text}"
  low, _, high = text.partition(",")
  interval = _number(flag, low), _number(flag, high)
  if not interval[0] < interval[1]:
    raise UserError(f"{flag}: expected sigmas LOW,HIGH with LOW < HIGH.")
  return interval


def _number(flag: str, text: str) -> float:
  try:
    return float(text)
  except ValueError as e:
    raise UserError(f"{flag}: expected a number, got {text!r}.") from e
