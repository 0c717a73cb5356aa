"""File-based sources: images, arrays, TensorFlow Datasets, records."""
