import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { OutageWatch } from "../../customer/outage.ts";
import { PlatformError } from "../../shared/errors.ts";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

const away = new PlatformError("UNREACHABLE", "No answer.");

it("says nothing of a short outage, and of a long one once, and that it is over", () => {
  const lines: string[] = [];
  const watch = new OutageWatch("http://lab:9990/", (line) => lines.push(line));
  watch.failed(away);
  vi.advanceTimersByTime(9_000);
  watch.failed(away);
  watch.succeeded();
  expect({ lines, ms: watch.ms }).toEqual({ lines: [], ms: 0 });

  watch.failed(away);
  vi.advanceTimersByTime(10_000);
  watch.failed(away);
  watch.failed(away);
  expect(watch.ms).toBe(10_000);
  expect(lines).toEqual([
    expect.stringMatching(/http:\/\/lab:9990\/ for 10 s, still trying: No answer\. Check/),
  ]);

  vi.advanceTimersByTime(50_000);
  watch.succeeded();
  expect(lines.at(-1)).toMatch(/answers again after 60 s/);
});
