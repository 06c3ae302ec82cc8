import { expect, test } from "vitest";
import { joinCapacities } from "../../server/dispatch/capacity.ts";
import { joinClients } from "../../server/dispatch/other-clients.ts";
import type { Capacity } from "../../shared/wire/rest/capacity.ts";
import type { ClientInfo } from "../../shared/wire/rest/clients.ts";

const client = (id: string, given: Partial<ClientInfo>): ClientInfo => ({
  id,
  name: id,
  kind: "node",
  trusted: true,
  address: "",
  webgpu: false,
  memoryMb: 1,
  slots: 1,
  connected: true,
  leases: 0,
  current: [],
  done: 0,
  failed: 0,
  cacheHitRatio: null,
  connectedAt: 0,
  lastSeenAt: 0,
  lost: 0,
  checked: 0,
  taskMs: null,
  cachedBlobs: 0,
  version: "",
  drained: false,
  commands: [],
  ...given,
});

test("[SERVERS-14] a client that went from server to server stands once, where it is, with all that it computed", () => {
  const here = [
    client("moved", { connected: false, connectedAt: 9, done: 3, failed: 1 }),
    client("gone", { connected: false, connectedAt: 2 }),
  ];
  const there = [
    client("moved", { connectedAt: 5, done: 4, leases: 2 }),
    client("gone", { connected: false, connectedAt: 4, done: 1 }),
    client("new", { connectedAt: 7 }),
  ];
  for (const lists of [
    [here, there],
    [there, here],
  ])
    expect(joinClients(lists)).toMatchObject([
      { id: "new" },
      { id: "moved", connected: true, connectedAt: 5, leases: 2, done: 7, failed: 1 },
      { id: "gone", connected: false, connectedAt: 4, done: 1 },
    ]);
});

test("[SERVERS-14] the capacity of all servers is what their clients do together", () => {
  const none = { clients: 0, slots: 0, busy: 0, meanTaskMs: null };
  const capacity = (kinds: Capacity["kinds"], rate: number): Capacity => ({
    clients: 0,
    slots: 0,
    busy: 0,
    tasksPerSecond: null,
    kinds,
    rate,
  });
  const fast = capacity({ browser: none, node: { clients: 1, slots: 2, busy: 1, meanTaskMs: 10 } }, 5);
  const slow = capacity({ browser: none, node: { clients: 2, slots: 6, busy: 0, meanTaskMs: 30 } }, 7);
  const unmeasured = capacity(
    { browser: { clients: 1, slots: 4, busy: 4, meanTaskMs: null }, node: none },
    0,
  );
  const joined = joinCapacities([fast, slow, unmeasured]);
  // Two slots of 10 ms and six of 30 ms do 400 tasks a second; four more are as fast as these on average.
  expect(joined).toMatchObject({ clients: 4, slots: 12, busy: 5, rate: 12 });
  expect(joined.tasksPerSecond).toBeCloseTo(600);
  expect(joined.kinds.node.meanTaskMs).toBeCloseTo(20);
  expect(joinCapacities([unmeasured]).tasksPerSecond).toBeNull();
});
