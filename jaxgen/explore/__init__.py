"""Interactive pages on a trained run, in the browser."""
