"""A model's flatbuffer is read as a tree and written again without a loss, by the schema that LiteRT carries."""

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from dogid.model import flatbuffer_tree
from dogid.model.flatbuffer import root
from dogid.model.flatbuffer_tree import UnknownPartError, read_tree, write_tree
from dogid.model.network import read_network
from dogid.model.shipped import shipped_model
from tests.support.collection import MODELS, SMALL_MODELS

PATHS = [shipped_model(), *sorted(MODELS.glob("*.tflite")), SMALL_MODELS / "scales_by_channel_first.tflite"]


def plain(value: Any) -> Any:
    """What LiteRT's own reader has read, in comparable form."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, list):
        return [plain(one) for one in value]
    return {name: plain(one) for name, one in vars(value).items()} if hasattr(value, "__dict__") else value


@pytest.mark.parametrize("path", [path for path in PATHS if path.exists()], ids=lambda path: path.stem)
def test_nothing_is_lost_in_writing_again(path: Path) -> None:
    data = path.read_bytes()

    written = write_tree(read_tree(data))

    assert plain(schema.ModelT.InitFromPackedBuf(written, 0)) == plain(schema.ModelT.InitFromPackedBuf(data, 0))
    assert read_network(written).sha256 == read_network(data).sha256
    assert write_tree(read_tree(written)) == written
    for buffer in root(written, b"TFL3").tables(4):
        assert buffer.vector(0, 1)[0] % 16 == 0 or buffer.vector(0, 1)[1] == 0


def test_the_known_fields_are_those_of_the_schema() -> None:
    source = inspect.getsource(schema)
    added = re.findall(r"def (\w+?)Add\w+\(builder, \w+\):\s+(?:return )?builder\.Prepend(\w+)Slot\((\d+),", source)
    fields: dict[str, dict[int, bool]] = {}
    for table, kind, number in added:
        fields.setdefault(table, {})[int(number)] = kind == "UOffsetTRelative"

    unions = {name: number for name, number in vars(schema.BuiltinOptions).items() if name[0] != "_"}
    not_scalar = {unions[table]: table for table in unions if any(fields.get(table, {}).values())}
    assert not_scalar == flatbuffer_tree._OPTIONS
    assert max(unions.values()) == flatbuffer_tree._MOST_OPTIONS
    for table, (count, forms) in flatbuffer_tree._FIELDS.items():
        assert {number for number, is_offset in fields[table].items() if is_offset} == set(forms), table
        assert count == max(fields[table]) + 1, table


def test_unknown_parts_are_refused_by_name() -> None:
    model = schema.ModelT.InitFromPackedBuf(shipped_model().read_bytes(), 0)
    model.subgraphs[0].tensors[0].sparsity = schema.SparsityParametersT()
    model.subgraphs[0].tensors[0].sparsity.blockMap = [1]
    import flatbuffers

    builder = flatbuffers.Builder(0)
    builder.Finish(model.Pack(builder), b"TFL3")

    with pytest.raises(UnknownPartError, match="SparsityParameters"):
        read_tree(bytes(builder.Output()))
