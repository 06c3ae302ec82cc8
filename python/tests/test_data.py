"""[PY-3] Data: blobs, references and slices."""

import hashlib
import io
import os
import tempfile
import threading
from pathlib import Path

import manyhands
from manyhands import DataReference, PlatformError

from .support import LiveTest, needs_numpy, numpy


class Data(LiveTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_py_3_bytes_files_and_open_files_are_the_same_blob(self):
        data = os.urandom(300_000)
        path = self.folder / "image.mrc"
        path.write_bytes(data)
        expected = DataReference(hashlib.sha256(data).hexdigest(), len(data))
        for source in [data, bytearray(data), memoryview(data), path, str(path), io.BytesIO(data)]:
            self.assertEqual(self.hands.put(source), expected)
        self.assertEqual(self.hands.get(expected), data)
        self.assertEqual(b"".join(self.hands.stream(expected)), data)
        self.assertEqual(self.hands.get(expected.slice(100, 200_000)), data[100:200_000])
        self.assertEqual(self.hands.get(expected.slice(5, 5)), b"")

    def test_py_3_no_bytes_are_a_blob_too(self):
        self.assertEqual(self.hands.get(self.hands.put(b"")), b"")

    def test_py_3_a_pipe_is_read_to_its_end(self):
        path = self.folder / "pipe"
        os.mkfifo(path)
        threading.Thread(target=lambda: path.write_bytes(b"x" * 100_000)).start()
        self.assertEqual(self.hands.put(path).size, 100_000)

    def test_py_3_kernels_read_the_data_of_references(self):
        reference = self.hands.put(bytes(range(100)))
        kernel = "async (ref, ctx) => Array.from(await ctx.data(ref))"
        self.assertEqual(self.hands.map(kernel, [reference.slice(10, 13)]).gather(), [[10, 11, 12]])

    def test_py_3_kernels_put_data(self):
        job = self.hands.map("async (n, ctx) => ctx.put(new Uint8Array(n).fill(7))", [70_000])
        (reference,) = job.gather()
        self.assertEqual(self.hands.get(reference), b"\x07" * 70_000)

    @needs_numpy
    def test_py_3_arrays_of_any_shape_are_put_as_their_bytes(self):
        image = numpy.arange(12, dtype="f4").reshape(3, 4)
        reference = self.hands.put(image)
        self.assertEqual(numpy.frombuffer(self.hands.get(reference), "f4").reshape(3, 4).tolist(), image.tolist())
        self.assertEqual(self.hands.put(image.T).sha256, hashlib.sha256(image.T.tobytes()).hexdigest())
        kernel = "async ({ image, shape }, ctx) => new Float32Array((await ctx.data(image)).buffer).map(x => 2 * x)"
        (output,) = self.hands.map(kernel, [{"image": reference, "shape": list(image.shape)}]).gather()
        self.assertEqual(output.reshape(3, 4).tolist(), (2 * image).tolist())

    def test_py_3_what_cannot_be_put_or_got_is_named(self):
        for source, code, message in [
            (self.folder / "none", "FILE_FAILED", "none cannot be read: No such file"),
            (self.folder, "FILE_FAILED", "is a directory"),
            (Path("/dev/zero"), "FILE_FAILED", "is a device"),
            (5, "BAD_ARGUMENT", "A int cannot be put"),
            (io.StringIO("text"), "BAD_ARGUMENT", "open for text"),
        ]:
            with self.subTest(message):
                with self.assertRaisesRegex(PlatformError, message) as caught:
                    self.hands.put(source)
                self.assertEqual(caught.exception.code, code)
        with self.assertRaises(PlatformError) as caught:
            self.hands.get(DataReference("0" * 64, 5))
        self.assertEqual(caught.exception.code, "NOT_FOUND")

    def test_the_server_tells_of_itself(self):
        self.assertIn("slots", self.hands.capacity())
        self.assertEqual(len(self.hands.clients()), 1)
        self.assertIn("quota", self.hands.usage()[0])
        self.assertEqual(self.hands.url, f"{os.environ['MANYHANDS_SERVER']}/")
        self.assertEqual(manyhands.__version__, self.hands.status()["version"])
