"""Published classifiers that can be had by name, each with its publisher's address, licence and checksum.

Sizes and checksums are those of the files in google-coral/test_data at the commit in their addresses, so that an
address cannot give another file later. The repository's licence is Apache-2.0.
"""

from dataclasses import dataclass

_CORAL = "https://raw.githubusercontent.com/google-coral/test_data/104342d2d3480b3e66203073dac24f4e2dbb4c41/"
_PUBLISHER = "Google Coral"
_LICENCE = "Apache-2.0"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """A model that can be had by name."""

    name: str
    title: str
    labels: int
    side: int
    """Of its input, in pixels."""
    size: int
    """In bytes."""
    sha256: str
    url: str
    publisher: str = _PUBLISHER
    licence: str = _LICENCE

    @property
    def file(self) -> str:
        """The file's name at its publisher."""
        return self.url.rsplit("/", 1)[-1]


CATALOGUE = (
    CatalogueEntry(
        "birds",
        "birds of iNaturalist, by species",
        965,
        224,
        3_579_500,
        "350fcd8cf1df1560060d464595dfed8b174b05792788052896004848d9ad04f9",
        f"{_CORAL}mobilenet_v2_1.0_224_inat_bird_quant.tflite",
    ),
    CatalogueEntry(
        "insects",
        "insects of iNaturalist, by species",
        1022,
        224,
        3_655_867,
        "0ebaeb474dccf56b8b818b014f0d6a8e22b35a45b491a659f0b5405c9c838282",
        f"{_CORAL}mobilenet_v2_1.0_224_inat_insect_quant.tflite",
    ),
    CatalogueEntry(
        "things",
        "animals and everyday things of ImageNet; MobileNet v2",
        1001,
        224,
        4_070_174,
        "5d3137241276e79c86d14a74fe43581398ae0e815191d3dba45495b810840e8c",
        f"{_CORAL}tf2_mobilenet_v2_1.0_224_ptq.tflite",
    ),
    CatalogueEntry(
        "things-fast",
        "the same for slow machines, less exact; MobileNet v1 0.5",
        1001,
        160,
        1_392_846,
        "3cc6d2ca460abd2e0f699a6d0d2550c6b61c6e3b0e27a3616e384ea74cb86f43",
        f"{_CORAL}mobilenet_v1_0.5_160_quant.tflite",
    ),
    CatalogueEntry(
        "things-tiny",
        "the same for the smallest machines; MobileNet v1 0.25",
        1001,
        128,
        525_598,
        "cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785",
        f"{_CORAL}mobilenet_v1_0.25_128_quant.tflite",
    ),
)


def find_entry(name: str) -> CatalogueEntry | None:
    """Return the entry of this name; None where there is none."""
    return next((entry for entry in CATALOGUE if entry.name == name), None)
