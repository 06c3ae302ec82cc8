"""[PY-2] [PY-4] Values: the bytes of the SDK, kept or refused by name, and a decoder that nothing surprises."""

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import json
import math
import os
import pickle
import random
import unittest

import manyhands
from manyhands import DataReference, PlatformError, decode_value, encode_value, undefined

from .support import needs_numpy, numpy, to_json

SHA256 = "ab" * 32


class Colour(enum.IntEnum):
    RED = 1


Point = collections.namedtuple("Point", "x y")


@dataclasses.dataclass
class Thing:
    x: int = 1


def vectors():
    """Every row of the table of values, as the SDK encodes it."""
    with open(os.environ["MANYHANDS_VECTORS"], encoding="utf-8") as file:
        # Beyond 2^53 JavaScript writes a number as digits that it rounds on reading.
        return json.load(file, parse_int=lambda digits: float(digits) if len(digits) > 15 else int(digits))


class Vectors(unittest.TestCase):
    def test_py_2_what_the_sdk_encodes_is_read_as_it_was(self):
        rows = vectors()
        self.assertGreater(len(rows), 40)
        for row in rows:
            with self.subTest(row["name"]):
                data = bytes.fromhex(row["hex"])
                if row["name"].endswith("Float16Array") and numpy is None:
                    self.assertRaisesRegex(ValueError, "NumPy", decode_value, data)
                    continue
                self.assertEqual(to_json(decode_value(data)), row["json"])

    def test_py_2_the_json_form_is_read_as_the_same_value(self):
        for row in vectors():
            with self.subTest(row["name"]):
                if row["name"].endswith("Float16Array") and numpy is None:
                    continue
                value, again = decode_value(bytes.fromhex(row["hex"])), manyhands._from_json(row["json"])
                self.assertEqual(to_json(again), to_json(value))
                self.assertIs(type(again), type(value))

    def test_py_2_what_was_read_is_encoded_in_the_same_bytes(self):
        for row in vectors():
            with self.subTest(row["name"]):
                data = bytes.fromhex(row["hex"])
                if row["name"].endswith("Float16Array") and numpy is None:
                    continue
                again = encode_value(decode_value(data))
                if row["name"].endswith("Uint8ClampedArray"):
                    # Python has no clamped bytes: they come as unsigned ones, which are a Uint8Array.
                    self.assertEqual(decode_value(again), data[-1:])
                else:
                    self.assertEqual(bytes(again), data)


class Kept(unittest.TestCase):
    def kept(self, value, expected=None):
        self.assertEqual(decode_value(encode_value(value)), value if expected is None else expected)

    def test_py_2_numbers(self):
        for value in [0, 1, -1, 127, 128, -32, -33, -128, -129, 2**31, -(2**31) - 1, 2**53 - 1, -(2**53) + 1]:
            self.kept(value)
        for value in [0.5, -0.1, math.inf, -math.inf, 1e300, 5e-324, 2.0**53]:
            self.kept(value)
        self.assertTrue(math.isnan(decode_value(encode_value(math.nan))))
        self.assertEqual(math.copysign(1, decode_value(encode_value(-0.0))), -1)

    def test_py_2_whole_floats_have_the_bytes_of_their_int(self):
        self.assertEqual(encode_value(2.0), encode_value(2))
        self.assertIs(type(decode_value(encode_value(2.0))), int)

    def test_py_2_text(self):
        for text in ["", "grüße \U0001f44b", "\ufeffx" * 100, "a\ud83db", "\ud83d"]:
            self.kept(text)
        self.kept("\ud83d\udc4b", "\U0001f44b")

    def test_py_2_containers(self):
        self.kept([1, [2, [None, True, False]], {"a": {"": []}}])
        self.kept((1, (2, 3)), [1, [2, 3]])
        self.kept(list(range(70_000)))
        self.kept({f"member {i}": i for i in range(300)})

    def test_py_2_bytes(self):
        for data in [b"", b"abc", bytes(300), bytes(70_000)]:
            self.kept(data)
            self.kept(bytearray(data), data)
            self.kept(memoryview(data), data)
        self.kept(memoryview(b"abcdef")[::2], b"ace")

    def test_py_2_undefined_is_not_none(self):
        self.assertIs(decode_value(encode_value(undefined)), undefined)
        self.assertIsNone(decode_value(encode_value(None)))
        self.assertFalse(undefined)
        self.assertIs(pickle.loads(pickle.dumps(undefined)), undefined)

    def test_py_2_arrays_of_the_standard_library(self):
        for code, values in [("b", [-1]), ("h", [-3, 4]), ("H", [65_535]), ("i", [-5]), ("I", [5]), ("q", [-(2**60)])]:
            self.assertEqual(list(decode_value(encode_value(array.array(code, values)))), values)
        self.assertEqual(list(decode_value(encode_value(array.array("d", [math.pi])))), [math.pi])
        self.assertEqual(list(decode_value(encode_value(array.array("f")))), [])
        self.kept(array.array("B", [1, 2]), b"\x01\x02")

    def test_py_2_data_references_and_their_slices(self):
        whole = DataReference(SHA256, 100)
        part = whole.slice(10, 60).slice(5)
        self.assertEqual((part.range, part.length), ((15, 60), 45))
        self.kept({"whole": whole, "part": part})
        for start, end in [(-1, 5), (5, 4), (0, 101)]:
            self.assertRaises(IndexError, whole.slice, start, end)
        self.assertRaises(ValueError, DataReference, "nonsense", 1)
        self.assertRaises(ValueError, DataReference, SHA256, 10, (5, 11))

    def test_errors_survive_another_process(self):
        failure = manyhands.TaskError(3, "error", "no", "Error: no\n    at kernel", 2, "c_x")
        for error in [PlatformError("CONFLICT", "other"), failure, manyhands.TaskFailedError([failure], 9)]:
            again = pickle.loads(pickle.dumps(error))
            self.assertEqual((type(again), str(again)), (type(error), str(error)))


