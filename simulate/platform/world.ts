import type { TransportHandlers } from "../../shared/client/ports.ts";
import { hasEnded } from "../../shared/wire/rest.ts";
import { calm, Network, type Host } from "./network.ts";
import { CrashError, Disk } from "./faulty-database.ts";
import { Ledger, must } from "./ledger.ts";
import type { Plan } from "./plan.ts";
import { Program } from "./program.ts";
import { Exchange, type SimulatedRequest, type SimulatedResponse } from "./requests.ts";
import { soundSandboxes, type SandboxRates } from "./sandboxes.ts";
import { ServerProcess } from "./server-process.ts";
import { SocketLink } from "./socket-link.ts";
import type { Surroundings } from "./surroundings.ts";
import type { Trace } from "./trace.ts";
import { Volunteer } from "./volunteer.ts";
import { Process, type VirtualTime } from "./virtual-time.ts";

/** Time after the last fault in which all work has to be done: windows of strangers wait up to half an hour for evidence. */
const restMs = 3 * 3_600_000;
/** Deaths of sandboxes in a world: a third death of a task would rightly quarantine it. */
const mostDeaths = 2;

/** Makes things go wrong, and mends them in the end. */
interface Storm {
  begin(): void;
  end(): void;
}

/**
 * A server, its clients and its customers in one process. The server is a place on the network: at any time one process or none serves
 * there, on a disk that stays. (Several servers would be several such places on one store.)
 */
export class World implements Surroundings {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly trace: Trace;
  readonly network: Network;
  readonly disk: Disk;
  readonly ledger: Ledger;
  readonly plan: Plan;
  readonly volunteers: Volunteer[] = [];
  readonly programs: Program[] = [];
  server: ServerProcess | undefined;
  sandboxRates: SandboxRates = soundSandboxes;
  /** The first broken rule. */
  failure: Error | undefined;
  #serverProcess = new Process("server");
  #lives = 0;
  #deaths = 0;
  #links: SocketLink[] = [];
  #exchanges: Exchange[] = [];
  #auditor: { readonly tokenId: string; readonly volunteer: Volunteer } | undefined;
  readonly #secrets = new Map<string, string>();

