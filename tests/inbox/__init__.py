"""The inbox: a real daemon, real files, and everything that users and other programs do to them."""
