"""[FEED-1] [FEED-3] [FEED-4] [KEY-1] Outputs of one job as inputs of the next."""

from __future__ import annotations

from typing import Any, Iterator

import manyhands
from manyhands import PlatformError, TaskFailedError
from tests.support import LiveTest


class Feeding(LiveTest):
    def test_through_three_stages_in_order(self) -> None:
        first = self.hands.map("x => ({ x, bytes: new Uint8Array(300_000) })", [1, 2, 3])
        second = self.hands.map("({ x, bytes }) => [x, bytes.length]", first.outputs())
        third = self.hands.starmap("(x, length) => x + length", second.outputs())
        self.assertEqual(third.gather(60), [300_001, 300_002, 300_003])
        self.assertEqual(third.status()["inputsFrom"], second.id)
        third.submitted(60)

    def test_of_a_job_that_has_finished(self) -> None:
        first = self.hands.map("x => x + 1", [1, 2])
        self.assertEqual(first.gather(60), [2, 3])
        again = self.hands.job(first.id)
        self.assertEqual(self.hands.map("x => x * 2", again.outputs()).gather(60), [4, 6])

    def test_failures_follow(self) -> None:
        kernel = "(x, ctx) => { if (x === 2 && ctx.attempt === 1) throw new Error('no particle'); return x; }"
        first = self.hands.map(kernel, [1, 2], max_attempts=1, name="picking")
        second = self.hands.map("x => x * 2", first.outputs())
        with self.assertRaisesRegex(TaskFailedError, "picking.*no particle"):
            second.gather(60)
        with self.assertRaises(PlatformError) as refused:
            second.requeue_failed()
        self.assertEqual(refused.exception.code, "WRONG_STATE")
        first.requeue_failed()
        self.assertEqual(first.gather(60), [1, 2])
        self.assertEqual(second.gather(60), [2, 4])

    def test_a_source_that_is_cancelled(self) -> None:
        first = self.hands.map("() => new Promise(() => {})", [1])
        second = self.hands.map("x => x", first.outputs())
        self.assertRegex(second.id, "^j_")
        first.cancel()
        with self.assertRaisesRegex(PlatformError, "whose outputs it takes, was cancelled"):
            second.gather(60)

    def test_inputs_that_raise(self) -> None:
        def inputs() -> Iterator[int]:
            yield 1
            raise RuntimeError("no more disk")

        first = self.hands.map("x => x", inputs())
        second = self.hands.map("x => x", first.outputs())
        for job in (first, second):
            self.assertRaisesRegex(RuntimeError, "no more disk", job.gather, 60)
        late = self.hands.map("x => x", first.outputs())
        self.assertRaisesRegex(RuntimeError, "no more disk", late.gather, 10)

    def test_run_again(self) -> None:
        def run(*inputs: Any) -> manyhands.Job:
            first = self.hands.map("x => x + 1", inputs, key="py line: first")
            return self.hands.map("x => x * 2", first.outputs(), key="py line: second")

        before = run(1, 2)
        self.assertEqual(before.gather(60), [4, 6])
        again = run(1, 2)
        self.assertEqual(again.gather(60), [4, 6])
        self.assertEqual(again.id, before.id)
        other = run(5, 2)
        with self.assertRaises(PlatformError) as refused:
            next(iter(other))
        self.assertEqual(refused.exception.code, "CONFLICT")

    def test_refused(self) -> None:
        first = self.hands.map("x => x", [1])
        self.assertRaisesRegex(PlatformError, "window", self.hands.map, "x => x", first.outputs(), window=3)
        self.assertEqual(first.gather(60), [1])
        unknown = self.hands.job("j_aaaaaaaaaaaaaaaa").outputs()
        self.assertRaisesRegex(PlatformError, "no such job", self.hands.map("x => x", unknown).gather, 60)
