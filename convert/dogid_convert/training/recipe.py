"""What a user chooses about a training."""

import re
from dataclasses import dataclass, field

from dogid_convert.training.bottleneck_cache import DEFAULT_SIZE
from dogid_convert.training.fine_tuning import Schedule


@dataclass(frozen=True, slots=True)
class Recipe:
    """The user's choices."""

    base: str | None = None
    """A name or path of `base_names.find_bases`; None for `AUTO`."""
    size: int | None = None
    augmentations: int = 0
    convolutions: int = 0
    """How many of the last ones are fine-tuned; 0 trains the head only."""
    seed: int = 0
    class_weight: dict[str, float] = field(default_factory=dict)
    """How much a photo of a label counts, where that is not 1."""
    prior: dict[str, float] = field(default_factory=dict)
    """How much likelier a label is in use than among the training photos, where that is not 1."""
    group_by: re.Pattern[str] | None = None
    group_balance: float = 0.0
    """The power of a group's size, 0..1, by which its photos count less in training; 0 where all photos count alike."""
    use_all: bool = False
    """Whether the final graph is trained on photos that were held out, too."""
    schedule: Schedule = Schedule()
    patience: int = 0
    """Epochs without a lower validation loss after which a training ends; 0 never ends it."""
    cache_size: int = DEFAULT_SIZE
    """Bytes."""
