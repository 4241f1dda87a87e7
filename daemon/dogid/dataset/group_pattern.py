"""The regular expression that finds a photo's group in its file's name; apart, since `--help` loads no numpy."""

import argparse
import re


def parse_pattern(text: str) -> re.Pattern[str]:
    """Return the regular expression of `--group-by`. Raise argparse.ArgumentTypeError where it is none."""
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a regular expression: {error}") from error


def extract_group(name: str, pattern: re.Pattern[str]) -> str:
    """Return the group (source, camera) in a file name: the pattern's first group or its whole match.

    A name that does not match is a group of its own kind, "".
    """
    match = pattern.match(name)
    if match is None:
        return ""
    return match.group(1) if pattern.groups else match.group(0)
