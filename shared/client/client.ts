import { PlatformError } from "../errors.ts";
import { decodeServerFrame } from "../wire/protocol.ts";
import { BlobAccess } from "./data/blob-access.ts";
import { FrameWriter } from "./frame-writer.ts";
import { OutboxKeeper } from "./outbox-keeper.ts";
import type { Precacher } from "./data/precacher.ts";
import type { ClientDescription, ClientPorts, TransportConnection, TransportHandlers } from "./ports.ts";
import { describeThrown } from "./sandbox/runner-failure.ts";
import { SandboxDriver } from "./sandbox/driver.ts";
import { heldBlobs, isHeld } from "./session/tasks.ts";
import { isUploadWanted } from "./session/delivery.ts";
import type { SessionEvent, SessionInstruction } from "./session/events.ts";
import type { SessionState } from "./session/state.ts";
import { Session } from "./session/session.ts";
import { statusOf, type ClientStatus } from "./status.ts";

export interface ClientOptions {
  /** Number of kernels that compute at the same time. */
  readonly slots: number;
  /** Addresses of servers, in the order in which they are tried; absent where the transport leads to one server. */
  readonly servers?: readonly string[];
  /** Addresses that `keepIdentity` kept of an earlier client, which are tried before. */
  readonly keptServers?: readonly string[];
  /** Called after each turn of the event loop in which the status changed. */
  readonly onStatus?: (status: ClientStatus) => void;
  /** A task's checkpoints are sent at most this often; 5,000 ms unless told. */
  readonly checkpointIntervalMs?: number;
  /** Called after every event, for invariant checks and diagnostics. */
  readonly onEvent?: ((event: SessionEvent, state: Readonly<SessionState>) => void) | undefined;
}

/** A client that computes for a server, on the platform of its ports. */
export interface Client {
  /** Connects and computes until `pause`, `drain` or `stop`. */
  start(): void;
  /** Asks for no more tasks and hands queued tasks back; running tasks go on. */
  pause(): void;
  resume(): void;
  /** Surplus slots finish their task first. */
  setSlots(slots: number): void;
  /** Each slot computes this share of the time, above 0 and up to 1, and rests between tasks; a task that runs is not interrupted. */
  setShare(share: number): void;
  /** Tells the server, now or when connected, whether kernels can have WebGPU; until then the client's description says so. */
  setWebGpu(has: boolean): void;
  /**
   * Finishes running tasks, hands the others back, delivers the results, and stops. Resolves when the client is stopped; `stop`
   * ends the draining early.
   */
  drain(): Promise<void>;
  /** Stops before this call returns: all leases go back to the server, and every sandbox ends. */
  stop(): void;
  /** The machine has another network, or its network again: a connection that may be dead is tried at once. */
  networkChanged(): void;
  readonly status: ClientStatus;
}

/** Makes a client, which is idle until `start`. */
export function createClient(
  ports: ClientPorts,
  description: ClientDescription,
  options: ClientOptions,
): Client {
  return new ClientRuntime(ports, description, options);
}

const networkBehindMs = 50;
const longestTimerMs = 3_600_000;

interface Link {
  connection: TransportConnection | undefined;
  writer: FrameWriter | undefined;
}

/** Carries out the session's instructions through the ports, and tells the session what happened. */
class ClientRuntime implements Client {
  readonly #ports: ClientPorts;
  readonly #session: Session;
  readonly #onStatus: ((status: ClientStatus) => void) | undefined;
  readonly #onEvent: ClientOptions["onEvent"];
  readonly #blobs: BlobAccess;
  /** Loaded with the first precache: most clients never have one. */
  #precacher: Promise<Precacher> | undefined;
  readonly #sandboxes: SandboxDriver;
  readonly #outbox: OutboxKeeper;
  readonly #events: SessionEvent[] = [];
  readonly #onStopped: (() => void)[] = [];
  #handling = false;
  #turnScheduled = false;
  #statusShown = "";
  #timer: { at: number; cancel: () => void } | undefined;
  /** The newest connection: handlers of an earlier connection compare theirs to it and stay silent. */
  #link: Link | undefined;
  /** A second connection that is being opened. */
  #probe: Link | undefined;

