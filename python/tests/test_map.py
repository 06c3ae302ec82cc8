"""[PY-2] [PY-3] [PY-6] [KEY-1] [KEY-2] Jobs: from inputs to outputs, failures, keys, and what ends a job."""

import asyncio
import itertools
import threading
import time
import uuid

import manyhands
from manyhands import PlatformError, TaskError, TaskFailedError

from .support import LiveTest, needs_numpy, numpy, to_json
from .test_values import vectors

NEVER = {"memoryMb": 60_000}


class Mapping(LiveTest):
    def test_py_3_outputs_come_in_the_order_of_the_inputs(self):
        self.assertEqual(self.hands.map("x => x * x", range(5000)).gather(), [x * x for x in range(5000)])

    def test_py_3_no_inputs_no_outputs(self):
        self.assertEqual(self.hands.map("x => x", []).gather(), [])
        self.assertEqual(self.hands.map("x => x", iter(())).gather(), [])

    def test_py_3_outcomes_come_as_tasks_end_and_again(self):
        job = self.hands.map("x => x + 1", range(300))
        outcomes = list(job)
        self.assertEqual([outcome.seq for outcome in outcomes], list(range(1, 301)))
        self.assertEqual(sorted(outcome.index for outcome in outcomes), list(range(300)))
        self.assertTrue(all(outcome.result() == outcome.index + 1 for outcome in outcomes))
        self.assertEqual([outcome.seq for outcome in job.outcomes(after=290)], list(range(291, 301)))
        self.assertEqual(len(list(self.hands.job(job.id).outcomes(follow=False))), 300)

    def test_attach_1_retry_1_attachments_and_chosen_failures(self):
        kernel = "x => { if (x > 1) throw new Error(x === 2 ? 'disk full' : 'no ' + x); return x; }"
        job = self.hands.map(kernel, [1, 2, 3], max_attempts=1, fail_fast=False)
        with self.assertRaises(TaskFailedError):
            job.gather()
        self.assertEqual(job.requeue_failed(message="DISK"), 1)
        self.assertEqual(job.attach("ä b.csv", "a,b\n1,2\n")["type"], "text/csv")
        png = bytes.fromhex("89504e470d0a1a0a00")
        self.assertEqual(job.attach("slice.png", bytearray(png))["size"], 9)
        self.assertEqual([each["name"] for each in job.attachments()], ["slice.png", "ä b.csv"])
        self.assertEqual(job.attachment("slice.png"), png)
        with self.assertRaises(PlatformError) as refused:
            job.attach("page.html", "<p>")
        self.assertEqual(refused.exception.code, "UNSUPPORTED_TYPE")
        job.detach("slice.png")
        self.assertEqual(len(job.attachments()), 1)

    def test_cost_1_what_a_job_cost(self):
        job = self.hands.map("x => x", [1, 2, 3])
        job.gather()
        self.assertEqual((job.cost()["attempts"], len(job.cost()["slowest"])), (3, 3))

    def test_py_2_values_come_back_as_the_kernel_got_them(self):
        rows = [row for row in vectors() if numpy is not None or not row["name"].endswith("Float16Array")]
        values = [manyhands.decode_value(bytes.fromhex(row["hex"])) for row in rows]
        # Blobs of references are not on this server; clamped bytes are plain ones in Python.
        pairs = [
            (row, value)
            for row, value in zip(rows, values)
            if row["name"] != "data references" and not row["name"].endswith("Uint8ClampedArray")
        ]
        outputs = self.hands.map("x => x", [value for _, value in pairs]).gather()
        for (row, _), output in zip(pairs, outputs):
            with self.subTest(row["name"]):
                self.assertEqual(to_json(output), row["json"])

    def test_py_2_a_kernel_sees_the_values_of_javascript(self):
        inputs = [1, 1.5, "x", None, manyhands.undefined, True, [1], {"a": 1}, b"ab", memoryview(b"abcd").cast("f")]
        kernel = "x => [typeof x, Object.prototype.toString.call(x)]"
        self.assertEqual(
            self.hands.map(kernel, inputs).gather(),
            [
                ["number", "[object Number]"],
                ["number", "[object Number]"],
                ["string", "[object String]"],
                ["object", "[object Null]"],
                ["undefined", "[object Undefined]"],
                ["boolean", "[object Boolean]"],
                ["object", "[object Array]"],
                ["object", "[object Object]"],
                ["object", "[object Uint8Array]"],
                ["object", "[object Float32Array]"],
            ],
        )

    def test_py_2_large_values_travel_as_blobs(self):
        inputs = [bytes([at]) * 300_000 for at in range(6)]
        self.assertEqual(self.hands.map("x => x", inputs).gather(), inputs)

    @needs_numpy
    def test_py_2_large_arrays_are_aligned_and_writable(self):
        (output,) = self.hands.map("n => new Float64Array(n).fill(0.5)", [100_000]).gather()
        self.assertTrue(output.flags.aligned and output.flags.writeable)
        self.assertEqual((output.dtype, output.sum()), (numpy.dtype("f8"), 50_000))

    def test_py_3_a_failure_is_told_with_the_stack_of_the_kernel(self):
        job = self.hands.map(
            "x => { if (x % 2) throw new RangeError('odd ' + x); return x }", [0, 1, 2, 3], max_attempts=1
        )
        with self.assertRaises(TaskFailedError) as caught:
            job.gather()
        failed = caught.exception
        self.assertEqual((failed.code, failed.total), ("TASK_FAILED", 4))
        self.assertEqual([error.index for error in failed.failures], [1, 3])
        first = failed.failures[0]
        self.assertEqual((first.kind, first.attempts), ("error", 1))
        self.assertIn("odd 1", first.message)
        self.assertRegex(first.stack, r"at .*kernel:[0-9a-f]+\.js:1:\d+")
        self.assertIn("2 of 4 tasks failed", str(failed))
        self.assertRegex(str(first), r"odd 1[\s\S]*kernel:")
        self.assertEqual([task.status for task in job.settled()], ["done", "failed", "done", "failed"])
        with self.assertRaises(TaskError):
            [outcome.result() for outcome in job]

    def test_verify_12_a_job_of_trusted_clients_has_no_provisional_results(self):
        job = self.hands.map("x => x", range(5))
        self.assertEqual(list(job.provisional(follow=True)), [])
        self.assertEqual(job.gather(), list(range(5)))
        self.assertEqual(list(job.provisional()), [])

    def test_py_3_a_variable_of_the_program_is_explained(self):
        with self.assertRaisesRegex(TaskFailedError, "pass factor in the input"):
            self.hands.map("x => x * factor", [1], max_attempts=1).gather()

    def test_py_3_failed_tasks_are_tried_again(self):
        kernel = "(x, ctx) => { if (x === 2 && ctx.attempt === 1) throw new Error('once'); return x }"
        job = self.hands.map(kernel, [1, 2, 3], max_attempts=1)
        self.assertRaises(TaskFailedError, job.gather)
        self.assertEqual(job.requeue_failed(), 1)
        self.assertEqual(job.gather(), [1, 2, 3])

    def test_py_3_fail_fast_cancels_the_job(self):
        job = self.hands.map("() => { throw new Error('no') }", range(3), max_attempts=1, fail_fast=True)
        self.assertRaises(TaskFailedError, job.gather)
        self.assertIn(job.status()["state"], ("cancelled", "finished", "quarantined"))

    def test_py_3_a_job_that_fails_everywhere_is_quarantined(self):
        job = self.hands.map("() => { throw new Error('always') }", range(200), max_attempts=1)
        self.refused("JOB_QUARANTINED", "was quarantined", job.gather)
        self.assertEqual({task.status for task in job.settled()}, {"failed"})

    def test_py_3_a_kernel_that_does_not_parse_is_told_of(self):
        with self.assertRaisesRegex(PlatformError, "does not load|Unexpected"):
            self.hands.map("x => x +", [1], max_attempts=1).gather()

    def test_py_3_a_cancelled_job_ends_whoever_waits(self):
        job = self.hands.map("x => x", [1, 2], requires=NEVER)
        threading.Timer(0.2, job.cancel).start()
        self.refused("JOB_CANCELLED", "0 of 2 tasks done", job.gather)
        self.assertEqual([task.status for task in job.settled()], ["cancelled", "cancelled"])

    def test_py_6_waiting_ends_at_its_time_and_the_job_goes_on(self):
        job = self.hands.map("x => x", [1], requires=NEVER)
        started = time.monotonic()
        self.assertRaises(TimeoutError, job.gather, timeout=0.3)
        self.assertLess(time.monotonic() - started, 10)
        self.assertEqual(job.status()["state"], "closed")
        job.cancel()

    def test_py_3_stages_wait_for_each_other(self):
        group = str(uuid.uuid4())
        first = self.hands.map("x => x", [1, 2], group=group)
        second = self.hands.map("x => -x", [1], after=[first], group=group)
        self.assertEqual(second.gather(), [-1])
        self.assertEqual(len(self.hands.jobs(group=group)), 2)
        broken = self.hands.map("() => { throw 1 }", [1], max_attempts=1)
        blocked = self.hands.map("x => x", [1], after=[broken])
        self.refused("JOB_BLOCKED", "is blocked", blocked.gather)

    def test_py_3_verification_is_asked_for_told_and_changed(self):
        with self.assertRaisesRegex(manyhands.PlatformError, "quorum"):
            self.hands.map("x => x", [1], verify={"quorum": 2}, compare="kernel").gather(60)
        job = self.hands.map("x => Math.floor(x)", [1.5], verify={"quorum": 2}, compare={"rel": 1e-6}, math="native")
        self.assertEqual(job.gather(60), [1])
        told = job.status()
        self.assertEqual((told["verify"], told["compare"], told["math"]), ({"quorum": 2}, {"rel": 1e-6}, "native"))
        # Clients with a token are trusted.
        self.assertEqual(job.statement()["strangers"], 0)
        with self.assertRaises(manyhands.PlatformError) as raised:
            job.set_verify("off")
        self.assertEqual(raised.exception.code, "WRONG_STATE")

    def test_py_3_progress_is_told_to_the_end(self):
        told = []
        self.hands.map("x => x", range(100), on_progress=told.append).gather()
        self.assertEqual((told[-1].state, told[-1].done, told[-1].fraction), ("finished", 100, 1))
        self.assertEqual([progress.has_ended for progress in told].count(True), 1)

    def test_py_3_endless_inputs_keep_to_their_window(self):
        made = itertools.count()
        job = self.hands.map("x => x", made, window=50)
        outputs = [outcome.output for outcome in itertools.islice(job, 200)]
        job.cancel()
        self.assertEqual(sorted(outputs), sorted(set(outputs)))
        self.assertLess(max(outputs), 400)

    def test_py_3_an_input_may_be_made_from_earlier_outputs(self):
        outputs = []
        arrived = threading.Condition()

        def inputs():
            yield 1
            while len(outputs) < 20:
                with arrived:
                    count = len(outputs)
                    arrived.wait_for(lambda count=count: len(outputs) > count, 30)
                yield outputs[-1]

        for outcome in self.hands.map("x => x * 2", inputs()):
            with arrived:
                outputs.append(outcome.output)
                arrived.notify()
        self.assertEqual(outputs[:10], [2**power for power in range(1, 11)])

    def test_py_3_several_jobs_are_read_together(self):
        jobs = [self.hands.map(f"x => x + {at}", range(50)) for at in range(3)]
        seen = {job: [] for job in jobs}
        for job, outcome in manyhands.as_completed(jobs):
            seen[job].append(outcome.output)
        for at, job in enumerate(jobs):
            self.assertEqual(sorted(seen[job]), [x + at for x in range(50)])

    def test_py_3_a_job_can_be_awaited(self):
        async def main():
            return await self.hands.map("x => x + 1", [1, 2])

        self.assertEqual(asyncio.run(main()), [2, 3])

    def test_py_3_a_kernel_that_the_server_gave_up_is_stored_again(self):
        kernel = f"x => x + 1000 // {uuid.uuid4()}"
        job = self.hands.map(kernel, [1])
        self.assertEqual(job.gather(), [1001])
        sha256 = job.status()["kernel"]["sha256"]
        job.delete()
        self.hands._http.ask("DELETE", f"api/kernels/{sha256}")
        self.assertEqual(self.hands.map(kernel, [2]).gather(), [1002])

    def test_logs_and_names_are_those_of_the_job(self):
        job = self.hands.map("function answer(x, ctx) { ctx.log('saw', x); return x }", [7])
        job.gather()
        self.assertEqual(job.status()["name"], "answer")
        lines = job.logs()
        self.assertEqual(lines[0]["line"], "saw 7")
        job.delete()
        self.refused("NOT_FOUND", "", job.status)


