"""Files of strangers are read within their bounds, whatever is in them."""

import numpy as np
import pytest

from dogid.model.flatbuffer import FlatbufferError, root
from dogid.model.tflite_metadata import OutputKind, read_metadata
from dogid.preprocessing import Normalisation
from tests.model.foreign_models import with_metadata


def test_metadata_of_a_flatbuffer(float_model: bytes) -> None:
    metadata = read_metadata(with_metadata(float_model, mean=10, std=20, labels_file="names.txt"))

    assert (metadata.output_kind, metadata.classes) == (OutputKind.PROBABILITIES, 3)
    assert metadata.normalisation == Normalisation((10.0,), (20.0,))
    assert (metadata.labels_file, metadata.damage) == ("names.txt", "")


def test_logits_end_in_a_layer_or_are_unknown(logits_model: bytes, uint8_logits_model: bytes) -> None:
    assert read_metadata(logits_model).output_kind is not OutputKind.PROBABILITIES
    assert read_metadata(uint8_logits_model).output_kind is not OutputKind.PROBABILITIES


def test_cut_off_bytes_are_reported_as_damage(float_model: bytes) -> None:
    model = with_metadata(float_model, mean=1, std=1)
    found = [read_metadata(model[:length]) for length in range(0, len(model), 7)]

    assert all(one.damage or one.classes == 3 for one in found)
    assert found[0].damage


def test_bytes_changed_anywhere_neither_crash_nor_hang(float_model: bytes) -> None:
    model = with_metadata(float_model, mean=1, std=1)
    random = np.random.default_rng(0)
    for _ in range(2000):
        changed = bytearray(model)
        for place in random.integers(8, len(model), 4):
            changed[place] = random.integers(256)
        assert isinstance(read_metadata(bytes(changed)).damage, str)


def test_oversized_vector_is_refused() -> None:
    table_of_a_vector = bytes.fromhex("10000000 54464c33 0000 0600 0800 0400 06000000 04000000 ffffff7f")

    with pytest.raises(FlatbufferError, match="beyond the end"):
        root(table_of_a_vector, b"TFL3").numbers(0, "i")


def test_negative_offset_is_refused() -> None:
    with pytest.raises(FlatbufferError, match="outside"):
        root(bytes.fromhex("08000000 54464c33 ffffff7f"), b"TFL3")
