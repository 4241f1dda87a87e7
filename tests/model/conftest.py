"""Models that several tests share; making them takes TensorFlow a few seconds."""

import pytest

from tests.model.small_models import convert, mean_colour_model


@pytest.fixture(scope="session")
def float_model() -> bytes:
    return convert(mean_colour_model(softmax=True))


@pytest.fixture(scope="session")
def logits_model() -> bytes:
    return convert(mean_colour_model(softmax=False))


@pytest.fixture(scope="session")
def int8_model() -> bytes:
    return convert(mean_colour_model(softmax=True), kind="int8")


@pytest.fixture(scope="session")
def uint8_model() -> bytes:
    return convert(mean_colour_model(softmax=True), kind="uint8")


@pytest.fixture(scope="session")
def uint8_logits_model() -> bytes:
    return convert(mean_colour_model(softmax=False), kind="uint8")
