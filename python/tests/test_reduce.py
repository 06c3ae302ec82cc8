"""[REDUCE-1] [REDUCE-2] [REDUCE-3] [FEED-6] Outputs that become one value on the clients."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from pathlib import Path
from typing import Any, Iterator

import manyhands
from manyhands import PlatformError, TaskFailedError
from tests.support import LiveTest, needs_numpy, numpy

SUM = "(a, b) => a + b"
JOIN = "(a, b) => `${a} ${b}`"
MOMENTS = """
const moments = (value) => ({ count: 1, mean: value });
const merge = (a, b) => {
  const count = a.count + b.count;
  return { count, mean: a.mean + ((b.mean - a.mean) * b.count) / count };
};
export { moments as default, merge as combine };
"""
LARGEST = """const merge = (a, b) => (a.mean > b.mean ? a : b);
export default (x) => x;
export { merge as combine };
"""


class Reducing(LiveTest):
    def test_each_input_counts_once_in_order(self) -> None:
        for count in (1, 2, 3, 17, 60):
            joined = self.hands.reduce("x => `${x}`", list(range(count)), combine=JOIN)
            self.assertEqual(joined.gather(60), " ".join(map(str, range(count))))

    def test_tasks_and_levels(self) -> None:
        reduction = self.hands.reduce("x => x", range(100), combine=SUM, per_task=7, fan_in=3)
        self.assertEqual(reduction.gather(60), 4950)
        jobs = [self.hands.job(id).status() for id in reduction.job_ids()]
        self.assertEqual([job["counts"]["total"] for job in jobs], [15, 5, 2, 1])
        self.assertEqual([job["name"] for job in jobs], ["job", "job, level 1", "job, level 2", "job, level 3"])
        self.assertEqual([job.get("keepMs") for job in jobs], [3_600_000, 3_600_000, 3_600_000, None])

    def test_inputs_of_any_length_and_outputs(self) -> None:
        self.assertEqual(self.hands.reduce("x => x", iter(range(70)), combine=SUM).gather(60), 2415)
        squares = self.hands.map("x => x * x", range(30))
        self.assertEqual(squares.reduce(SUM).gather(60), 8555)
        self.assertEqual(self.hands.job(squares.id).reduce(SUM, fan_in=2).gather(60), 8555)
        more = self.hands.reduce("x => x + 1", squares.outputs(), combine=SUM)
        more.submitted(60)
        self.assertEqual(more.gather(60), 8585)

    def test_groups_of_outputs(self) -> None:
        squares = self.hands.map("x => x * x", range(5))
        pairs = self.hands.map("group => group", squares.outputs(per_task=2))
        self.assertEqual(pairs.gather(60), [[0, 1], [4, 9], [16]])
        self.assertEqual(pairs.status()["outputsPerTask"], 2)

    def test_of_a_job_that_still_gets_inputs(self) -> None:
        is_all = threading.Event()

        def inputs() -> Iterator[int]:
            yield 1
            is_all.wait(60)
            yield from (2, 3)

        job = self.hands.map("x => `${x}`", inputs())
        reduction = self.hands.job(job.id).reduce(JOIN, fan_in=2)
        self.assertRaises(TimeoutError, reduction.gather, 1)
        is_all.set()
        self.assertEqual(reduction.gather(60), "1 2 3")

    def test_modules(self) -> None:
        mean = self.hands.reduce(MOMENTS, range(101))
        self.assertEqual(mean.gather(60), {"count": 101, "mean": 50})
        largest = self.hands.reduce(MOMENTS, [3, 9, 4], combine="(a, b) => (a.mean > b.mean ? a : b)")
        self.assertEqual(largest.gather(60)["mean"], 9)
        with tempfile.TemporaryDirectory() as folder:
            for name, text in (("moments.js", MOMENTS), ("largest.mjs", LARGEST)):
                (Path(folder) / name).write_text(text, "utf-8")
            files = [Path(folder) / "moments.js", str(Path(folder) / "largest.mjs")]
            self.assertEqual(self.hands.reduce(files[0], [3, 9, 4]).gather(60)["count"], 3)
            # The two modules have different functions named `merge`.
            self.assertEqual(self.hands.reduce(files[0], [3, 9, 4], combine=files[1]).gather(60)["mean"], 9)
            outputs = self.hands.map(files[0], [1, 7, 5])
            self.assertEqual(outputs.reduce(files[1]).gather(60)["mean"], 7)

    def test_modules_that_compare(self) -> None:
        comparing = f"{MOMENTS}export const compare = (a, b) => a.count === b.count;\n"
        for combine in (None, "(a, b) => a", LARGEST):
            reduction = self.hands.reduce(comparing, [3, 9, 4], combine=combine, per_task=1, compare="kernel")
            self.assertEqual(reduction.gather(60)["count"], 3 if combine is None else 1)
            for job in reduction.job_ids():
                self.assertEqual(self.hands.job(job).status()["compare"], "kernel")
        for combine in (None, "(a, b) => a", LARGEST):
            self.assertIn("const compare", manyhands._combining_source(combine or comparing, comparing, "kernel"))
            self.assertIn("const compare", manyhands._folding_source(comparing, combine, 2, "kernel"))

    def test_data_of_megabytes(self) -> None:
        kernel = "x => ({ bins: new Float64Array(100_000).fill(x), first: x })"
        combine = """(a, b) => ({
          bins: a.bins.map((value, i) => value + b.bins[i]), first: Math.min(a.first, b.first) })"""
        value = self.hands.reduce(kernel, range(12), combine=combine, per_task=2, fan_in=3).gather(60)
        self.assertEqual((len(value["bins"]), value["bins"][0], value["bins"][99_999]), (100_000, 66, 66))

    @needs_numpy
    def test_numpy_arrays(self) -> None:
        rows = numpy.arange(60, dtype="f8").reshape(20, 3)
        total = self.hands.reduce("row => row", rows, combine="(a, b) => a.map((x, i) => x + b[i])").gather(60)
        self.assertEqual(total.dtype, numpy.dtype("f8"))
        self.assertEqual(total.tolist(), rows.sum(axis=0).tolist())

    def test_failures(self) -> None:
        # Task 0 runs at once; others may be given back before they run, and are attempt 2 then.
        kernel = "(x, ctx) => { if (x === 1 && ctx.attempt === 1) throw new Error('no particle'); return x; }"
        reduction = self.hands.reduce(kernel, range(20), combine=SUM, per_task=5, max_attempts=1)
        with self.assertRaisesRegex(TaskFailedError, r"1 of 4 tasks failed[^$]*Input 1: no particle"):
            reduction.gather(60)
        self.assertEqual(reduction.requeue_failed(), 1)
        self.assertEqual(reduction.gather(60), 190)

        source = self.hands.map(kernel, range(20), max_attempts=1)
        fed = self.hands.reduce("x => x", source.outputs(), combine=SUM, per_task=2)
        self.refused("JOB_BLOCKED", "is blocked", lambda: fed.gather(60))
        source.requeue_failed()
        self.assertEqual(fed.gather(60), 190)

    def test_cancelling(self) -> None:
        source = self.hands.map("() => new Promise(() => {})", [1])
        for reduction in (
            self.hands.reduce("() => new Promise(() => {})", range(9), combine=SUM),
            self.hands.reduce("x => x", source.outputs(), combine=SUM),
        ):
            reduction.cancel()
            self.refused("JOB_CANCELLED", "was cancelled", lambda: reduction.gather(60))
        source.cancel()

    def test_run_again(self) -> None:
        def run(inputs: Any, per_task: int = 4) -> manyhands.Reduction:
            return self.hands.reduce("x => x", inputs, combine=SUM, per_task=per_task, key="py night")

        first = run(range(40))
        self.assertEqual(first.gather(60), 780)
        again = run(range(40))
        self.assertEqual(again.gather(60), 780)
        self.assertEqual(again.job_ids(), first.job_ids())
        self.refused("CONFLICT", "another input", lambda: run([7, *range(1, 40)]).gather(60))
        self.refused("CONFLICT", "py night", lambda: run(range(40), 5).gather(60))

    def test_inputs_that_raise(self) -> None:
        def inputs() -> Iterator[int]:
            yield 1
            raise RuntimeError("no more disk")

        reduction = self.hands.reduce("x => x", inputs(), combine=SUM)
        self.assertRaisesRegex(RuntimeError, "no more disk", reduction.gather, 60)

    def test_a_block_that_ends(self) -> None:
        with manyhands.connect() as hands:
            hands.reduce("x => x", iter(range(40)), combine=SUM, per_task=4, fan_in=2, group="py left")
        jobs = self.hands.jobs(group="py left")
        self.assertEqual(len(jobs), 5)
        # The newest is the last.
        self.assertEqual(self.hands.job(jobs[0]["id"]).gather(60), [780])

    def test_awaited(self) -> None:
        async def main() -> Any:
            return await self.hands.reduce("x => x", [1, 2, 3], combine=SUM)

        self.assertEqual(asyncio.run(main()), 6)

    def test_refused(self) -> None:
        def reduce(kernel: Any = "x => x", inputs: Any = (1, 2), **options: Any) -> Any:
            return lambda: self.hands.reduce(kernel, inputs, **options).gather(60)

        self.refused("BAD_ARGUMENT", "at least one input", reduce(inputs=[], combine=SUM))
        self.refused("BAD_ARGUMENT", 'expected combine="', reduce())
        self.refused("BAD_ARGUMENT", "exports no `combine`", reduce("export default (x) => x;"))
        self.refused("BAD_ARGUMENT", "without a default export", reduce(combine="export const combine = (a, b) => a;"))
        self.refused("BAD_ARGUMENT", "exports such a function", reduce(combine=SUM, compare="kernel"))
        self.refused("BAD_ARGUMENT", "per_task is 0", reduce(combine=SUM, per_task=0))
        pairs = self.hands.map("x => x", [1, 2]).outputs(per_task=2)
        self.refused("BAD_ARGUMENT", "in groups of 2 already", reduce(inputs=pairs, combine=SUM))
        self.refused("BAD_ARGUMENT", "fan_in is 1", reduce(combine=SUM, fan_in=1))
        self.assertRaisesRegex(TypeError, "no option 'window'", reduce(combine=SUM, window=3))
        self.refused("BAD_ARGUMENT", "expected both in one language", reduce(combine=max))
