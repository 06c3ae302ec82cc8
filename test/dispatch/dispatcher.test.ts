import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pino } from "pino";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { Dispatcher } from "../../server/dispatch/dispatcher.ts";
import { noQuotas } from "../../server/store/quotas.ts";
import { SqliteDatabase } from "../../server/store/sqlite/database.ts";
import { migrate } from "../../server/store/sqlite/schema.ts";
import { SqliteStore } from "../../server/store/sqlite/sqlite-store.ts";
import type { ClientId } from "../../shared/ids.ts";
import type { ServerMessage, TaskResult } from "../../shared/wire/protocol.ts";
import { jobId, newJob, postKernel, tasks } from "../contract/store-fixtures.ts";
import { temporaryDirectory, until } from "../support/processes.ts";
import { done } from "../support/scheduler-harness.ts";
import type { SchedulerEvent } from "../../server/scheduler/events.ts";
import { checkInvariants } from "../../server/scheduler/invariants.ts";

const id = jobId(1);
const [ada, bob] = ["c_aaaaaaaaaaaaaaaa", "c_bbbbbbbbbbbbbbbb"] as [ClientId, ClientId];

/** The state on disk, as another connection finds it. */
interface OnDisk {
  readonly done: number;
  readonly attempts: number;
}

/**
 * A dispatcher over a real database; a second connection looks at the database from outside and so sees committed
 * data only.
 */
class World {
  readonly store: SqliteStore;
  readonly dispatcher: Dispatcher;
  /** The store's own connection. */
  readonly connection: DatabaseSync;
  readonly outside: DatabaseSync;
  readonly received = new Map<ClientId, ServerMessage[]>();
  /** The state on disk at the moment of each acknowledgement. */
  readonly acknowledged: { readonly indexes: readonly number[]; readonly disk: OnDisk }[] = [];
  readonly logged: string[] = [];

  constructor(directory: string) {
    const path = join(directory, "store.sqlite");
    this.connection = new DatabaseSync(path);
    this.connection.exec("PRAGMA journal_mode = WAL");
    const db = new SqliteDatabase(this.connection);
    migrate(db, directory);
    this.store = new SqliteStore(db, { clock: Date.now, markEvery: 1, quotas: noQuotas });
    this.outside = new DatabaseSync(path);
    const log = pino({ level: "debug" }, { write: (line: string) => void this.logged.push(line) });
    this.dispatcher = new Dispatcher({
      store: this.store,
      log,
      listener: { outcomesStored: () => {} },
      scheduler: { graceMs: 30_000, quarantineAfter: 3, speculate: false, auditors: false },
    });
  }

  get onDisk(): OnDisk {
    return this.outside
      .prepare("SELECT done, (SELECT coalesce(sum(attempts), 0) FROM attempts) AS attempts FROM jobs")
      .get() as unknown as OnDisk;
  }

  feed(event: SchedulerEvent): void {
    this.dispatcher.feed(event);
    checkInvariants(this.dispatcher.scheduler.state);
  }

  async submit(count: number): Promise<void> {
    await postKernel(this.store);
    const { job } = await this.store.createJob(newJob());
    await this.store.submit(id, tasks(0, count));
    await this.store.closeJob(id);
    this.dispatcher.addJob(job);
  }

  join(client: ClientId, wanted: number): void {
    const messages: ServerMessage[] = [];
    this.received.set(client, messages);
    const send = (message: ServerMessage): void => {
      if (message.type === "accepted") this.acknowledged.push({ ...message, disk: this.onDisk });
      messages.push(message);
    };
    this.dispatcher.connections.add(client, { send, refuse: () => {}, bye: () => {} });
    const info = {
      id: client,
      kind: "node" as const,
      memoryMb: 1024,
      webgpu: false,
      trusted: true,
      cohort: client,
      slots: 1,
    };
    this.feed({ type: "clientConnected", client: info, held: [], cached: [] });
    this.want(client, wanted);
  }

  want(client: ClientId, wanted: number): void {
    this.feed({ type: "clientWanted", client, tasks: wanted, slots: 1 });
  }

  deliver(client: ClientId, ...results: readonly TaskResult[]): void {
    this.feed({ type: "resultsReceived", client, job: id, results });
  }

  /** Leases sent to a client so far, as `index/attempt`. */
  leases(client: ClientId): string[] {
    return (this.received.get(client) ?? []).flatMap((message) =>
      message.type === "lease" ? message.tasks.map(({ index, attempt }) => `${index}/${attempt}`) : [],
    );
  }

  async leased(client: ClientId, ...expected: readonly string[]): Promise<void> {
    await until(() => expected.every((lease) => this.leases(client).includes(lease)));
  }

  async saidInLog(words: string): Promise<void> {
    await until(() => this.logged.some((line) => line.includes(words)));
  }

  async close(): Promise<void> {
    this.dispatcher.stopLeasing();
    this.outside.close();
    await this.store.close();
  }
}

let world: World;
beforeEach(async () => {
  const opened = new World(await temporaryDirectory());
  world = opened;
  onTestFinished(() => opened.close());
});

function failed(index: number, attempt: number): TaskResult {
  const outcome = { state: "failed" as const, failure: { kind: "error" as const, message: "boom" } };
  return { index, attempt, elapsedMs: 1, outcome };
}

/** While true, nothing can be written. */
function refuseWrites(refused: boolean): void {
  world.connection.exec(`PRAGMA query_only = ${refused ? "ON" : "OFF"}`);
}

