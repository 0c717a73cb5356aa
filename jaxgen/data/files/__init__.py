"""Sources that read files: images, arrays, TensorFlow Datasets, records."""
