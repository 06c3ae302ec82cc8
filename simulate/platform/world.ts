import type { TransportHandlers } from "../../shared/client/ports.ts";
import { PlatformError } from "../../shared/errors.ts";
import { hasEnded } from "../../shared/wire/rest/job-state.ts";
import { calm, Network, type Host } from "./network.ts";
import { CrashError, Disk } from "./faulty-database.ts";
import { Ledger, must } from "./ledger.ts";
import type { Plan } from "./plan.ts";
import { Program } from "./program.ts";
import { Exchange, type SimulatedRequest, type SimulatedResponse } from "./requests.ts";
import { soundSandboxes, type SandboxRates } from "./sandboxes.ts";
import { checkClaims } from "./postgres-reader.ts";
import { ServerPlace } from "./server-place.ts";
import { ServerProcess } from "./server-process.ts";
import { SocketLink } from "./socket-link.ts";
import { DatabaseStorage, DiskStorage, type Storage } from "./storage.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Trace } from "./trace.ts";
import { Volunteer } from "./volunteer.ts";
import { Process, type VirtualTime } from "./virtual-time.ts";

/** Time after the last fault in which all work has to be done: windows of strangers wait up to half an hour for evidence. */
const restMs = 3 * 3_600_000;
/** Deaths of sandboxes in a world: a third death of a task would rightly quarantine it. */
const mostDeaths = 2;
/** A shared database is compared with the ledger at most this often. */
const checkEveryMs = 500;

/** A source of faults, which are mended in the end. */
interface Storm {
  begin(): void;
  end(): void;
}

/**
 * Servers, their clients and their customers in one process: one server on its disk, or several that share a database. Clients and
 * customers of several servers come to them through a balancer.
 */
export class World implements Surroundings {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly trace: Trace;
  readonly network: Network;
  readonly places: readonly ServerPlace[];
  readonly storage: DiskStorage | DatabaseStorage;
  readonly ledger: Ledger;
  readonly plan: Plan;
  readonly volunteers: Volunteer[] = [];
  readonly programs: Program[] = [];
  sandboxRates: SandboxRates = soundSandboxes;
  /** The first broken rule. */
  failure: Error | undefined;
  #deaths = 0;
  #isClearing = false;
  readonly #secrets = new Map<string, string>();

  constructor(parts: { plan: Plan; time: VirtualTime; random: () => number; trace: Trace }) {
    const { plan, time, random, trace } = parts;
    this.plan = plan;
    this.time = time;
    this.random = random;
    this.trace = trace;
    this.network = new Network(time, random);
    this.places = Array.from(
      { length: plan.servers },
      (_, at) => new ServerPlace(at === 0 ? "server" : `server-${at}`),
    );
    this.storage = plan.servers === 1 ? this.#makeDisk() : this.#makeDatabase();
    this.ledger = new Ledger(new Map(plan.programs.flat().map((job) => [job.name, job])));
    time.readMs = plan.readMs;
    time.onThrown = (error, process) => this.thrown(error, process);
    time.afterStep = (process) => {
      for (const { server } of this.places) if (server?.process === process) server.checkInvariants();
    };
  }

