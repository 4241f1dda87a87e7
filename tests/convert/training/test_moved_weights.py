import numpy as np
import pytest

from dogid_convert.support.quiet_tensorflow import load_tensorflow

load_tensorflow()

from dogid_convert.graph import surgery  # noqa: E402
from dogid_convert.training.moved_weights import measure_moved_weights  # noqa: E402
from tests.convert.training_material import small_backbone  # noqa: E402


@pytest.mark.parametrize(("change", "moved"), [(0.0, 0), (1e-9, 0), (0.5, 1)])
def test_only_more_than_rounding_counts_as_moved(change: float, moved: int) -> None:
    base = small_backbone().graph
    name = next(n.name for n in base.node if n.op == "Const" and surgery.read_constant(n).ndim == 4)
    value = np.array(surgery.read_constant(surgery.index_nodes(base)[name]), np.float32)
    value.flat[0] += change
    written = surgery.replace_constants(base, {name: value}).SerializeToString()

    found = measure_moved_weights(base, written)
    assert found.moved == moved
    assert found.largest == pytest.approx(change, abs=1e-6)
    assert found.constants > 20
