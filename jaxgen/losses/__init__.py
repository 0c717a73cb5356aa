"""Losses on images, posteriors and labels, as pure functions."""
