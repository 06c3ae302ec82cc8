/** Test files that look at one area. */

export const dispatcher = [
  "test/dispatch/dispatcher.test.ts",
  "test/sockets/hello.test.ts",
  "test/sockets/leases.test.ts",
];
export const scheduler = [
  "test/scheduler/leases.test.ts",
  "test/scheduler/results.test.ts",
  "test/scheduler/failures.test.ts",
  "test/scheduler/order.test.ts",
  "test/scheduler/backup-tasks.test.ts",
  "test/scheduler/fair-share.test.ts",
  "test/scheduler/attempts.test.ts",
  "test/scheduler/verdict.test.ts",
];
export const strangers = [
  "test/scheduler/stranger-failures.test.ts",
  "test/scheduler/stranger-leases.test.ts",
];
export const commands = ["test/customer/commands.test.ts"];
export const verification = [
  "test/dispatch/verification/audits.test.ts",
  "test/dispatch/verification/wrong-results.test.ts",
  "test/dispatch/verification/comparison.test.ts",
  "test/dispatch/verification/check.test.ts",
  "test/dispatch/verification/checkpoints.test.ts",
  "test/dispatch/verification/quorum.test.ts",
  "test/dispatch/verification/attacks.test.ts",
];
export const identities = ["test/sockets/identity.test.ts"];
export const store = ["test/store/sqlite-contract.test.ts", "test/store/sqlite-failure.test.ts"];
export const sharedStore = ["test/store/postgres-servers.test.ts", "test/store/postgres-failure.test.ts"];
export const feeding = ["test/store/sqlite-contract.test.ts"];
export const groups = ["test/wire/group-input.test.ts"];
export const heldOutputs = ["test/node-client/sandbox.test.ts"];
export const compressedBlobs = ["test/http/compressed-blobs.test.ts"];
export const linkedFiles = ["test/node-client/linked-files.test.ts"];
export const reducing = ["test/customer/reduce.test.ts"];
export const quotas = ["test/http/quotas.test.ts", "test/http/reading.test.ts"];
export const blobs = ["test/blobs/blob-directory.test.ts"];
export const durability = ["test/server/flush-order.test.ts"];
export const session = [
  "test/client/session/connection.test.ts",
  "test/client/session/delivery.test.ts",
  "test/client/session/modes.test.ts",
  "test/client/session/tasks.test.ts",
];
export const fetchingAhead = ["test/client/session/miles.test.ts", "test/client/client.test.ts"];
export const givenBlobs = ["test/client/data/blob-access.test.ts"];
export const share = ["test/client/session/share.test.ts"];
export const client = [
  "test/client/client.test.ts",
  "test/client/outbox-keeper.test.ts",
  "test/node-client/disk-outbox.test.ts",
];
export const customer = [
  "test/customer/map.test.ts",
  "test/customer/failed-tasks.test.ts",
  "test/customer/steering.test.ts",
  "test/customer/keys.test.ts",
  "test/customer/blobs.test.ts",
  "test/customer/lost-replies.test.ts",
  "test/customer/submit-socket.test.ts",
];

export const servers = [
  "test/client/session/servers.test.ts",
  "test/customer/several-servers.test.ts",
  "test/node-client/disk-outbox.test.ts",
  "test/server/several-servers.test.ts",
];
/** Servers that share a database. */
export const others = [
  "test/scheduler/other-servers.test.ts",
  "test/dispatch/several-servers.test.ts",
  "test/dispatch/provisional-followers.test.ts",
];
export const otherServers = ["test/e2e/servers-jobs.test.ts"];
export const python = ["test/python/module.test.ts", "test/python/faults.test.ts"];
export const pythonStart = ["test/python/first-task.test.ts"];
export const doors = ["test/http/jobs.test.ts", "test/access/known-hosts.test.ts"];
export const bits = [
  "test/dispatch/needs-portable.test.ts",
  "test/wire/codec.test.ts",
  "test/node-client/portable.test.ts",
];
export const memory = ["test/node-client/sandbox-memory.test.ts"];
/** Faults that need an unlucky order, a restart or a failing disk. */
export const simulation = ["test/simulate/platform.test.ts"];
/** The same among several servers. */
export const serversSimulation = ["test/simulate/servers.test.ts"];
export const signing = [
  "test/signing/keys.test.ts",
  "test/scheduler/order.test.ts",
  "test/e2e/signed-kernels.test.ts",
];
