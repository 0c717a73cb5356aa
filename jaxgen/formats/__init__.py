"""File formats: images, PyTorch tensors, atomic writes of JSON and arrays."""
