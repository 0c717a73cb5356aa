"""The networks of `benchmark_peers.py`, here and in PyTorch."""
