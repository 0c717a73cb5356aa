"""Losses of images, posteriors and labels, as pure functions."""
