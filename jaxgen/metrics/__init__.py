"""Metrics of images and of sets of images."""

from jaxgen.metrics.perceptual import lpips as lpips
from jaxgen.metrics.perceptual import perceptual_distance as perceptual_distance
