"""The checks of `scripts/check_device.py`, each a function of `Options`."""
