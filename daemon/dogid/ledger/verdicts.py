"""What a person's word on a photo can say."""

STANDING = ("labelled", "confirmed", "unsure")
"""What a word that stands can say."""
WITHDRAWN = "withdrawn"
"""Takes back the word before."""
NO_RESULT = 0
"""In the place of a result's id, where the word is about a photo that only the model file knows."""
VERDICTS = (*STANDING, WITHDRAWN)
WITH_LABEL = ("labelled", "confirmed")
"""Those of a word that has a label."""
