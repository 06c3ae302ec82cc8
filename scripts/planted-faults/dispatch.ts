import type { PlantedFault } from "./fault.ts";
import { dispatcher, quotas, others, otherServers, bits, simulation } from "./tests.ts";

/** Faults of the dispatcher. */
export const dispatchFaults: readonly PlantedFault[] = [
  {
    name: "results are acknowledged before they are committed",
    file: "server/dispatch/dispatcher.ts",
    find: `    this.#store.complete(job, outcomes).then(
      ({ accepted, dropped, job: row }) => {
        this.#acknowledge(job, acknowledge);`,
    replace: `    this.#acknowledge(job, acknowledge);
    this.#store.complete(job, outcomes).then(
      ({ accepted, dropped, job: row }) => {`,
    tests: dispatcher,
  },
  {
    name: "a refused commit does not reopen its tasks",
    file: "server/dispatch/dispatcher.ts",
    find: `this.feed({ type: "outcomesRefused", job, indexes: outcomes.map(({ index }) => index) });`,
    replace: "",
    tests: dispatcher,
  },
  {
    name: "a failed claim is never tried again",
    file: "server/dispatch/dispatcher.ts",
    find: `setTimeout(() => this.feed({ type: "claimFailed", job }), 1000).unref();`,
    replace: "",
    tests: dispatcher,
  },
  {
    name: "a refused result is acknowledged",
    file: "server/dispatch/dispatcher.ts",
    find: "if (isOfEndedJob(error)) {",
    replace: "{",
    tests: dispatcher,
  },
  {
    name: "a failed attempt is acknowledged before it is counted on disk",
    file: "server/dispatch/dispatcher.ts",
    find: `          await this.#store.recordAttempts(job, attempts);
          this.#acknowledge(job, acknowledge);`,
    replace: `          this.#acknowledge(job, acknowledge);
          await this.#store.recordAttempts(job, attempts);`,
    tests: dispatcher,
  },
  {
    name: "a finished job stays with the scheduler",
    file: "server/dispatch/dispatcher.ts",
    find: `if (row.state === "finished") this.feed({ type: "jobEnded", job });`,
    replace: "",
    tests: dispatcher,
  },
  {
    name: "results of an ended job are never acknowledged",
    file: "server/dispatch/dispatcher.ts",
    find: `        if (isOfEndedJob(error)) {
          this.#acknowledge(job, acknowledge);
          return;`,
    replace: `        if (isOfEndedJob(error)) {
          return;`,
    tests: dispatcher,
  },
  {
    name: "a message overtakes a result whose blobs are looked up",
    file: "server/dispatch/client-messages.ts",
    find: "    if (before)\n",
    replace: "    if (before && false)\n",
    tests: dispatcher,
  },
  {
    name: "a client reads whatever it can name",
    file: "server/dispatch/client-reads.ts",
    find: "if (this.#goesOn(client, sha256) || this.#isOfItsTasks(client, sha256)) return",
    replace: "if (client || this.#goesOn(client, sha256) || this.#isOfItsTasks(client, sha256)) return",
    tests: quotas,
  },
  {
    name: "a result names another customer's blob",
    file: "server/dispatch/known-blobs.ts",
    find: "!(await this.#has(name, { customer }))",
    replace: "!(await this.#store.getBlob(name.sha256))",
    tests: quotas,
  },
  {
    name: "a volunteer uploads without a task",
    file: "server/dispatch/client-uploads.ts",
    find: "if (allowed === 0)",
    replace: "if (allowed < 0)",
    tests: quotas,
  },
  {
    name: "what failed attempts uploaded stays",
    file: "server/dispatch/client-uploads.ts",
    find: "if (at < since) await this.#drop(client, sha256, remove);",
    replace: "if (at < since) this.named(client, sha256);",
    tests: quotas,
  },
  {
    name: "a kernel with Math.sin gets a sandbox with the engine's",
    file: "server/dispatch/needs-portable.ts",
    find: "  return variable.test(new TextDecoder().decode(source));",
    replace: "  return false;",
    tests: bits,
  },
  {
    name: "changes wait without bound for a reader of provisional results that is behind",
    file: "server/dispatch/provisional-followers.ts",
    find: "if (this.#bytes > 0 && this.#bytes + bytes > waitingBytes) {",
    replace: "if (this.#bytes < 0) {",
    tests: ["test/dispatch/provisional-followers.test.ts", "test/http/provisional.test.ts"],
  },
  {
    name: "servers: a client that moved stands twice in the list",
    file: "server/dispatch/other-clients.ts",
    find: "    if (!known) joined.set(client.id, client);",
    replace: "    if (known === undefined || client.connected) joined.set(client.id, client);",
    tests: others,
  },
  {
    name: "servers: slow clients count as fast ones in the capacity of all",
    file: "server/dispatch/capacity.ts",
    find: "sum(weights) / perMs",
    replace: "Math.min(...measured.map(({ ms }) => ms))",
    tests: others,
  },
  {
    name: "servers: followers of provisional results are not told that they missed some",
    file: "server/dispatch/provisional-followers.ts",
    find: "    for (const follower of this.#followers.get(job) ?? []) follower.miss();\n",
    replace: "",
    tests: others,
  },
  {
    name: "servers: provisional results of the others are not followed",
    file: "server/dispatch/other-servers.ts",
    find: '    if (kinds.has("provisional")) this.#parts.followers.miss(id);\n',
    replace: "",
    tests: otherServers,
  },
  {
    name: "a reply that sends results is no reader of its job",
    file: "server/dispatch/job-watch.ts",
    find: "this.#readers.has(id) || ",
    replace: "",
    tests: ["test/dispatch/retention.test.ts"],
  },
  {
    name: "readers at other servers do not keep an old job",
    file: "server/dispatch/jobs.ts",
    find: "isPastKeeping(row, kept, now) || this.#watch.isFollowed(row.id) || elsewhere.has(row.id)",
    replace: "isPastKeeping(row, kept, now) || this.#watch.isFollowed(row.id)",
    tests: ["test/dispatch/retention-servers.test.ts"],
  },
  {
    name: "a precache asks the clients of its own server alone",
    file: "server/dispatch/local-platform.ts",
    find: 'if (of === "own" || !this.#directory) return this.#precaches.start(request);',
    replace: "return this.#precaches.start(request);",
    tests: otherServers,
  },
  {
    name: "servers: handed over tasks are told to nobody",
    file: "server/dispatch/told.ts",
    find: '    this.send({ type: "handedOver", job, tasks: some });\n  }\n\n  #gather',
    replace: "  }\n\n  #gather",
    tests: otherServers,
  },
  {
    name: "work that a faulty disk refused is forgotten",
    file: "server/dispatch/until-done.ts",
    find: `    setTimeout(() => untilDone(log, what, about, work), againMs).unref();
`,
    replace: "",
    tests: dispatcher,
  },
  {
    name: "a reader spins where results were requeued",
    file: "server/dispatch/job-reader.ts",
    find: "    return hasAll || (await this.#store.results(id, after, 1, 1)).length > 0;",
    replace: "    return hasAll || id.length > 0;",
    tests: ["test/http/results.test.ts"],
  },
  {
    name: "numbers of windows begin anew after a restart",
    file: "server/dispatch/local-platform.ts",
    find: "1 + Math.max(0, ...windows.map(({ number }) => number))",
    replace: "1",
    tests: simulation,
  },
  {
    name: "the longer of two times decides how long a job is kept",
    file: "server/dispatch/retention.ts",
    find: "Math.min(keepMs",
    replace: "Math.max(keepMs",
    tests: ["test/dispatch/retention.test.ts"],
  },
];
