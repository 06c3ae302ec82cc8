"""[PY-3] [PY-5] [WASI-1] [WASI-5] Programs that were compiled to WASI."""

import os
import tempfile
import unittest
from pathlib import Path

import manyhands
from tests.support import LiveTest

PROBE = os.environ.get("MANYHANDS_PROBE", "")
#: A module with an import of its own, one function and one memory of so many pages.
HEADER = b"\0asm\1\0\0\0"


def section(number, content):
    return bytes([number, len(content)]) + content


def named(*names):
    return b"".join(bytes([len(name)]) + name for name in names)


TYPES = section(1, b"\1\x60\0\0")
BODY = section(10, b"\1\2\0\x0b")
EXPORTS = section(7, b"\2" + named(b"_start") + b"\0\0" + named(b"memory") + b"\2\0")


def module(pages=b"\1"):
    return HEADER + TYPES + section(3, b"\1\0") + section(5, b"\1\0" + pages) + EXPORTS + BODY


@unittest.skipUnless(PROBE, "clang, lld and wasi-libc are not installed")
class Programs(LiveTest):
    def outputs(self, inputs, options=(), **settings):
        return self.hands.map(manyhands.program(PROBE, **settings), inputs, **dict(options)).gather(60)

    def test_arguments_environment_and_standard_input(self):
        told = self.outputs(["a b", 7, "ü"], args=["echo", "{input}", "{{x}}"], env={"SAMPLE": "n={input}"})
        self.assertEqual(told, [f"{each}\n{{x}}\nSAMPLE=n={each}\n" for each in ["a b", "7", "ü"]])
        self.assertEqual(self.outputs([{"a": 1, "b": "x"}], args=["echo", "{a}", "{b}"]), ["1\nx\n"])
        self.assertEqual(self.outputs(["typed", b"piped"], args=["cat"], stdin="{input}"), ["typed", "piped"])
        self.assertEqual(self.outputs([0], args=["cat"], stdin=b"given", output="bytes"), [b"given"])

    def test_lists_and_single_tasks(self):
        echo = manyhands.program(Path(PROBE), args=["echo", "{0}", "{1}"])
        self.assertEqual(self.hands.starmap(echo, [(1, "x")]).gather(60), ["1\nx\n"])
        self.assertEqual(self.hands.submit(echo, 1, "y").result(60), "1\ny\n")
        self.assertEqual(self.hands.map(echo, [[2, "z"]]).status()["name"], "probe")

    def test_files_in_and_out(self):
        reference = self.hands.put(b"by reference")
        told = self.outputs([b"bytes", reference, reference.slice(3)], args=["cat", "{input}"])
        self.assertEqual(told, ["bytes", "by reference", "reference"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "table"
            path.write_text("table")
            for files in ({"lib/t": path}, {"lib/t": str(path)}, {"lib/t": b"table"}, {"lib/t": self.hands.put(path)}):
                self.assertEqual(self.outputs([0], args=["cat", "lib/t"], files=files), ["table"])
        for pattern in ("out/*.txt", ["out/*"], ("out/r*",)):
            left = self.outputs(["one"], args=["write", "{input}"], output={"files": pattern})
            self.assertEqual(left, [{"out/result.txt": b"one"}])

    def test_wasi_6_large_content_is_a_blob(self):
        large = bytes(3_000_000)
        found = self.hands.map(
            manyhands.program(self.hands.put(PROBE), args=["cat", "large"], files={"large": large}, output="bytes"), [0]
        )
        self.assertEqual(found.gather(60), [large])
        with self.assertRaisesRegex(manyhands.PlatformError, "slice of a blob"):
            self.outputs([0], files={"x": self.hands.put(b"xyz").slice(1)})

    def test_stages_and_reductions(self):
        first = self.hands.map(manyhands.program(PROBE, args=["echo", "{input}"]), ["a", "b"])
        second = self.hands.map(manyhands.program(PROBE, args=["cat", "{input:file}"]), first.outputs())
        self.assertEqual(second.gather(60), ["a\n", "b\n"])
        echo = manyhands.program(PROBE, args=["echo", "{input}"])
        joined = self.hands.reduce(echo, ["a", "b", "c"], combine="(a, b) => a + b", per_task=2)
        self.assertEqual(joined.gather(60), "a\nb\nc\n")
        self.refused("BAD_ARGUMENT", "a function or a program", lambda: self.hands.reduce(echo, ["a"]))
        fed = manyhands.program(self.hands.put(PROBE))
        self.refused("BAD_ARGUMENT", "data references", lambda: self.hands.map(fed, first.outputs()).gather(60))

    def test_wasi_4_failures(self):
        failing = manyhands.program(PROBE, args=["fail", "3"])
        with self.assertRaisesRegex(manyhands.TaskFailedError, r"exit code 3\. Standard error:\nno such particle"):
            self.hands.map(failing, [0], max_attempts=1).gather(60)
        self.assertEqual(self.outputs([0], args=["fail", "3"], exit_codes=[0, 3]), [""])
        for options in ({"check": True}, {"compare": "kernel"}):
            self.refused("BAD_ARGUMENT", "the kernel is a program", lambda: self.hands.map(failing, [0], **options))


class Refusals(LiveTest):
    def test_wasi_5_what_is_no_program(self):
        foreign = section(2, b"\1" + named(b"env", b"abort") + b"\0\0")
        memory = section(2, b"\1" + named(b"env", b"memory") + b"\2\0\1")
        unknown = section(2, b"\1" + named(b"wasi_snapshot_preview1", b"thread_spawn") + b"\0\0")
        for source, message in (
            (b"no module", "program.wasm is no WebAssembly module"),
            (b"\0asm\x0d\0\1\0", "component"),
            (HEADER, "exports no `_start` and `memory`"),
            (HEADER + TYPES + foreign, r"imports env\.abort, which is not there"),
            (HEADER + memory, r"imports env\.memory"),
            (HEADER + TYPES + unknown, "thread_spawn"),
            (HEADER + b"\2\x80", "cannot be|can be read"),
            (module(b"\xf0\xff\1"), "2047 MiB of memory from the start, and a task at most 512 MiB"),
            ("none.wasm", r"none\.wasm cannot be read"),
        ):
            with self.subTest(message):
                with self.assertRaisesRegex(manyhands.PlatformError, message):
                    self.hands.map(manyhands.program(source), [0])

    def test_options(self):
        for settings, message in (
            ({"args": "-nt"}, "args"),
            ({"args": ["-n", 3]}, r"str\(number\)"),
            ({"output": "text"}, 'expected "stdout"'),
            ({"output": {"files": []}}, "expected"),
            ({"exit_codes": ["0"]}, "exit_codes"),
        ):
            with self.subTest(message):
                self.refused("BAD_ARGUMENT", message, lambda: manyhands.program(module(), **settings))
                self.refused("BAD_ARGUMENT", message, lambda: manyhands.command("blastp", **settings))
        self.refused("BAD_ARGUMENT", "env", lambda: manyhands.program(module(), env={"N": 3}))
        self.refused(
            "BAD_ARGUMENT", "the kernel is a program", lambda: self.hands.map(manyhands.command("blastp"), [0], check=True)
        )

    def test_the_smallest_program_runs(self):
        self.assertEqual(self.hands.map(manyhands.program(module()), [0]).gather(60), [""])