  constructor(ports: ClientPorts, description: ClientDescription, options: ClientOptions) {
    this.#ports = ports;
    this.#onStatus = options.onStatus;
    this.#onEvent = options.onEvent;
    const { slots, servers = [""], keptServers = [], checkpointIntervalMs = 5000 } = options;
    const { random, sandboxes } = ports;
    const { idleMs: sandboxIdleMs = Infinity } = sandboxes;
    this.#session = new Session({
      description,
      slots,
      servers,
      keptServers,
      checkpointIntervalMs,
      sandboxIdleMs,
      random,
    });
    this.#blobs = new BlobAccess(ports, (sha256, ms) => this.#dispatch({ type: "dataFetched", sha256, ms }));
    this.#sandboxes = new SandboxDriver(ports, this.#blobs, (event) => this.#dispatch(event));
    this.#outbox = new OutboxKeeper(ports);
    ports.cache.onChange(({ added, removed }) => {
      const blobs = this.#blobs.wholeBlobs(added);
      if (blobs.length + removed.length > 0) this.#dispatch({ type: "cacheChanged", added: blobs, removed });
    });
  }

  start(): void {
    this.#dispatch({ type: "startAsked" });
  }
  pause(): void {
    this.#dispatch({ type: "pauseAsked" });
  }
  resume(): void {
    this.#dispatch({ type: "resumeAsked" });
  }
  setSlots(slots: number): void {
    this.#dispatch({ type: "slotsChosen", slots });
  }
  setShare(share: number): void {
    this.#dispatch({ type: "shareChosen", share });
  }
  setWebGpu(has: boolean): void {
    this.#dispatch({ type: "webGpuChanged", has });
  }
  async drain(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onStopped.push(resolve);
    this.#dispatch({ type: "drainAsked" });
    await promise;
    await this.#outbox.settled();
  }
  stop(): void {
    this.#dispatch({ type: "stopAsked" });
    this.#endTurn();
  }
  networkChanged(): void {
    this.#dispatch({ type: "networkChanged" });
  }
  get status(): ClientStatus {
    return statusOf(this.#session.state);
  }

  #dispatch(event: SessionEvent): void {
    this.#events.push(event);
    if (this.#handling) return;
    this.#handling = true;
    try {
      for (let next = this.#events.shift(); next; next = this.#events.shift()) {
        const instructions = this.#session.handle(next, this.#ports.clock.now());
        this.#onEvent?.(next, this.#session.state);
        for (const instruction of instructions) this.#carryOut(instruction);
      }
    } finally {
      this.#handling = false;
    }
    if (this.#turnScheduled) return;
    this.#turnScheduled = true;
    queueMicrotask(() => this.#endTurn());
  }

  #carryOut(instruction: SessionInstruction): void {
    switch (instruction.type) {
      case "loadState":
        return this.#loadState();
      case "openConnection":
        return this.#openConnection(instruction.server);
      case "openProbe":
        this.#probe = this.#openLink(instruction.server);
        return;
      case "closeProbe":
        return this.#closeProbe();
      case "closeConnection":
        return this.#closeConnection(instruction.code, instruction.reason);
      case "sendMessage":
        return this.#link?.writer?.push(instruction.message);
      case "keepIdentity":
        return this.#ports.keepIdentity(instruction.identity, instruction.servers);
      case "useTicket":
        return this.#blobs.useTicket(instruction.ticket);
      case "openSandbox":
        return this.#sandboxes.open(instruction);
      case "closeSandbox":
        return this.#sandboxes.close(instruction.sandbox);
      case "runTasks":
        return this.#sandboxes.run(instruction);
      case "fetchQueued":
        return this.#fetchQueued(instruction);
      case "startPrecache":
        return this.#withPrecacher((precacher) => precacher.start(instruction.id, instruction.blobs));
      case "stopPrecache":
        return this.#withPrecacher((precacher) => precacher.stop(instruction.id));
      case "uploadOutput":
        return this.#upload(instruction.upload, instruction.bytes);
      case "saveResults":
        return this.#outbox.save(instruction.entries);
      case "forgetResults":
        return this.#outbox.remove(instruction.keys);
      case "writeLog":
        return this.#ports.log(instruction.level, instruction.message, instruction.details);
      case "finishStop":
        this.#blobs.close();
        for (const resolve of this.#onStopped.splice(0)) resolve();
        return;
    }
  }

  /** Calls the precacher, in the order of the messages. A page that cannot load the precacher's code computes without precaches. */
  #withPrecacher(action: (precacher: Precacher) => void): void {
    this.#precacher ??= import("./data/precacher.ts").then(
      ({ Precacher }) =>
        new Precacher(this.#ports, this.#blobs, {
          held: () => heldBlobs(this.#session.state),
          moved: (id, reach) => this.#dispatch({ type: "precacheMoved", id, ...reach }),
        }),
    );
    this.#precacher.then(action).catch((error: unknown) => {
      this.#precacher = undefined;
      this.#ports.log("warn", `Data cannot be precached: ${describeThrown(error).message}`);
    });
  }

  #loadState(): void {
    const cached = this.#ports.cache.list().catch((error: unknown) => {
      this.#ports.log("warn", `The blob cache could not be read: ${describeThrown(error).message}`);
      return [];
    });
    Promise.all([this.#outbox.load(), cached]).then(
      ([outbox, cached]) => this.#dispatch({ type: "stateLoaded", outbox, cached }),
      () => undefined,
    );
  }

  #openConnection(server: string): void {
    this.#closeProbe();
    this.#link = this.#openLink(server);
  }

  #openLink(server: string): Link {
    const link: Link = { connection: undefined, writer: undefined };
    const isCurrent = () => this.#link === link;
    const handlers: TransportHandlers = {
      opened: () => {
        if (isCurrent()) this.#dispatch({ type: "connectionOpened" });
        else if (this.#probe === link) this.#takeProbe(link);
      },
      received: (frame) => isCurrent() && this.#receive(frame),
      heard: () => isCurrent() && this.#dispatch({ type: "serverHeard" }),
      closed: (code, reason) => {
        if (this.#probe === link) {
          this.#probe = undefined;
          this.#dispatch({ type: "probeFailed" });
        }
        if (!isCurrent()) return;
        this.#link = undefined;
        this.#blobs.disconnected();
        this.#dispatch({ type: "connectionClosed", code, reason });
      },
    };
    const connection = this.#ports.transport.connect(handlers, server);
    link.connection = connection;
    link.writer = new FrameWriter(connection);
    return link;
  }

  #takeProbe(link: Link): void {
    const silent = this.#link;
    this.#link = link;
    this.#probe = undefined;
    this.#blobs.disconnected();
    this.#ports.blobs.renew?.();
    silent?.connection?.close(1000, "");
    this.#dispatch({ type: "probeOpened" });
  }

  #closeProbe(): void {
    const probe = this.#probe;
    this.#probe = undefined;
    probe?.connection?.close(1000, "");
  }

  #closeConnection(code: number, reason: string): void {
    this.#closeProbe();
    const link = this.#link;
    this.#link = undefined;
    this.#blobs.disconnected();
    link?.writer?.flush(true);
    link?.connection?.close(code, reason);
  }

  #receive(frame: Uint8Array): void {
    let messages;
    try {
      messages = decodeServerFrame(frame);
    } catch (cause) {
      const error = PlatformError.from(cause);
      this.#ports.log("warn", `The server sent something this client does not understand: ${error.message}`);
      this.#closeConnection(error.closeCode, error.code);
      this.#dispatch({ type: "connectionClosed", code: error.closeCode, reason: error.message });
      return;
    }
    for (const message of messages) {
      if (message.type === "lease" && message.kernel) this.#blobs.take(message.job.kernel, message.kernel);
      this.#dispatch({ type: "messageReceived", message });
    }
  }

  #fetchQueued({ lease, blobs, input }: Extract<SessionInstruction, { type: "fetchQueued" }>): void {
    const isWanted = () => isHeld(this.#session.state, lease);
    if (input)
      this.#withPrecacher((precacher) => this.#blobs.fetchQueued(precacher.rangesIn(input), isWanted));
    this.#blobs.fetchQueued(blobs, isWanted);
  }

  #upload(upload: number, bytes: Uint8Array): void {
    const { state } = this.#session;
    this.#blobs
      .upload(bytes, () => isUploadWanted(state, upload))
      .then(
        (name) => this.#dispatch({ type: "outputUploaded", upload, name }),
        (error: unknown) => {
          // A stopped client keeps the output in its outbox.
          if (state.mode === "stopped") return;
          const message = `The output could not be stored: ${describeThrown(error).message}`;
          this.#dispatch({ type: "outputRefused", upload, failure: { kind: "data", message } });
        },
      );
  }

  /** Runs once in a turn of the event loop: one frame, one status, one timer. */
  #endTurn(): void {
    this.#turnScheduled = false;
    if (this.#precacher)
      this.#withPrecacher((precacher) => precacher.hold(this.#session.state.mode !== "running"));
    const behind = this.#link?.writer?.flush() === false;
    this.#showStatus();
    this.#setTimer(behind);
  }

  #showStatus(): void {
    if (!this.#onStatus) return;
    const status = this.status;
    const shown = JSON.stringify(status);
    if (shown === this.#statusShown) return;
    this.#statusShown = shown;
    this.#onStatus(status);
  }

  #setTimer(networkBehind: boolean): void {
    const now = this.#ports.clock.now();
    const { wakeAt } = this.#session.state;
    const at = Math.min(wakeAt, networkBehind ? now + networkBehindMs : Infinity);
    if (this.#timer && (at === Infinity || at < this.#timer.at)) {
      this.#timer.cancel();
      this.#timer = undefined;
    }
    // A timer that fires too early does no harm: the end of its turn sets the next one.
    if (this.#timer || at === Infinity) return;
    const cancel = this.#ports.clock.setTimer(Math.min(longestTimerMs, Math.max(0, at - now)), () => {
      this.#timer = undefined;
      this.#dispatch({ type: "timePassed" });
    });
    this.#timer = { at, cancel };
  }
}