describe("an acknowledgement", () => {
  test("[DUR-2] of a result leaves when another process would find the result on disk", async () => {
    await world.submit(3);
    world.join(ada, 3);
    await world.leased(ada, "0/1", "1/1", "2/1");
    world.deliver(ada, done(0), done(1));
    expect(world.acknowledged).toEqual([]);
    await until(() => world.acknowledged.length > 0);
    expect(world.acknowledged).toMatchObject([{ indexes: [0, 1], disk: { done: 2 } }]);
  });

  test("[FAIL-3] of a failed attempt leaves when the attempt is counted on disk", async () => {
    await world.submit(1);
    world.join(ada, 1);
    await world.leased(ada, "0/1");
    world.deliver(ada, failed(0, 1));
    expect(world.acknowledged).toEqual([]);
    await until(() => world.acknowledged.length > 0);
    expect(world.acknowledged).toMatchObject([{ indexes: [0], disk: { attempts: 1 } }]);
  });

  test("of a result whose job was deleted meanwhile leaves all the same, so that its client forgets it", async () => {
    await world.submit(1);
    world.join(ada, 1);
    await world.leased(ada, "0/1");
    await world.store.deleteJob(id);
    const { received } = world;
    const accepted = () => received.get(ada)!.filter(({ type }) => type === "accepted");
    // The deleted job cannot be looked up on disk.
    Object.defineProperty(world, "onDisk", { value: { done: 0, attempts: 0 } });
    world.deliver(ada, done(0));
    await until(() => accepted().length > 0);
    expect(accepted()).toMatchObject([{ job: id, indexes: [0] }]);
  });
});

describe("a commit that the disk refuses", () => {
  test("[DUR-2] [CLAIM-2] acknowledges nothing and opens its tasks for others", async () => {
    await world.submit(1);
    world.join(ada, 1);
    await world.leased(ada, "0/1");
    world.want(ada, 0);
    refuseWrites(true);
    world.deliver(ada, done(0));
    await world.saidInLog("could not store results");
    expect(world.acknowledged).toEqual([]);
    expect(world.onDisk.done).toBe(0);

    refuseWrites(false);
    world.join(bob, 1);
    await world.leased(bob, "0/2");
    world.deliver(bob, done(0, 2));
    await until(() => world.onDisk.done === 1);
  });

  test("[DUR-2] [ONCE-1] the same result, sent again, is taken once", async () => {
    await world.submit(1);
    world.join(ada, 1);
    await world.leased(ada, "0/1");
    refuseWrites(true);
    world.deliver(ada, done(0));
    await world.saidInLog("could not store results");
    refuseWrites(false);
    world.deliver(ada, done(0));
    world.deliver(ada, done(0));
    await until(() => world.acknowledged.length === 2);
    expect(world.onDisk.done).toBe(1);
    expect(world.acknowledged.map(({ disk }) => disk.done)).toEqual([1, 1]);
  });

  test("[FAIL-3] of a failed attempt acknowledges nothing, and the attempt is tried on", async () => {
    await world.submit(1);
    world.join(ada, 1);
    await world.leased(ada, "0/1");
    refuseWrites(true);
    world.deliver(ada, failed(0, 1));
    await world.saidInLog("could not record attempts");
    expect(world.acknowledged).toEqual([]);
    refuseWrites(false);
    await world.leased(ada, "0/2");
    // A restart must not forget the attempt, and its client keeps the failure until then.
    await until(() => world.acknowledged.length === 1);
    expect(world.acknowledged[0]?.disk.attempts).toBe(1);
  });
});

test("[CLAIM-2] a claim that the database fails is made again", async () => {
  await postKernel(world.store);
  const { job } = await world.store.createJob(newJob());
  await world.store.submit(id, tasks(0, 2));
  world.outside.exec("ALTER TABLE taskPacks RENAME TO away");
  world.dispatcher.addJob(job);
  world.join(ada, 2);
  await world.saidInLog("could not claim tasks");
  world.outside.exec("ALTER TABLE away RENAME TO taskPacks");
  await world.leased(ada, "0/1", "1/1");
});

test("[LEASE-4] a server that goes down leases nothing new and still stores what comes", async () => {
  await world.submit(2);
  world.join(ada, 1);
  await world.leased(ada, "0/1");
  world.dispatcher.stopLeasing();
  world.want(ada, 2);
  world.deliver(ada, done(0));
  await until(() => world.acknowledged.length > 0);
  expect(world.onDisk.done).toBe(1);
  expect(world.leases(ada)).toEqual(["0/1"]);
});

test("[END-1] a job that finished leaves the scheduler, which would else grow with every job", async () => {
  await world.submit(1);
  world.join(ada, 1);
  await world.leased(ada, "0/1");
  world.deliver(ada, done(0));
  await until(() => world.onDisk.done === 1);
  await until(() => world.dispatcher.scheduler.state.jobs.size === 0);
});

describe("the debug log", () => {
  test("tells of results that no lease covers, with how their task stands", async () => {
    await world.submit(1);
    world.join(ada, 1);
    await world.leased(ada, "0/1");
    world.join(bob, 0);
    world.deliver(bob, failed(0, 1));
    await world.saidInLog("Ignored a failure without a lease");
    const told = JSON.parse(world.logged.find((line) => line.includes("Ignored "))!) as object;
    expect(told).toMatchObject({ client: bob, job: id, index: 0, attempt: 1 });
    expect(told).toHaveProperty("story", expect.stringContaining(`leased (attempt 1 of ${ada})`));
  });

  test("tells of a message to a client that is away", async () => {
    await world.submit(1);
    world.join(ada, 1);
    await world.leased(ada, "0/1");
    world.dispatcher.connections.remove(ada, world.dispatcher.connections.get(ada)!);
    world.deliver(ada, done(0));
    await world.saidInLog("a message to a client that is away");
  });
});
