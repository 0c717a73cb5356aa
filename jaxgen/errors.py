"""The two ways in which a program here ends early, as exceptions."""


class UserError(Exception):
  """A mistake of the person at the keyboard: exit status 2.

  The message is one or two lines that name the culprit and the remedy; the
  command line prints it without a traceback.
  """


class RunError(Exception):
  """A run that cannot go on (NaN, full disk): exit status 1, no traceback."""