class Refused(unittest.TestCase):
    def refused(self, value, message):
        with self.assertRaisesRegex(PlatformError, message) as caught:
            encode_value(value)
        self.assertEqual(caught.exception.code, "UNSERIALISABLE")

    def test_py_2_is_named_with_its_place_and_what_to_send(self):
        when = {"rows": [0, 1, 2, {"when": datetime.datetime(2026, 1, 1)}]}
        self.refused(when, r"datetime.*isoformat.*\(at \.rows\[3\]\.when\)")

    def test_py_2_what_javascript_does_not_have(self):
        for value, message in [
            (2**53, r"9007199254740992 is beyond ±\(2\^53 - 1\)"),
            (-(2**64), "beyond"),
            (10**1000, "of 3322 bits"),
            ({1, 2}, r"set.*list\(value\)"),
            (decimal.Decimal(1), r"Decimal.*str\(value\)"),
            (1 + 2j, "complex.*real"),
            (datetime.date(2026, 1, 1), "date"),
            (datetime.timedelta(1), "total_seconds"),
            (Colour.RED, "Colour.*value.value"),
            (Point(1, 2), "Point.*_asdict"),
            (Thing(), "Thing.*asdict"),
            (collections.OrderedDict(a=1), r"OrderedDict.*dict\(value\)"),
            (range(3), r"range.*list\(value\)"),
            (iter([1]), "list_iterator"),
            (ValueError("x"), r"ValueError.*str\(value\)"),
            (len, "builtin_function_or_method is not a value"),
            (lambda: 1, "a function is not a value"),
            (object(), "an instance of object"),
            ({1: 2}, r"key that is an instance of int.*str\(key\)"),
            ({"\ud83d": 1}, "half a surrogate pair"),
            (memoryview(b"x").cast("?"), "format"),
        ]:
            with self.subTest(message):
                self.refused([value], message)

    def test_py_2_deep_and_cyclic_values(self):
        deep = []
        for _ in range(199):
            deep = [deep]
        self.assertEqual(decode_value(encode_value(deep)), deep)
        self.refused([deep], "nested deeper than 200")
        cyclic = {}
        cyclic["self"] = cyclic
        self.refused(cyclic, "one that holds itself")


