"""The server that Manyhands' own tests started, and the JSON form of values."""

import math
import os
import unittest
from base64 import b64encode

import manyhands

KINDS = ["Int8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array"]
KINDS += ["Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array", "Float16Array"]
CODES = ["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8", "f2"]
FORMATS = {"b": "i1", "B": "u1", "h": "i2", "H": "u2", "i": "i4", "I": "u4", "f": "f4", "d": "f8", "q": "i8", "Q": "u8"}

if os.environ.get("MANYHANDS_TEST_NO_NUMPY"):
    manyhands._numpy = lambda: None
    numpy = None
else:
    try:
        import numpy
    except ImportError:
        numpy = None

needs_numpy = unittest.skipIf(numpy is None, "NumPy is not installed")


class LiveTest(unittest.TestCase):
    """Tests on the server and client that MANYHANDS_SERVER and MANYHANDS_TOKEN name."""

    hands: manyhands.Hands

    @classmethod
    def setUpClass(cls):
        cls.hands = manyhands.connect()
        cls.addClassCleanup(cls.hands.close)

    def refused(self, code, message, call):
        with self.assertRaisesRegex(manyhands.PlatformError, message) as caught:
            call()
        self.assertEqual(caught.exception.code, code)


def to_json(value):
    """The JSON form of a value (shared/wire/value-json.ts), to compare values of Python and JavaScript."""
    if value is manyhands.undefined:
        return {"$undefined": True}
    if isinstance(value, float):
        if math.isnan(value) or math.isinf(value):
            return {"$number": "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"}
        return {"$number": "-0"} if value == 0 and math.copysign(1, value) < 0 else value
    if isinstance(value, bytes):
        return {"$bytes": b64encode(value).decode()}
    if isinstance(value, manyhands.DataReference):
        shape = {"sha256": value.sha256, "size": value.size}
        return {"$ref": {**shape, "range": list(value.range)} if value.range else shape}
    if isinstance(value, list):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {f"${name}" if name.startswith("$") else name: to_json(item) for name, item in value.items()}
    if numpy is not None and isinstance(value, numpy.ndarray):
        return _array(value.dtype.str[1:], value.tobytes())
    if isinstance(value, memoryview):
        return _array(FORMATS[value.format], value.tobytes())
    return value


def _array(code, data):
    return {"$array": KINDS[CODES.index(code)], "base64": b64encode(data).decode()}