  constructor(parts: { plan: Plan; time: VirtualTime; random: () => number; trace: Trace }) {
    const { plan, time, random, trace } = parts;
    this.plan = plan;
    this.time = time;
    this.random = random;
    this.trace = trace;
    this.network = new Network(time, random);
    this.disk = new Disk(random, trace, (process, delayMs) => this.#crashSoon(process, delayMs));
    this.ledger = new Ledger(new Map(plan.programs.flat().map((job) => [job.name, job])));
    time.readMs = plan.readMs;
    time.onThrown = (error, process) => this.thrown(error, process);
    time.afterStep = (process) => {
      if (process === this.server?.process) this.server.checkInvariants();
    };
  }

  fail(error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  /** Takes what a step or a promise of a process threw. */
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
    this.#startServer(0);
    let isMade = false;
    const begin = async (): Promise<void> => {
      await this.#makeTokens();
      isMade = true;
    };
    await this.#until(() => this.server !== undefined);
    this.inServer(() => void begin().catch((error: unknown) => this.fail(error)));
    await this.#until(() => isMade);
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

  async #makeTokens(): Promise<void> {
    const { access } = this.server!;
    const make = async (role: "client" | "customer", name: string): Promise<string> => {
      const { secret, info } = await access.createToken({ role, name });
      this.#secrets.set(name, secret);
      return info.id;
    };
    for (const name of this.plan.trusted) await make("client", name);
    for (const at of this.plan.programs.keys()) await make("customer", `program-${at}`);
    const tokenId = await make("client", "auditor");
    const conduct = { slowness: 1, lies: false, hoards: false };
    const auditor = { name: "auditor", address: "127.0.0.1", kind: "node", slots: 1, ...conduct } as const;
    this.#auditor = {
      tokenId,
      volunteer: new Volunteer(this, { ...auditor, token: this.#secrets.get("auditor") }),
    };
  }

  /** Runs a step of the server's process, when there is one. */
  inServer(action: (server: ServerProcess) => void): void {
    const { server } = this;
    if (server) this.time.schedule(server.process, 0, "administrator", () => action(server));
  }

  #startServer(delayMs: number): void {
    const process = new Process(`server.${++this.#lives}`);
    this.#serverProcess = process;
    this.time.schedule(process, delayMs, "server starts", () => {
      this.#boot(process).catch((error: unknown) => {
        if (!process.isAlive) return;
        // A supervisor starts it again.
        this.trace.fault("server did not start", String(error));
        this.#endServer(process, 500);
      });
    });
  }

  async #boot(process: Process): Promise<void> {
    const server = await ServerProcess.start(process, this.disk, {
      auditors: this.plan.auditors,
      isAuditor: (tokenId) => tokenId !== undefined && tokenId === this.#auditor?.tokenId,
      onAuditorsCalled: () => this.#auditor?.volunteer.boot(50),
      onFailure: (line) => this.#onFailure(line, process),
    });
    await this.disk
      .soundly(() => this.ledger.compare(server.store))
      .catch((error: unknown) => this.fail(error));
    if (process.isAlive) this.server = server;
  }

  /** Failures that a faulty disk does not explain are failures of the code. */
  #onFailure(line: string, process: Process): void {
    if (!process.isAlive) return;
    this.trace.note(`${process.name} log: ${line.slice(0, 1000).trim()}`);
    const { err, msg } = JSON.parse(line) as {
      err?: { type?: string; code?: string; stack?: string };
      msg?: string;
    };
    const isOfDisk = err?.code?.startsWith("STORE_") || err?.stack?.includes("CrashError");
    if (err && !isOfDisk) this.fail(new Error(`the server logged "${msg}": ${err.stack ?? err.type}`));
  }

  /** The server dies at once, or in a moment, and is started again. */
  crashServer(downMs: number): void {
    this.#endServer(this.#serverProcess, downMs);
  }

  #crashSoon(process: Process, delayMs: number): void {
    const downMs = 50 + 3000 * this.random() ** 2;
    if (delayMs === 0) this.#endServer(process, downMs);
    else this.time.schedule(process, delayMs, "crash", () => this.#endServer(process, downMs));
  }

  #endServer(process: Process, downMs: number): void {
    if (!process.isAlive) return;
    process.isAlive = false;
    if (this.server?.process === process) this.server = undefined;
    const isTold = this.random() < 0.8;
    for (const link of this.#links) link.serverGone(isTold);
    this.#links = [];
    for (const exchange of this.#exchanges) exchange.serverGone(isTold);
    this.#exchanges = [];
    if (this.#auditor?.volunteer.process.isAlive) this.#auditor.volunteer.kill(false);
    this.#startServer(downMs);
  }

  /** Ends the server as SIGTERM does. */
  stopServer(downMs: number): void {
    const { server } = this;
    if (!server) return;
    this.inServer(() => {
      const end = (): void => this.#endServer(server.process, downMs);
      void server.stop().then(end, (error: unknown) => this.thrown(error, server.process));
      // The last frames leave before the process ends.
    });
  }

  holdServer(ms: number): void {
    this.#serverProcess.heldUntil = this.time.now + ms;
  }

  get serverProcess(): Process {
    return this.#serverProcess;
  }

  connect(host: Host, client: Process, handlers: TransportHandlers): SocketLink {
    const link = new SocketLink(this.network, host, client, handlers, this.server);
    this.#links = this.#links.filter(({ isOpen }) => isOpen);
    this.#links.push(link);
    return link;
  }

  request(
    host: Host,
    request: SimulatedRequest,
    options: { silenceMs: number; signal?: AbortSignal | null | undefined },
  ): Promise<SimulatedResponse> {
    const exchange = new Exchange(this.network, host, this.server, request, options);
    this.#exchanges = this.#exchanges.filter(({ isOver }) => !isOver);
    this.#exchanges.push(exchange);
    return exchange.response;
  }

  get links(): readonly SocketLink[] {
    return this.#links.filter(({ isOpen }) => isOpen);
  }

  clientGone(process: Process, isTold: boolean): void {
    for (const link of this.#links) if (link.isOf(process)) link.clientGone(isTold);
  }

  mayKillSandbox(): boolean {
    return this.#deaths < mostDeaths && this.random() < 0.5 && ++this.#deaths > 0;
  }

  /** After all programs are done: what is left ends, and nothing stays in memory or on disk. */
  async #rest(): Promise<void> {
    const { time } = this;
    this.network.rates = calm;
    let isQuiet = false;
    const settle = async (server: ServerProcess): Promise<void> => {
      for (const row of await server.store.listJobs({ active: true })) {
        const plan = this.ledger.planOf(row.name);
        // Programs that were killed left jobs open; those that had all inputs go on without them.
        if (row.state === "open" || plan.pauseAtMs !== undefined || plan.isAfter)
          await server.platform.cancel(row.id);
      }
      isQuiet = true;
    };
    this.inServer((server) => void settle(server).catch((error: unknown) => this.fail(error)));
    const isOver = (): boolean => isQuiet && this.#isAtRest();
    const rested = await time.runUntil(() => this.failure !== undefined || isOver(), time.now + restMs);
    if (this.failure) throw this.failure;
    must(rested, () => `nothing is left to do, and memory is not empty: ${this.#describe()}`);
    let isCleared = false;
    const clear = async (server: ServerProcess): Promise<void> => {
      await this.ledger.compare(server.store);
      this.ledger.clear();
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
      isCleared = true;
    };
    this.inServer((server) => void clear(server).catch((error: unknown) => this.fail(error)));
    await this.#until(() => isCleared);
    // A deletion that failed half-way is completed by the next server.
    this.stopServer(10);
    await this.#until(() => this.server === undefined);
    await this.#until(() => this.server !== undefined);
    await time.runUntil(() => this.failure !== undefined, time.now + 2000);
    if (this.failure) throw this.failure;
    this.#checkTables();
  }

  #isAtRest(): boolean {
    const { server } = this;
    if (!server) return false;
    const { state } = server.platform.dispatcher.scheduler;
    if (state.jobs.size > 0 || state.unmet.size > 0) return false;
    for (const { leases, heldMs } of state.clients.values())
      if (leases.size > 0 || heldMs > 1e-6) return false;
    for (const { windows } of state.reputations.values()) if (windows.size > 0) return false;
    return this.volunteers.every((volunteer) => volunteer.isIdle);
  }

  #checkTables(): void {
    const { connection } = this.disk;
    const tables = connection
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%job %INTEGER%'")
      .all() as { name: string }[];
    for (const { name } of [...tables, { name: "jobs" }]) {
      const { rows } = connection.prepare(`SELECT count(*) AS rows FROM ${name}`).get() as { rows: number };
      must(rows === 0, () => `all jobs are deleted, and ${rows} rows are left in ${name}`);
    }
  }

  /** The state of everything, for a world that does not come to its end. */
  #describe(): string {
    const jobs = [...(this.server?.platform.dispatcher.scheduler.state.jobs.values() ?? [])].map(
      ({ id, info, tasks, queue, audits, windows, exhausted, claiming }) =>
        `${id} ${info.descriptor.name}: ${tasks.size} tasks, ${queue.size} queued, ${audits.size} audits, ${windows.size} windows, ` +
        `exhausted ${exhausted}, claiming ${claiming}, paused ${info.paused}`,
    );
    const clients = this.volunteers.map(
      ({ name, outbox, client }) => `${name}: ${outbox.size} kept, ${JSON.stringify(client?.status)}`,
    );
    const programs = this.programs.map(({ name, isDone }) => `${name}: ${isDone ? "done" : "waits"}`);
    const rows = this.disk.connection
      .prepare("SELECT id, state, paused, total, done, failed, provisional FROM jobs")
      .all();
    return [...programs, ...jobs, ...clients, JSON.stringify(rows)].join("\n  ");
  }
}
