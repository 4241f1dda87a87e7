"""The daemon's modules, one by one."""