class Keys(LiveTest):
    def test_key_1_the_same_key_is_the_same_job(self):
        key = str(uuid.uuid4())
        first = self.hands.map("x => x + 1", range(500), key=key)
        outputs = first.gather()
        again = self.hands.map("x => x + 1", range(500), key=key)
        self.assertEqual((again.gather(), again.id), (outputs, first.id))
        self.assertEqual(first.status()["lastSeq"], 500)

    def test_key_1_another_kernel_input_or_number_is_refused(self):
        key = str(uuid.uuid4())
        self.hands.map("x => x + 1", range(50), key=key).gather()
        self.refused("CONFLICT", "", self.hands.map("x => x + 2", range(50), key=key).gather)
        self.refused("CONFLICT", "which has 50 inputs; 49", self.hands.map("x => x + 1", range(49), key=key).gather)
        self.refused("CONFLICT", "which has 50 inputs", self.hands.map("x => x + 1", iter(range(51)), key=key).gather)
        self.refused("CONFLICT", "", self.hands.map("x => x + 1", [*range(49), 99], key=key).gather)
        self.refused("CONFLICT", "", self.hands.map("x => x + 1", range(50), key=key, seed="1").gather)

    def test_key_1_a_result_is_handed_out_once_its_own_input_was_the_same(self):
        key = str(uuid.uuid4())
        self.hands.map("x => x", range(2000), key=key).gather()
        seen = []
        with self.assertRaises(PlatformError):
            for outcome in self.hands.map("x => x", itertools.chain(range(500), [-1], range(501, 2000)), key=key):
                seen.append(outcome.index)
        self.assertTrue(all(index < 500 for index in seen))

    def test_key_2_inputs_that_throw_cancel_the_job_before_the_program_hears_of_it(self):
        def broken():
            yield from range(10)
            raise OSError("the disk is gone")

        job = self.hands.map("x => x", broken())
        self.assertRaisesRegex(OSError, "the disk is gone", job.gather)
        self.assertEqual(job.status()["state"], "cancelled")

    def test_key_2_a_value_that_is_refused_is_named_with_its_index(self):
        job = self.hands.map("x => x", [1, 2, {"when": {3}}])
        self.refused("UNSERIALISABLE", r"Input 2: .*set.*\.when", job.gather)
        self.assertEqual(job.status()["state"], "cancelled")

    def test_key_2_with_a_key_the_job_stays_open(self):
        key = str(uuid.uuid4())

        def broken():
            yield from range(10)
            raise KeyError("later")

        job = self.hands.map("x => x", broken(), key=key)
        self.assertRaises(KeyError, job.gather)
        self.assertEqual(job.status()["state"], "open")
        self.assertEqual(self.hands.map("x => x", range(10), key=key).gather(), list(range(10)))

    def test_py_3_a_job_that_ended_meanwhile_ends_its_submission(self):
        more = threading.Event()

        def inputs():
            yield 1
            more.wait(30)
            yield 2

        job = self.hands.map("x => x", inputs())
        self.assertEqual(next(iter(job)).output, 1)
        self.hands.job(job.id).cancel()
        more.set()
        self.refused("JOB_CANCELLED", "before it had all its inputs", job.submitted)
        self.assertEqual([(task.status, task.output) for task in job.settled()], [("done", 1)])
        self.refused("JOB_CANCELLED", "1 of 1 tasks done", job.gather)

    def test_key_1_an_ended_job_tells_of_its_end_unless_the_inputs_are_others(self):
        key = str(uuid.uuid4())
        job = self.hands.map("x => x", [1, 2], key=key, requires=NEVER)
        job.submitted()
        job.cancel()
        self.refused("JOB_CANCELLED", "", self.hands.map("x => x", [1, 2], key=key, requires=NEVER).gather)
        self.refused("CONFLICT", "", self.hands.map("x => x", [1, 3], key=key, requires=NEVER).gather)


