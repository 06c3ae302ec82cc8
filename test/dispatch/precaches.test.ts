import { describe, expect, test } from "vitest";
import { Precaches } from "../../server/dispatch/precaches.ts";
import type { PrecacheRequest } from "../../server/precache-request.ts";
import type { ClientId, Sha256 } from "../../shared/ids.ts";
import type { ClientMessage, ServerMessage } from "../../shared/wire/protocol.ts";

const [ada, bob] = ["c_aaaaaaaaaaaaaaaa" as ClientId, "c_bbbbbbbbbbbbbbbb" as ClientId];
const items = [{ sha256: "a".repeat(64) as Sha256, size: 100 }];

class Fixture {
  readonly sent: [ClientId, ServerMessage][] = [];
  now = 0;
  readonly precaches = new Precaches(
    (client, message) => this.sent.push([client, message]),
    () => this.now,
  );

  join(id: ClientId, info: { trusted?: boolean; kind?: "browser" | "node" } = {}): void {
    const { trusted = true, kind = "node" } = info;
    this.precaches.joined(
      { id, kind, memoryMb: 1024, webgpu: false, trusted, cohort: id, slots: 1 },
      `name of ${id[2]}`,
    );
  }

  start(request: Partial<PrecacheRequest> = {}) {
    return this.precaches.start({ customer: "ada", items, requires: {}, atLeast: 1, ...request });
  }

  report(id: ClientId, report: Partial<Extract<ClientMessage, { type: "precached" }>>): void {
    const full = { id: 1, state: "fetching", haveBytes: 0, missedBytes: 0, ...report } as const;
    this.precaches.reported(id, { type: "precached", ...full });
  }

  take(): [ClientId, ServerMessage][] {
    return this.sent.splice(0);
  }
}

describe("[PRECACHE-1] clients of a precache, and its end", () => {
  test("present clients are asked, and joining clients until it is ended", () => {
    const f = new Fixture();
    f.join(ada);
    const wanted = f.start();
    expect(f.take()).toEqual([[ada, { type: "precache", id: 1, blobs: items }]]);
    f.join(bob);
    expect(f.take()).toEqual([[bob, { type: "precache", id: 1, blobs: items }]]);
    expect(wanted.progress()).toMatchObject({ done: false, bytes: 100, clients: 2, have: 0 });
    f.report(ada, { state: "done", haveBytes: 100 });
    f.report(bob, { haveBytes: 30 });
    expect(wanted.progress()).toMatchObject({ done: false, have: 1, haveBytes: 130 });
    f.report(bob, { state: "done", haveBytes: 100 });
    expect(wanted.progress()).toMatchObject({ done: true, have: 2, haveBytes: 200 });
    wanted.end();
    wanted.end();
    expect(f.take().map(([, { type }]) => type)).toEqual(["precacheEnd", "precacheEnd"]);
    f.join(ada);
    expect(f.take()).toEqual([]);
  });

  test("with nobody there it waits for the first, or for as many as were asked for, or for none", () => {
    const f = new Fixture();
    const [one, two, none] = [f.start(), f.start({ atLeast: 2 }), f.start({ atLeast: 0 })];
    expect([one, two, none].map((wanted) => wanted.progress().done)).toEqual([false, false, true]);
    f.join(ada);
    for (const id of [1, 2, 3]) f.report(ada, { id, state: "done", haveBytes: 100 });
    expect([one, two, none].map((wanted) => wanted.progress().done)).toEqual([true, false, true]);
  });

  test("a client that leaves, or is paused, is not waited for; a client that comes back is asked anew", () => {
    const f = new Fixture();
    f.join(ada);
    f.join(bob);
    const wanted = f.start();
    f.report(ada, { state: "done", haveBytes: 100 });
    f.report(bob, { state: "paused", haveBytes: 10 });
    expect(wanted.progress()).toMatchObject({ done: true, paused: 1, have: 1, clients: 2 });
    f.report(bob, { state: "fetching", haveBytes: 10 });
    expect(wanted.progress().done).toBe(false);
    f.precaches.left(bob);
    expect(wanted.progress()).toMatchObject({ done: true, clients: 1, haveBytes: 100 });
    f.take();
    f.join(bob);
    expect(f.take()).toHaveLength(1);
    expect(wanted.progress()).toMatchObject({ done: false, clients: 2, haveBytes: 100 });
  });

  test("only clients that meet the requirements", () => {
    const f = new Fixture();
    f.join(ada, { trusted: false, kind: "browser" });
    f.join(bob);
    f.start({ requires: { trusted: true } });
    f.start({ requires: { kind: "browser" } });
    expect(f.take().map(([client]) => client)).toEqual([bob, ada]);
  });

  test("changes wake whoever waits", async () => {
    const f = new Fixture();
    const wanted = f.start();
    const never = new AbortController().signal;
    for (const change of [
      () => f.join(ada),
      () => f.report(ada, { haveBytes: 1 }),
      () => f.precaches.left(ada),
    ]) {
      const changed = wanted.changed(never);
      change();
      await changed;
    }
  });
});

describe("[PRECACHE-3] failures", () => {
  test("a client that will not have all of it is counted and says why; nobody waits for it", () => {
    const f = new Fixture();
    f.join(ada);
    const wanted = f.start();
    f.report(ada, { state: "done", haveBytes: 60, missedBytes: 40, reason: "no room" });
    expect(wanted.progress()).toMatchObject({
      done: true,
      have: 0,
      short: 1,
      problems: [{ client: ada, name: "name of a", missedBytes: 40, message: "no room" }],
    });
  });

  test("a client that lives and tells nothing is not waited for, until it tells something", () => {
    const f = new Fixture();
    f.join(ada);
    const wanted = f.start();
    f.now += 9 * 60_000;
    f.report(ada, { haveBytes: 50 });
    f.now += 9 * 60_000;
    expect(wanted.progress()).toMatchObject({ done: false, short: 0 });
    f.now += 2 * 60_000;
    expect(wanted.progress()).toMatchObject({
      done: true,
      short: 1,
      problems: [{ missedBytes: 50, message: expect.stringContaining("ten minutes") }],
    });
    f.report(ada, { state: "done", haveBytes: 100 });
    f.now += 20 * 60_000;
    expect(wanted.progress()).toMatchObject({ done: true, have: 1, short: 0 });
  });

  test("bytes that a client claims beyond the asked bytes do not count", () => {
    const f = new Fixture();
    f.join(ada);
    const wanted = f.start();
    f.report(ada, { id: 99, state: "done", haveBytes: 100 });
    f.report(bob, { state: "done", haveBytes: 100 });
    expect(wanted.progress()).toMatchObject({ done: false, clients: 1, haveBytes: 0 });
    f.report(ada, { state: "done", haveBytes: 1e15, missedBytes: 1e15 });
    expect(wanted.progress()).toMatchObject({ haveBytes: 100, have: 1, problems: [] });
  });

  test("precaches are bounded, for each customer and in all; an ended one makes room", () => {
    const f = new Fixture();
    const own = Array.from({ length: 8 }, () => f.start());
    expect(() => f.start()).toThrow(expect.objectContaining({ code: "TOO_MANY" }));
    for (let n = 0; n < 24; n++) f.start({ customer: `customer ${n % 6}` });
    expect(() => f.start({ customer: "another" })).toThrow(expect.objectContaining({ code: "TOO_MANY" }));
    own[0]!.end();
    f.start({ customer: "another" });
  });
});
