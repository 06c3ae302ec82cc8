import { describe, expect, it } from "vitest";
import { pauseMs, persist } from "../../customer/retry.ts";
import { PlatformError, type ErrorCode } from "../../shared/errors.ts";

/** An attempt that is refused with each code in turn, and then succeeds. */
function refusedWith(...codes: ErrorCode[]): { attempt: () => Promise<string>; calls: () => number } {
  let calls = 0;
  const attempt = async (): Promise<string> => {
    const code = codes[calls++];
    if (code) throw new PlatformError(code, "no");
    return "done";
  };
  return { attempt, calls: () => calls };
}

describe("persisting", () => {
  it("goes on through refusals that pass", async () => {
    const { attempt, calls } = refusedWith("UNREACHABLE", "SHUTTING_DOWN");
    await expect(persist(attempt, { patienceMs: Infinity })).resolves.toBe("done");
    expect(calls()).toBe(3);
  });

  it("stops at a refusal that stays", async () => {
    const { attempt, calls } = refusedWith("UNREACHABLE", "CONFLICT");
    await expect(persist(attempt, { patienceMs: Infinity })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(calls()).toBe(2);
  });

  it("does not repeat for ever a request that meets a defect or needs another request first", async () => {
    const defect = refusedWith("INTERNAL", "INTERNAL", "INTERNAL", "INTERNAL", "INTERNAL", "INTERNAL");
    await expect(persist(defect.attempt, { patienceMs: Infinity })).rejects.toMatchObject({
      code: "INTERNAL",
    });
    expect(defect.calls()).toBe(5);
    const unknown = refusedWith("UNKNOWN_KERNEL");
    await expect(persist(unknown.attempt, { patienceMs: Infinity })).rejects.toMatchObject({
      code: "UNKNOWN_KERNEL",
    });
    expect(unknown.calls()).toBe(1);
  });

  it("[WAIT-3] tries a defect as often after an outage as at first", async () => {
    const { attempt } = refusedWith(
      "UNREACHABLE",
      "STORE_FULL",
      "UNREACHABLE",
      "UNREACHABLE",
      "INTERNAL",
      "UNREACHABLE",
      "INTERNAL",
    );
    const over = AbortSignal.abort();
    const outage = { failed: () => undefined, succeeded: () => undefined, over };
    await expect(persist(attempt, { patienceMs: Infinity, outage })).resolves.toBe("done");
  });

  it("gives up when its patience is over", async () => {
    const { attempt, calls } = refusedWith("UNREACHABLE", "UNREACHABLE");
    await expect(persist(attempt, { patienceMs: 0 })).rejects.toMatchObject({ code: "UNREACHABLE" });
    expect(calls()).toBe(1);
  });

  it("ends at once when it is given up during a pause", async () => {
    const controller = new AbortController();
    const reason = new Error("enough");
    const attempt = async (): Promise<never> => {
      setImmediate(() => controller.abort(reason));
      throw new PlatformError("UNREACHABLE", "no");
    };
    await expect(persist(attempt, { patienceMs: Infinity, signal: controller.signal })).rejects.toBe(reason);
  });

  it("waits longer after each failure, up to a few seconds, never twice the same", () => {
    const longest = [0, 1, 2, 9, 50].map((attempt) => pauseMs(attempt, () => 1));
    expect(longest).toEqual([150, 225, 337.5, 5000, 5000]);
    expect(pauseMs(2, () => 0.25)).toBe(84.375);
  });
});
