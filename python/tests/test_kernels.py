"""[PY-5] [PY-7] Kernels: text, modules, WebAssembly beside them, what is refused; the executor."""

import tempfile
from pathlib import Path

import manyhands
from manyhands import PlatformError

from .support import LiveTest

#: (module (func (export "add") (param i32 i32) (result i32) local.get 0 local.get 1 i32.add))
ADDING = bytes.fromhex("0061736d0100000001070160027f7f017f030201000707010361646400000a09010700200020016a0b")


class Kernels(LiveTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def module(self, source, name="kernel.js"):
        path = self.folder / name
        path.write_text(source, "utf-8")
        return path

    def test_py_5_a_text_is_a_function_or_a_module(self):
        for kernel in [
            "x => x + 1",
            "  x => x + 1;\n",
            "x => x + 1 // one more",
            "async (x, ctx) => x + 1",
            "function (x) { return x + 1 }",
            "async function next(x) { return x + 1 }",
            "export default x => x + 1",
            "const one = 1;\nexport default (x) => x + one;\n",
            "const f = x => x + 1; export { f as default };",
            "x => [x].at(0) + 1 // importance: none, see a.js",
        ]:
            with self.subTest(kernel):
                self.assertEqual(self.hands.map(kernel, [1]).gather(), [2])

    def test_py_5_a_text_that_ends_like_a_file_may_be_a_function(self):
        self.assertEqual(self.hands.map("event => event.ts", [{"ts": 5}]).gather(), [5])

    def test_py_5_a_path_is_a_module(self):
        path = self.module("export default function double(x) {\n  return 2 * x;\n}\n")
        for kernel in [path, str(path)]:
            job = self.hands.map(kernel, [1, 2])
            self.assertEqual(job.gather(), [2, 4])
            self.assertEqual(job.status()["name"], "kernel")

    def test_py_5_webassembly_beside_a_module_is_its_bytes(self):
        (self.folder / "add.wasm").write_bytes(ADDING)
        path = self.module(
            'import bytes from "./add.wasm";\n'
            "const { add } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;\n"
            "export default ([a, b]) => add(a, b);\n"
        )
        self.assertEqual(self.hands.map(path, [[1, 2], [40, 2]]).gather(), [3, 42])

    def test_py_5_what_is_no_single_module_is_refused_with_what_to_do(self):
        for source, name, message in [
            ('import { x } from "./x.js";\nexport default y => x(y)', "a.js", r"imports \./x\.js.*manyhands bundle"),
            ('import "lodash"; export default x => x', "a.js", "imports lodash"),
            ('export { default } from "./x.js"', "a.js", "no default export|imports"),
            ('export default async x => (await import("./x.js")).f(x)', "a.js", r"imports \./x\.js"),
            ('import bytes from "./none.wasm";\nexport default x => x', "a.js", "none.wasm, which cannot be read"),
            ("export default (x: number) => x", "a.ts", r"not JavaScript.*manyhands bundle .*a\.ts"),
            ("const f = x => x", "a.js", "no default export"),
        ]:
            with self.subTest(source):
                with self.assertRaisesRegex(PlatformError, message):
                    self.hands.map(self.module(source, name), [1])
        with self.assertRaisesRegex(PlatformError, "cannot be read"):
            self.hands.map(self.folder / "none.js", [1])
        with self.assertRaisesRegex(PlatformError, "empty text"):
            self.hands.map(" ", [1])
        with self.assertRaisesRegex(PlatformError, "The kernel is a int"):
            self.hands.map(5, [1])


class Executors(LiveTest):
    def test_py_7_futures_have_the_outputs(self):
        with manyhands.ManyhandsExecutor(self.hands) as executor:
            futures = [executor.submit("(a, b) => a * b", at, 2) for at in range(20)]
            self.assertEqual([future.result(60) for future in futures], [2 * at for at in range(20)])
            self.assertEqual(list(executor.map("x => -x", [1, 2, 3], timeout=60)), [-1, -2, -3])
            self.assertEqual(list(executor.map("(a, b) => a + b", [1, 2], [10, 20])), [11, 22])
        self.assertRaises(RuntimeError, executor.submit, "x => x", 1)
        # The connection of the program stays open.
        self.assertIn("version", self.hands.status())

    def test_py_7_one_failure_is_of_one_future(self):
        with manyhands.ManyhandsExecutor(self.hands, max_attempts=1) as executor:
            kernel = "x => { if (x < 0) throw new RangeError('below'); return x }"
            bad, good = executor.submit(kernel, -1), executor.submit(kernel, 1)
            self.assertEqual(good.result(60), 1)
            self.assertIsInstance(bad.exception(60), manyhands.TaskError)
            self.assertIn("below", str(bad.exception()))
            alike = [executor.submit(kernel, -at) for at in range(1, 40)]
            self.assertTrue(all("below" in str(future.exception(60)) for future in alike))
            self.assertEqual(executor.submit(kernel, 2).result(60), 2)

    def test_py_7_what_cannot_be_computed_is_refused_at_once(self):
        with manyhands.ManyhandsExecutor(self.hands) as executor:
            self.assertRaisesRegex(PlatformError, "cannot be a kernel", executor.submit, "".join, [1])
            self.assertRaisesRegex(TypeError, "keyword", executor.submit, "x => x", x=1)
            self.assertRaisesRegex(PlatformError, "set", executor.submit, "x => x", {1})

    def test_py_7_shutdown_cancels_what_has_not_ended(self):
        executor = manyhands.ManyhandsExecutor(self.hands, requires={"memoryMb": 60_000})
        futures = [executor.submit("x => x", at) for at in range(5)]
        executor.shutdown(cancel_futures=True)
        self.assertTrue(all(future.cancelled() for future in futures))
        (lane,) = executor._lanes.values()
        self.assertEqual(lane.job.status()["state"], "cancelled")

    def test_py_7_a_cancelled_future_is_forgotten(self):
        with manyhands.ManyhandsExecutor(self.hands) as executor:
            slow = "async x => { await new Promise((done) => setTimeout(done, x)); return x }"
            first, second = executor.submit(slow, 300), executor.submit(slow, 1)
            self.assertTrue(second.cancel())
            self.assertEqual(first.result(60), 300)
