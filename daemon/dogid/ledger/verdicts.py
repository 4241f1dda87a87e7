"""What a person's word on a photo can say."""

STANDING = ("labelled", "confirmed", "unsure")
"""What a word that stands can say."""
WITHDRAWN = "withdrawn"
"""Takes back the word before."""
VERDICTS = (*STANDING, WITHDRAWN)
WITH_LABEL = ("labelled", "confirmed")
"""Those of a word that has a label."""
