"""Devices and processes: meshes, shardings, agreement of hosts, signals."""
