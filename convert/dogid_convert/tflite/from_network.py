"""From a float network to a TensorFlow Lite model that needs no photos: float32, float16 or dynamic."""

import tensorflow as tf

from dogid.errors import DogidError
from dogid_convert.graph.check_operators import explain_failure
from dogid_convert.graph.network import Network
from dogid_convert.support.quiet_tensorflow import suppress_stderr


def convert_network(network: Network, dtype: str) -> bytes:
    """Return the network as a TensorFlow Lite model; dtype is float32, float16 or dynamic.

    Raise DogidError naming the operators that TensorFlow Lite does not have.
    """
    with suppress_stderr():
        function = network.get_concrete_function()
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
        if dtype != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if dtype == "float16":
            converter.target_spec.supported_types = [tf.float16]
        try:
            return bytes(converter.convert())
        except Exception as error:  # the converter's errors have no public base class
            raise DogidError(f"the graph cannot be converted: {explain_failure(error)}") from error