@needs_numpy
class NumPy(unittest.TestCase):
    def test_py_2_arrays_keep_their_kind(self):
        for code in ["i1", "i2", "u2", "i4", "u4", "f2", "f4", "f8", "i8", "u8"]:
            made = numpy.array([1, 2, 3], dtype=code)
            again = decode_value(encode_value(made))
            self.assertEqual((again.dtype, again.tolist()), (made.dtype, [1, 2, 3]))
            self.assertEqual(decode_value(encode_value(made[:0])).dtype, made.dtype)

    def test_py_2_bytes_are_bytes(self):
        self.assertEqual(decode_value(encode_value(numpy.array([1, 2], "u1"))), b"\x01\x02")

    def test_py_2_parts_and_other_byte_orders_come_as_their_elements(self):
        every = numpy.arange(10, dtype="f8")
        self.assertEqual(decode_value(encode_value(every[::3])).tolist(), [0, 3, 6, 9])
        self.assertEqual(decode_value(encode_value(every.astype(">f8"))).tolist(), every.tolist())
        self.assertEqual(encode_value(every.astype(">f8")), encode_value(every))

    def test_py_2_arrays_are_views_of_what_was_received(self):
        data = bytearray(encode_value(numpy.arange(100, dtype="f4")))
        again = decode_value(data)
        again[3] = 77
        self.assertEqual(decode_value(data)[3], 77)

    def test_py_2_scalars_are_those_of_python(self):
        made = [
            numpy.int64(5),
            numpy.uint8(7),
            numpy.float32(0.5),
            numpy.float64(1.5),
            numpy.bool_(True),
            numpy.str_("x"),
        ]
        again = decode_value(encode_value(made))
        self.assertEqual(again, [5, 7, 0.5, 1.5, True, "x"])
        self.assertEqual([type(item) for item in again], [int, int, float, float, bool, str])

    def test_py_2_what_is_no_typed_array_is_refused(self):
        for made, message in [
            (numpy.zeros((2, 3)), r"2 dimensions.*ravel"),
            (numpy.array(5.0), "0 dimensions"),
            (numpy.array([True]), "bool.*astype"),
            (numpy.array([None]), r"object.*tolist"),
            (numpy.array(["x"]), r"tolist"),
            (numpy.array([1j]), "complex"),
            (numpy.array(["2026-01-01"], "M8[D]"), "datetime64"),
            (numpy.datetime64("2026-01-01"), "datetime64"),
            (numpy.longdouble(1), "longdouble|float128"),
            (numpy.ma.array([1.0], mask=[True]), "MaskedArray.*filled"),
            (numpy.int64(2**60), "beyond"),
        ]:
            with self.subTest(message):
                with self.assertRaisesRegex(PlatformError, message):
                    encode_value([made])


class Decoder(unittest.TestCase):
    def test_py_4_a_length_that_is_not_there_costs_nothing(self):
        for data in [
            "dfffffffff",
            "ddffffffff",
            "c6ffffffff00",
            "dbffffffff",
            "c9ffffffff0200",
            "91" * 500,
            "c1",
            "",
            "a5",
        ]:
            with self.subTest(data):
                self.assertRaises(ValueError, decode_value, bytes.fromhex(data))

    def test_py_4_what_no_value_has_is_refused(self):
        for data in [
            "cf0020000000000000",
            "d3ffdfffffffffffff",
            "8101c0",
            "c1",
            "d40500",
            "d40301",
            "c70302060000",
            "0000",
        ]:
            with self.subTest(data):
                self.assertRaises(ValueError, decode_value, bytes.fromhex(data))

    def test_py_4_text_that_is_no_utf_8_reads_as_replaced(self):
        self.assertEqual(decode_value(bytes.fromhex("a3ff4180")), "\ufffdA\ufffd")

    def test_py_4_any_bytes_are_a_value_or_a_value_error(self):
        seed = int(os.environ.get("MANYHANDS_SEED") or random.randrange(2**32))
        rng = random.Random(seed)
        value = [{"a": [1, -5, 2**40, 0.1], "é": "text" * 20}, b"x" * 40, undefined, DataReference(SHA256, 9, (1, 2))]
        whole = bytes(encode_value([value, array.array("d", [1, 2]), "\ud83d"]))
        for at in range(20_000):
            data = bytearray(whole if at % 2 else rng.randbytes(rng.randrange(40)))
            for _ in range(rng.randrange(1, 4)):
                if data:
                    data[rng.randrange(len(data))] = rng.randrange(256)
            if at % 3 == 0:
                del data[rng.randrange(len(data) + 1) :]
            try:
                decode_value(data)
            except ValueError:
                pass
            except BaseException as error:
                self.fail(f"{error!r} with seed {seed}, bytes {data.hex()}")