  #makeDisk(): DiskStorage {
    const crash = (process: Process, delayMs: number): void => this.#crashSoon(process, delayMs);
    return new DiskStorage(new Disk(this.random, this.trace, crash));
  }

  #makeDatabase(): DatabaseStorage {
    const storage = new DatabaseStorage(this, this.places);
    const { model } = storage;
    model.onFailure = (error) => this.fail(error);
    let checkedAt = 0;
    model.onCommitted = () => {
      if (this.time.now < checkedAt + checkEveryMs) return;
      checkedAt = this.time.now;
      this.time.schedule(model.process, 0, "inspection", () => {
        if (!model.writer && !this.#isClearing) this.#inspect(storage);
      });
    };
    return storage;
  }

  /** Compares a database that servers share with all acknowledgements. */
  #inspect(storage: Storage): void {
    try {
      checkClaims(storage.connection);
    } catch (error) {
      this.fail(error);
    }
    storage
      .inspect(undefined, (store) => this.ledger.compare(store))
      .catch((error: unknown) => this.fail(error));
  }

  /** A server that runs. */
  get server(): ServerProcess | undefined {
    return this.places.find(({ server }) => server?.process.isAlive)?.server;
  }

  fail(error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  /** Takes an error that a step or a promise of a process threw. */
  thrown(error: unknown, process: Process): void {
    if (error instanceof CrashError || !process.isAlive) return;
    this.trace.note(`${process.name} threw: ${String(error)}`);
    this.fail(error);
  }

  /** Runs the world to its end, for a while under a storm. @throws Violation */
  async run(storm: Storm): Promise<void> {
    const { time, plan } = this;
    const done = (): boolean => this.failure !== undefined || this.programs.every(({ isDone }) => isDone);
    await this.#open();
    storm.begin();
    const isEarly = await time.runUntil(done, time.now + plan.stormMs);
    storm.end();
    if (this.failure) throw this.failure;
    for (const program of this.programs) program.boot(10);
    for (const volunteer of this.volunteers) volunteer.boot(10);
    const isDone = isEarly || (await time.runUntil(done, time.now + restMs));
    if (this.failure) throw this.failure;
    must(isDone, () => `a program waits for ever: ${this.#describe()}`);
    await this.#rest();
  }

  /** Starts the first server, makes the tokens, and starts all others. */
  async #open(): Promise<void> {
    const { plan } = this;
    for (const place of this.places) this.#startServer(place, 0);
    await this.#until(() => this.server !== undefined);
    const isMade = this.#administer((server) => this.#makeTokens(server));
    await this.#until(isMade);
    for (const one of plan.volunteers) {
      const volunteer = new Volunteer(this, { ...one, token: this.#secrets.get(one.name) });
      this.volunteers.push(volunteer);
      volunteer.boot(1000 * this.random());
    }
    plan.programs.forEach((jobs, at) => {
      const name = `program-${at}`;
      const program = new Program(this, name, this.#secrets.get(name)!, jobs);
      this.programs.push(program);
      program.boot(2000 * this.random());
    });
  }

  async #until(isOver: () => boolean): Promise<void> {
    const { time } = this;
    const isDone = await time.runUntil(() => this.failure !== undefined || isOver(), time.now + 60_000);
    if (this.failure) throw this.failure;
    must(isDone, () => "the server does not start");
  }

  async #makeTokens({ access }: ServerProcess): Promise<void> {
    const make = async (role: "client" | "customer", name: string): Promise<string> => {
      const { secret, info } = await access.createToken({ role, name });
      this.#secrets.set(name, secret);
      return info.id;
    };
    for (const name of this.plan.trusted) await make("client", name);
    for (const at of this.plan.programs.keys()) await make("customer", `program-${at}`);
    for (const [at, place] of this.places.entries()) {
      const name = at === 0 ? "auditor" : `auditor-${at}`;
      const tokenId = await make("client", name);
      const conduct = { slowness: 1, lies: false, hoards: false };
      const auditor = { name, address: "127.0.0.1", kind: "node", slots: 1, ...conduct } as const;
      const volunteer = new Volunteer(this, { ...auditor, token: this.#secrets.get(name) });
      place.auditor = { tokenId, volunteer };
    }
  }

  /**
   * Has an administrator act on a server, again as long as its database fails or no server is there.
   * @returns whether it is done
   */
  #administer(action: (server: ServerProcess) => Promise<void>): () => boolean {
    let isDone = false;
    const attempt = (): void => {
      const { server } = this;
      const later = (): void => {
        this.time.schedule(new Process("administrator"), 1000, "administrator tries again", attempt);
      };
      if (!server) return later();
      this.time.schedule(server.process, 0, "administrator", () => {
        const again = (error: unknown): void => {
          const { code, cause } = PlatformError.from(error);
          // The disk kills a server whose last commit is in doubt.
          if (code === "STORE_FAILED" || cause instanceof CrashError) later();
          else this.fail(error);
        };
        action(server).then(() => (isDone = true), again);
      });
    };
    attempt();
    return () => isDone;
  }

  #startServer(place: ServerPlace, delayMs: number): void {
    const process = place.nextLife();
    this.time.schedule(process, delayMs, "server starts", () => {
      this.#boot(place, process).catch((error: unknown) => {
        if (!process.isAlive) return;
        // A supervisor starts it again.
        this.trace.fault("server did not start", String(error));
        this.#endServer(place, process, 500);
      });
    });
  }

  async #boot(place: ServerPlace, process: Process): Promise<void> {
    const server = await ServerProcess.start(process, place.name, this.storage, {
      auditors: this.plan.auditors,
      isAuditor: (tokenId) => tokenId !== undefined && tokenId === place.auditor?.tokenId,
      onAuditorsCalled: () => place.auditor?.volunteer.boot(50),
      onFailure: (line) => this.#onFailure(line, process),
    });
    await this.storage
      .inspect(server.store, (store) => this.ledger.compare(store))
      .catch((error: unknown) => this.fail(error));
    if (process.isAlive) place.server = server;
  }

  /** Failures that a faulty disk does not explain are failures of the code. */
  #onFailure(line: string, process: Process): void {
    if (!process.isAlive) return;
    this.trace.note(`${process.name} log: ${line.slice(0, 1000).trim()}`);
    const { err, msg } = JSON.parse(line) as {
      err?: { type?: string; code?: string; stack?: string };
      msg?: string;
    };
    const isOfDisk = /^STORE_|^SHUTTING_DOWN$/.test(err?.code ?? "") || err?.stack?.includes("CrashError");
    if (err && !isOfDisk) this.fail(new Error(`the server logged "${msg}": ${err.stack ?? err.type}`));
  }

  /** The server dies at once, and is started again. */
  crashServer(place: ServerPlace, downMs: number): void {
    this.#endServer(place, place.process, downMs);
  }

  #crashSoon(process: Process, delayMs: number): void {
    const downMs = 50 + 3000 * this.random() ** 2;
    const [place] = this.places;
    if (delayMs === 0) this.#endServer(place!, process, downMs);
    else this.time.schedule(process, delayMs, "crash", () => this.#endServer(place!, process, downMs));
  }

  #endServer(place: ServerPlace, process: Process, downMs: number): void {
    if (!process.isAlive) return;
    const isTold = this.random() < 0.8;
    place.end(isTold);
    this.storage.processGone(process, isTold);
    this.#startServer(place, downMs);
  }

  /** Ends the server as SIGTERM does. */
  stopServer(place: ServerPlace, downMs: number): void {
    const { server } = place;
    if (!server) return;
    this.time.schedule(server.process, 0, "administrator", () => {
      const end = (): void => this.#endServer(place, server.process, downMs);
      void server.stop().then(end, (error: unknown) => this.thrown(error, server.process));
      // The last frames leave before the process ends.
    });
  }

  connect(host: Host, client: Process, handlers: TransportHandlers): SocketLink {
    const place = this.#placeFor(host);
    const link = new SocketLink(this.network, host, client, handlers, place.server);
    place.addLink(link);
    return link;
  }

  request(
    host: Host,
    request: SimulatedRequest,
    options: { silenceMs: number; signal?: AbortSignal | null | undefined },
  ): Promise<SimulatedResponse> {
    const place = this.#placeFor(host);
    const exchange = new Exchange(this.network, host, place.server, request, options);
    place.addExchange(exchange);
    return exchange.response;
  }

  /** The server that a connection of a host comes to: mostly one that runs. */
  #placeFor(host: Host): ServerPlace {
    const own = this.places.find(({ auditor }) => auditor?.volunteer === host);
    if (own) return own;
    if (this.places.length === 1) return this.places[0]!;
    const running = this.places.filter(({ server }) => server);
    const among = running.length > 0 && this.random() < 0.9 ? running : this.places;
    return among[Math.floor(this.random() * among.length)]!;
  }

  get links(): readonly SocketLink[] {
    return this.places.flatMap(({ links }) => links);
  }

  clientGone(process: Process, isTold: boolean): void {
    for (const place of this.places) place.clientGone(process, isTold);
  }

  mayKillSandbox(): boolean {
    return this.#deaths < mostDeaths && this.random() < 0.5 && ++this.#deaths > 0;
  }

  /** Ends the world after all programs: remaining jobs end, and memory and disk must become empty. */
  async #rest(): Promise<void> {
    const { time } = this;
    this.network.rates = calm;
    const settle = async (server: ServerProcess): Promise<void> => {
      for (const row of await server.store.listJobs({ active: true })) {
        const plan = this.ledger.planOf(row.name);
        // Programs that were killed left jobs open; those that had all inputs go on without them.
        if (row.state === "open" || plan.pauseAtMs !== undefined || plan.isAfter)
          await server.platform.cancel(row.id);
      }
    };
    const isQuiet = this.#administer(settle);
    const isOver = (): boolean => isQuiet() && this.#isAtRest();
    const rested = await time.runUntil(() => this.failure !== undefined || isOver(), time.now + restMs);
    if (this.failure) throw this.failure;
    must(rested, () => `nothing is left to do, and memory is not empty: ${this.#describe()}`);
    const clear = async (server: ServerProcess): Promise<void> => {
      if (!this.#isClearing) {
        await this.storage.inspect(server.store, (store) => this.ledger.compare(store));
        this.ledger.clear();
        this.#isClearing = true;
      }
      for (const row of await server.store.listJobs()) {
        must(hasEnded(row.state), () => `job ${row.id} has not ended`);
        await server.platform.deleteJob(row.id);
      }
      for (const [customer, { inputBytes, outputBytes, jobs, openTasks }] of await server.store.usages())
        must(
          inputBytes === 0 && outputBytes === 0 && jobs === 0 && openTasks === 0,
          () =>
            `all jobs are deleted, and ${customer} still uses ${inputBytes + outputBytes} bytes, ${openTasks} tasks`,
        );
    };
    await this.#until(this.#administer(clear));
    // A deletion that failed half-way is completed by the next server.
    for (const place of this.places) this.stopServer(place, 10);
    await this.#until(() => this.server === undefined);
    await this.#until(() => this.places.every(({ server }) => server !== undefined));
    await time.runUntil(() => this.failure !== undefined, time.now + 2000);
    if (this.failure) throw this.failure;
    this.#checkTables();
  }

  #isAtRest(): boolean {
    for (const { server } of this.places) {
      if (!server) return false;
      const { state } = server.platform.dispatcher.scheduler;
      if (state.jobs.size > 0 || state.unmet.size > 0) return false;
      for (const { leases, heldMs } of state.clients.values())
        if (leases.size > 0 || heldMs > 1e-6) return false;
      for (const { windows } of state.reputations.values()) if (windows.size > 0) return false;
    }
    return this.volunteers.every((volunteer) => volunteer.isIdle);
  }

  #checkTables(): void {
    const { connection } = this.storage;
    const tables = connection
      .prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND (sql LIKE '%job %INTEGER%' OR sql LIKE '%job %BIGINT%')",
      )
      .all() as { name: string }[];
    for (const { name } of [...tables, { name: "jobs" }]) {
      const { rows } = connection.prepare(`SELECT count(*) AS rows FROM ${name}`).get() as { rows: number };
      must(rows === 0, () => `all jobs are deleted, and ${rows} rows are left in ${name}`);
    }
  }

  /** The state of servers, clients and customers, for a world that does not come to its end. */
  #describe(): string {
    const jobs = this.places.flatMap(({ name, server }) => {
      if (!server) return [`${name} is down`];
      const { state } = server.platform.dispatcher.scheduler;
      const about = [...state.clients.values()].map(
        ({ info, wanted, vanishedAt, leases }) =>
          `${info.id}${vanishedAt === undefined ? "" : " (gone)"} wants ${wanted}, has ${leases.size}`,
      );
      const lines = [...state.jobs.values()].map(
        ({ id, info, tasks, queue, audits, seconds, windows, exhausted, claiming }) =>
          `  ${id} ${info.descriptor.name}: ${tasks.size} tasks, ${queue.size} queued, ${audits.size} audits, ${seconds.size} seconds, ` +
          `${windows.size} windows, exhausted ${exhausted}, claiming ${claiming}, paused ${info.paused}`,
      );
      return [`${name}: ${about.join("; ")}`, ...lines];
    });
    const clients = this.volunteers.map(
      ({ name, outbox, client }) => `${name}: ${outbox.size} kept, ${JSON.stringify(client?.status)}`,
    );
    const programs = this.programs.map(({ name, isDone }) => `${name}: ${isDone ? "done" : "waits"}`);
    const rows = this.storage.connection
      .prepare("SELECT id, state, paused, total, done, failed, provisional FROM jobs")
      .all();
    return [...programs, ...jobs, ...clients, JSON.stringify(rows)].join("\n  ");
  }
}
