"""The inbox as users and machines treat it: a real daemon, real files."""
