"""The results of a conversion as data and as JSON."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dogid.evaluation.compare import Accuracies, Agreement
from dogid_convert.conversion.gate import Verdict, decide
from dogid_convert.conversion.label_files import GraphLabels
from dogid_convert.conversion.photo_differences import PhotoDifference
from dogid_convert.conversion.photo_sets import PhotoFolder
from dogid_convert.graph.network import GraphFact

_SLOWER = 1.1  # below, it is the noise of the measurement


@dataclass(frozen=True, slots=True)
class RepresentativeDataset:
    """The representative photos from which the layers' ranges were measured."""

    folder: Path
    photos: int
    per_label: dict[str, int]
    """Where the photos lie in sub-folders; else one count under an empty name."""
    sha256: str
    """Of the whole folder's photos and labels."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Size and speed of a model on this machine."""

    bytes: int
    milliseconds: float
    """Median for one image, one thread."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that is known about a converted model."""

    graph: Path
    dtype: str
    interface: tuple[str, str]
    """Types of its input and its output, as numpy calls them."""
    facts: tuple[GraphFact, ...]
    labels: GraphLabels
    representative_dataset: RepresentativeDataset | None
    float_cost: Cost
    cost: Cost
    float_operators: dict[str, int]
    """How many operators of an int8 model compute in float, by their name; none for other kinds."""
    agreement: Agreement | None
    min_agreement: float
    accuracies: Accuracies | None
    evaluated: PhotoFolder | None
    differences: tuple[PhotoDifference, ...]
    """The photos on which the models differ most; none where no photos were given."""
    attempts: tuple[str, ...]
    """Where plain quantization did not agree: a line for each attempt, with its agreement, the kept one last."""
    warnings: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """Whether the model may be written."""
        return decide(self.agreement, self.accuracies, self.min_agreement)

    @property
    def passed(self) -> bool | None:
        """Whether the model is no worse than the float one; None where that was not measured."""
        return self.verdict.passed

    @property
    def all_warnings(self) -> tuple[str, ...]:
        """The warnings, and what is doubtful about a model that passes."""
        doubt = self.verdict.doubt
        return (*self.warnings, doubt) if doubt else self.warnings

    @property
    def slower(self) -> bool:
        """Whether the model is slower here than the float one, which it should not be."""
        return self.cost.milliseconds > self.float_cost.milliseconds * _SLOWER and self.dtype != "float32"

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON; the keys are stable."""
        calibration = None
        if self.representative_dataset is not None:
            calibration = asdict(self.representative_dataset) | {"folder": str(self.representative_dataset.folder)}
        return {
            "graph": str(self.graph),
            "dtype": self.dtype,
            "interface": {"input": self.interface[0], "output": self.interface[1]},
            "found": {fact.name: {"value": fact.value, "reason": fact.reason} for fact in self.facts},
            "labels": list(self.labels.names),
            "labels_file": str(self.labels.path),
            "calibration": calibration,
            "float": asdict(self.float_cost),
            "converted": asdict(self.cost),
            "float_operators": self.float_operators,
            "agreement": None if self.agreement is None else asdict(self.agreement),
            "min_agreement": self.min_agreement,
            "evaluation": None if self.accuracies is None else asdict(self.accuracies),
            "differences": [asdict(one) | {"photo": str(one.photo)} for one in self.differences],
            "remedies": list(self.attempts),
            "warnings": list(self.all_warnings),
            "passed": self.passed,
            "reason": self.verdict.reason,
        }
