import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { makeClientId, type ClientId } from "../../shared/ids.ts";
import { ClientRegistry } from "../../server/dispatch/client-registry.ts";
import { pageOfClients } from "../../server/client-pages.ts";
import type { Joining } from "../../server/sockets/client-gate.ts";
import { SchedulerHarness } from "../support/scheduler-harness.ts";

/** A registry of so many clients on a real scheduler. */
function registryOf(count: number): { registry: ClientRegistry; ids: ClientId[]; harness: SchedulerHarness } {
  const harness = new SchedulerHarness();
  const registry = new ClientRegistry(harness.scheduler, 30_000);
  const ids: ClientId[] = [];
  for (let n = 0; n < count; n++) {
    const id = makeClientId(randomBytes);
    ids.push(id);
    harness.scheduler.handle(
      {
        type: "clientConnected",
        client: { id, kind: "node", memoryMb: 64, webgpu: false, trusted: true, cohort: id, slots: 2 },
        held: [],
        cached: [],
      },
      1,
    );
    const hello = {
      name: `machine ${n}`,
      kind: n % 2 === 0 ? "browser" : "node",
      webgpu: false,
      memoryMb: 64,
      slots: 2,
    };
    const joining = {
      hello: { ...hello, version: "0.3.0" },
      identity: { client: id },
      address: "10.0.0.1",
      ticket: id,
      trusted: true,
    };
    registry.join(joining as unknown as Joining);
    registry.count(id, "done", n % 101);
    if (n % 50 === 0) registry.count(id, "lost", 20);
  }
  return { registry, ids, harness };
}

describe("[CLIENTS-1] 10,000 clients", () => {
  const { registry, ids } = registryOf(10_000);

  test("are searched, filtered, sorted and paged within a moment", () => {
    const began = performance.now();
    const first = pageOfClients(registry.list(), { sort: "done", limit: 100 });
    const tookMs = performance.now() - began;
    expect([first.count, first.clients.length, first.next, first.clients[0]!.done]).toEqual([
      10_000,
      100,
      "100",
      100,
    ]);
    expect(tookMs).toBeLessThan(1_000);
    const seen = new Set<string>();
    for (let cursor: string | undefined = "0"; cursor !== undefined;) {
      const page = pageOfClients(registry.list(), { sort: "done", order: "asc", limit: 1_000, cursor });
      for (const { id } of page.clients) seen.add(id);
      cursor = page.next;
    }
    expect(seen.size).toBe(10_000);
    expect(pageOfClients(registry.list(), { search: "MACHINE 9999" }).clients).toMatchObject([
      { id: ids[9_999] },
    ]);
    expect(pageOfClients(registry.list(), { kind: "browser", limit: 1 }).count).toBe(5_000);
    expect(pageOfClients(registry.list(), { state: "failing", limit: 1 }).count).toBe(200);
  });
});

describe("[CLIENTS-2] a drained client", () => {
  test("finishes what it holds, gets no more, and is not waited for", () => {
    const harness = new SchedulerHarness();
    const id = harness.addJob();
    const client = harness.join(1);
    harness.claim(id, [0, 1, 2]);
    harness.feed({ type: "clientDrained", client, drained: true });
    harness.finish(client, id, 0);
    expect(harness.scheduler.client(client)?.leases.size).toBe(0);
    harness.want(client, 3);
    harness.pass(1_000);
    expect(harness.scheduler.client(client)?.leases.size).toBe(0);
    harness.feed({ type: "clientDrained", client, drained: false });
    expect(harness.scheduler.client(client)?.leases.size).toBe(2);
  });

  test("stays one when it comes back, as the registry remembers", () => {
    const { registry, ids } = registryOf(1);
    registry.setDrained(ids[0]!, true);
    registry.left(ids[0]!);
    expect(registry.isDrained(ids[0]!)).toBe(true);
    expect(() => registry.setDrained("c_nobody", true)).toThrow(/No client c_nobody/);
  });
});
