"""Distinguish a machine without a network from a real fault."""

_SIGNS = (
    "Failed to establish a new connection",
    "Network is unreachable",
    "ProxyError",
    "ReadTimeoutError",
    "Temporary failure in name resolution",
    "error sending request",  # uv
)


def is_offline(output: str) -> bool:
    """Given what pip or uv printed, whether it failed for want of a network."""
    return any(sign in output for sign in _SIGNS)
