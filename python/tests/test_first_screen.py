"""[SDK-1] … [SDK-4] One task as a future, kernels of several arguments, on_result, on_break."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import manyhands
from manyhands import PlatformError

from .support import LiveTest


class SingleTasks(LiveTest):
    def test_one_job_a_kernel_closed_when_idle(self) -> None:
        with self.hands.executor(name="py shared") as executor:
            futures = [executor.submit("x => x + 1", at) for at in range(30)]
            self.assertEqual([future.result(60) for future in futures], list(range(1, 31)))
            (info,) = self.hands.jobs(search="py shared")
            until = time.monotonic() + 20
            while self.hands.job(info["id"]).status()["state"] != "finished" and time.monotonic() < until:
                time.sleep(0.05)
            self.assertEqual(self.hands.job(info["id"]).status()["state"], "finished")
            self.assertEqual(executor.submit("x => x + 1", 1).result(60), 2)
            self.assertEqual(len(self.hands.jobs(search="py shared")), 2)

    def test_submit_of_a_connection(self) -> None:
        with manyhands.connect(self.hands.url, name="py left") as hands:
            self.assertEqual(hands.submit("(a, b) => a * b", 6, 7).result(60), 42)
            self.assertEqual(hands.submit("ctx => ctx.attempt").result(60), 1)
            self.assertEqual(hands.submit("x => -x", 2).result(60), -2)
        states = {info["state"] for info in self.hands.jobs(search="py left")}
        self.assertEqual(states, {"finished"})


class Arguments(LiveTest):
    def test_in_order_with_ctx_behind(self) -> None:
        job = self.hands.starmap("(a, b, ctx) => [a ** b, ctx.index]", zip([2, 3], [3, 2]))
        self.assertEqual(job.gather(60), [[8, 0], [9, 1]])

    def test_modules(self) -> None:
        forms = [
            "const f = (a, b) => a - b;\nexport { f as default, f };",
            "export default function (a, b) { return a - b; }",
            "export default async function minus(a, b) { return a - b; }\nexport const other = minus;",
            "export default (a, b) => a - b;\n",
        ]
        with tempfile.TemporaryDirectory() as folder:
            for at, text in enumerate(forms):
                path = Path(folder) / f"kernel{at}.js"
                path.write_text(text)
                self.assertEqual(self.hands.starmap(path, [(5, 3)]).gather(60), [2], text)

    def test_refused(self) -> None:
        self.assertRaisesRegex(PlatformError, "Input 1 is a int", self.hands.starmap("(a, b) => a", [[1, 2], 3]).gather)


class Results(LiveTest):
    def test_each_once_in_order(self) -> None:
        told: list[manyhands.Outcome] = []
        job = self.hands.map("x => -x", range(200), on_result=told.append)
        outputs = job.gather(60)
        self.assertEqual(job.gather(60), outputs)
        self.assertEqual([outcome.seq for outcome in told], list(range(1, 201)))
        self.assertEqual({outcome.index: outcome.output for outcome in told}, dict(enumerate(outputs)))

    def test_failure_cancels(self) -> None:
        def fail(_: object) -> None:
            raise OSError("the disk is full")

        job = self.hands.map("x => x", range(100_000), window=50, name="py full disk", on_result=fail)
        self.assertRaisesRegex(OSError, "disk is full", job.gather, 60)
        (info,) = self.hands.jobs(search="py full disk")
        self.assertEqual(info["state"], "cancelled")


class Leaving(LiveTest):
    def test_leaves(self) -> None:
        job = self.hands.map("x => x", range(100))
        for _ in job:
            break
        self.assertEqual(len(job.gather(60)), 100)

    def test_cancels(self) -> None:
        kernel = "x => new Promise((resolve) => setTimeout(resolve, x))"
        job = self.hands.map(kernel, [1, *[60_000] * 20], on_break="cancel")
        for _ in job:
            break
        self.assertEqual(job.status()["state"], "cancelled")
        self.assertRaises(PlatformError, self.hands.map, "x => x", [1], on_break="stop")
