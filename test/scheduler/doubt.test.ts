import { expect, test } from "vitest";
import { Doubt } from "../../server/scheduler/doubt.ts";

/** Audits of many cohorts agree. */
function manyAgree(doubt: Doubt): void {
  for (let index = 1000; index < 1100; index++) doubt.noteAgreed(index, `honest ${index}`);
}

test("[VERIFY-5] few cohorts that are wrong among many that agree are no evidence against the kernel", () => {
  const doubt = new Doubt();
  manyAgree(doubt);
  for (const cohort of ["a", "b", "c", "d", "e"]) doubt.noteWrong(cohort.charCodeAt(0), cohort);
  expect(doubt.isOfKernel).toBe(false);
});

test("[VERIFY-5] three cohorts that are wrong, with fewer audits that agreed, are", () => {
  const doubt = new Doubt();
  doubt.noteAgreed(0, "a");
  doubt.noteWrong(1, "a");
  doubt.noteWrong(2, "b");
  expect(doubt.isOfKernel).toBe(false);
  doubt.noteWrong(3, "c");
  expect(doubt.isOfKernel).toBe(true);
});

test("[VERIFY-5] three tasks that are wrong again when another cohort computes them are, unless as many are right", () => {
  const doubt = new Doubt();
  manyAgree(doubt);
  for (let index = 0; index < 4; index++) {
    doubt.noteWrong(index, `first ${index}`);
    expect(doubt.isRefuted(index, `first ${index}`)).toBe(false);
    expect(doubt.isRefuted(index, "second")).toBe(true);
  }
  doubt.noteWrong(0, "second");
  doubt.noteWrong(1, "second");
  expect(doubt.isOfKernel).toBe(false);
  doubt.noteWrong(2, "second");
  expect(doubt.isOfKernel).toBe(true);

  for (const index of [10, 11, 12]) {
    doubt.noteWrong(index, "first");
    doubt.noteAgreed(index, "second");
  }
  expect(doubt.isOfKernel).toBe(false);
});
