import { expect, test } from "vitest";
import type { RunnerReport } from "../../../shared/client/ports.ts";
import { RunnerReporter } from "../../../shared/client/sandbox/runner-reporter.ts";
import { encodeValue } from "../../../shared/wire/codec.ts";

test("[VOLUNTEER-7] what a kernel shows is sent once a second, and the last of a task with its end", () => {
  let now = 0;
  let made = 0;
  const reports: RunnerReport[] = [];
  const reporter = new RunnerReporter({ report: (report) => void reports.push(report) }, () => now);
  const show = (text: string): void => reporter.show(() => (made++, text));
  const finish = (): void =>
    reporter.addFinished(0, { state: "done", output: encodeValue(null), refs: [], ms: 1 } as never);
  const shown = (): unknown[] =>
    reports.flatMap(({ show }) => (show === undefined ? [] : [(show as { value: unknown }).value]));

  for (const text of ["a", "b", "c"]) show(text);
  expect(shown()).toEqual(["a"]);
  now = 999;
  show("d");
  now = 1000;
  show("e");
  expect(shown()).toEqual(["a", "e"]);
  now = 1300;
  show("f");
  show("last");
  finish();
  expect(shown()).toEqual(["a", "e", "last"]);
  // Nothing was shown since.
  now = 2000;
  finish();
  // Tasks that are over in no time do not send one each.
  for (let task = 0; task < 100; task++) {
    now++;
    show(`tiny ${task}`);
    finish();
  }
  expect(shown()).toEqual(["a", "e", "last", "tiny 0"]);
  expect(made).toBe(4);
  // A picture that is too large does no harm to its task, which has ended.
  now = 2900;
  reporter.show(() => {
    throw new RangeError("too large");
  });
  finish();
  expect(shown()).toHaveLength(4);
});
