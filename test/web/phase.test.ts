import { describe, expect, it } from "vitest";
import type { ClientStatus, SlotStatus } from "../../shared/client/status.ts";
import { PlatformError } from "../../shared/errors.ts";
import { describePhase, type Phase } from "../../web-client/volunteer/phase.ts";

const idle: SlotStatus = { state: "idle" };
const running = { state: "running", index: 0, bundled: 1, fraction: 0, startedAt: 0 } as SlotStatus;
const never = { customers: [], at: -Infinity };

const connected: ClientStatus = {
  connection: { state: "connected" },
  mode: "running",
  slots: [idle],
  queued: 0,
  unsent: 0,
  done: 0,
  failed: 0,
  busyMs: 0,
};

function client(
  status: Partial<ClientStatus>,
  recent = never as Extract<Phase, { state: "running" }>["recent"],
): Phase {
  return { state: "running", status: { ...connected, ...status }, recent };
}

const waiting = { state: "waiting", retryAt: 3_500, reason: "The server is shutting down." } as const;
const refused = { state: "refused", error: new PlatformError("BANNED", "No.").toBody() } as const;
const broken = { state: "broken", reason: "no sandbox page", retryAt: 9_000 } as const;

describe("the one sentence of the volunteer page", () => {
  it.each<[string, Phase, string, RegExp]>([
    ["starting", { state: "starting" }, "quiet", /^Starting…$/],
    ["another tab", { state: "otherTab" }, "quiet", /takes over when that tab closes\.$/],
    ["stopped", { state: "stopped", done: 0 }, "quiet", /^Stopped\.$/],
    ["stopped after work", { state: "stopped", done: 3 }, "quiet", /thank you/],
    ["a failing page", { state: "broken", message: "boom" }, "error", /boom.*Reload/],
    ["connecting", client({ connection: { state: "connecting" } }), "quiet", /^Connecting to the server…$/],
    [
      "waiting to reconnect",
      client({ connection: waiting }),
      "warning",
      /^Not connected \(The server is shutting down\); trying again in 3 s\.$/,
    ],
    [
      "waiting with work",
      client({ connection: waiting, slots: [running] }),
      "warning",
      /What was begun goes on\.$/,
    ],
    ["refused", client({ connection: refused }), "error", /^No\. .*administrator/],
    ["paused", client({ mode: "paused" }), "quiet", /^Paused until you press Resume\.$/],
    ["pausing", client({ mode: "paused", slots: [running] }), "quiet", /finished first/],
    ["draining", client({ mode: "draining", slots: [running] }), "quiet", /^Finishing the tasks that run/],
    ["delivering", client({ mode: "draining", unsent: 2 }), "quiet", /^Delivering the last results/],
    ["idle", client({}), "quiet", /^No work right now/],
    ["fetching", client({ queued: 2 }), "quiet", /^Fetching the next task…$/],
    ["no sandbox", client({ slots: [broken] }), "warning", /no sandbox page\); trying again in 8 s\.$/],
    ["working", client({}, { customers: ["alice"], at: 900 }), "busy", /^Computing for alice\.$/],
    [
      "for two",
      client({}, { customers: ["alice", "bob"], at: 900 }),
      "busy",
      /^Computing for alice and bob\.$/,
    ],
    ["for many", client({}, { customers: ["a", "b", "c", "d"], at: 900 }), "busy", /a, b and 2 more\.$/],
    ["work long ago", client({}, { customers: ["alice"], at: -5_000 }), "quiet", /^No work right now/],
  ])("%s", (_name, phase, tone, text) => {
    const sentence = describePhase(phase, 1_000);
    expect(sentence.tone).toBe(tone);
    expect(sentence.text).toMatch(text);
  });
});