class Leaving(LiveTest):
    def test_py_6_the_end_of_a_block_waits_until_its_inputs_are_on_the_server(self):
        with manyhands.connect() as hands:
            job = hands.map("x => x", range(20_000))
        self.assertEqual(self.hands.job(job.id).status()["counts"]["total"], 20_000)

    def test_py_6_a_block_that_an_exception_ends_waits_for_nothing(self):
        with self.assertRaises(KeyError), manyhands.connect() as hands:
            job = hands.map("x => x", itertools.count(), window=10)
            next(iter(job))
            raise KeyError("over")
        self.assertRaisesRegex(PlatformError, "closed with hands.close", job.gather)
        self.hands.job(job.id).cancel()

    def test_py_6_inputs_that_throw_unseen_are_told_of(self):
        def broken():
            yield 1
            raise OSError("the disk is gone")

        lines = []
        with manyhands.connect(log=lines.append) as hands:
            hands.map("x => x", broken())
            seen = hands.map("x => x", broken())
            self.assertRaises(OSError, seen.gather)
        self.assertEqual(len(lines), 1)
        self.assertIn("did not get all its inputs: the disk is gone", lines[0])


class Arguments(LiveTest):
    def test_python_2_a_function_that_cannot_travel_is_refused(self):
        outer = 1
        refused = "The Python function <lambda> cannot be a kernel: <lambda> uses outer of the function around it"
        self.assertRaisesRegex(PlatformError, refused, self.hands.map, lambda x: x + outer, [1])

    def test_py_5_what_is_no_list_of_inputs_is_refused(self):
        for inputs, message in [
            ("abc", "are a text"),
            ({"a": 1}, "are a dict"),
            (5, "are a int"),
            (b"x", "are a bytes"),
        ]:
            with self.assertRaisesRegex(PlatformError, message):
                self.hands.map("x => x", inputs)

    def test_py_3_options_that_the_server_refuses_are_told(self):
        with self.assertRaisesRegex(PlatformError, "The options of the job"):
            self.hands.map("x => x", [1], priority=5000).gather()
        with self.assertRaisesRegex(PlatformError, "no job id"):
            self.hands.job("j_x")
