import { sha256Hex } from "../../shared/hash.ts";
import type { ClientId, JobId } from "../../shared/ids.ts";
import type { ClientMessage, JobDescriptor, LeasedTask, ServerMessage } from "../../shared/wire/protocol.ts";
import type { Identity } from "../../shared/wire/identity.ts";
import type { SandboxReport } from "../../shared/client/ports.ts";
import type { FinishedTask } from "../../shared/client/sandbox-task.ts";
import type { SessionEvent, SessionInstruction } from "../../shared/client/session/events.ts";
import { checkInvariants } from "../../shared/client/session/invariants.ts";
import type { Bundle } from "../../shared/client/session/state.ts";
import { Session, type SessionOptions } from "../../shared/client/session/session.ts";

export const identity: Identity = { client: "c_aaaaaaaaaaaaaaaa" as ClientId, secret: "s".repeat(32) };
export const kernelName = { sha256: sha256Hex(new Uint8Array([1])), size: 1 };

export function descriptor(overrides: Partial<JobDescriptor> = {}): JobDescriptor {
  return {
    id: "j_aaaaaaaaaaaaaaaa" as JobId,
    name: "job",
    customer: "ada",
    kernel: kernelName,
    seed: "0",
    timeoutMs: 60_000,
    memoryMb: 64,
    ...overrides,
  };
}

export function leased(index: number, overrides: Partial<LeasedTask> = {}): LeasedTask {
  return { index, attempt: 1, input: new Uint8Array([index]), ...overrides };
}

export function finished(index: number, output = new Uint8Array([index])): FinishedTask {
  return { index, outcome: { state: "done", output, refs: [] } };
}

/** A session on a clock of its own whose invariants are checked after every event. */
export class SessionHarness {
  readonly session: Session;
  now = 1000;

  constructor(options: Partial<SessionOptions> & { token?: string } = {}) {
    const { token, ...rest } = options;
    this.session = new Session({
      description: {
        identity,
        kind: "node",
        name: "test",
        memoryMb: 1024,
        webgpu: false,
        version: "0.1.0",
        ...(token !== undefined && { token }),
      },
      slots: 2,
      servers: ["http://a/"],
      checkpointIntervalMs: 5000,
      sandboxIdleMs: 1000,
      random: () => 0.5,
      ...rest,
    });
  }

  feed(event: SessionEvent): SessionInstruction[] {
    const out = this.session.handle(event, this.now);
    checkInvariants(this.session.state);
    return out;
  }

  pass(ms: number): SessionInstruction[] {
    this.now += ms;
    return this.feed({ type: "timePassed" });
  }

  hear(message: ServerMessage): SessionInstruction[] {
    return this.feed({ type: "messageReceived", message });
  }

  welcome(
    dropped: Extract<ServerMessage, { type: "welcome" }>["dropped"] = [],
    version = "0.1.0",
  ): SessionInstruction[] {
    return this.hear({
      type: "welcome",
      version,
      identity,
      ticket: "ticket",
      heartbeatMs: 15_000,
      dropped,
    });
  }

  /** Starts the session, connects it and welcomes it. */
  join(): SessionInstruction[] {
    return [
      ...this.feed({ type: "startAsked" }),
      ...this.feed({ type: "stateLoaded", outbox: [], cached: [] }),
      ...this.feed({ type: "connectionOpened" }),
      ...this.welcome(),
    ];
  }

  /** Loses the connection and connects anew. @returns the instructions on the new connection */
  rejoin(dropped: Extract<ServerMessage, { type: "welcome" }>["dropped"] = []): SessionInstruction[] {
    this.feed({ type: "connectionClosed", code: 1006, reason: "" });
    this.pass(30_000);
    return [...this.feed({ type: "connectionOpened" }), ...this.welcome(dropped)];
  }

  lease(tasks: readonly LeasedTask[], job = descriptor()): SessionInstruction[] {
    return this.hear({ type: "lease", job, tasks: [...tasks] });
  }

  bundleOf(slot: number): Bundle {
    const work = this.session.state.slots.get(slot)?.work;
    if (work?.state !== "bundled") throw new Error(`slot ${slot} is ${work?.state}`);
    return work;
  }

  /** Loads the kernel of a slot and begins its bundle. */
  begin(slot: number): SessionInstruction[] {
    const { run } = this.bundleOf(slot);
    return [
      ...this.feed({ type: "loadStarted", slot, run }),
      ...this.feed({ type: "bundleStarted", slot, run }),
    ];
  }

  report(slot: number, report: SandboxReport): SessionInstruction[] {
    const sandbox = this.session.state.slots.get(slot)?.sandbox?.id ?? 0;
    return this.feed({ type: "tasksReported", slot, sandbox, report });
  }

  crash(slot: number, kind: "crash" | "memory" = "crash", reason = "it died"): SessionInstruction[] {
    const sandbox = this.session.state.slots.get(slot)?.sandbox?.id ?? 0;
    return this.feed({ type: "sandboxEnded", slot, sandbox, kind, reason });
  }

  /** Finishes some tasks of a job in so many ms each, which teaches the session how long the others take. */
  teach(elapsedMs: number, job = descriptor()): void {
    for (let index = 1000; index < 1006; index++) {
      this.lease([leased(index)], job);
      this.begin(0);
      this.now += elapsedMs;
      this.report(0, { finished: [finished(index)] });
      this.hear({ type: "accepted", job: job.id, indexes: [index] });
    }
  }
}

export function ofType<T extends SessionInstruction["type"]>(
  instructions: readonly SessionInstruction[],
  type: T,
): Extract<SessionInstruction, { type: T }>[] {
  return instructions.filter(
    (instruction): instruction is Extract<SessionInstruction, { type: T }> => instruction.type === type,
  );
}

/**
 * The reasons for which a session ignored an event.
 * @throws Error when an instruction is of another kind
 */
export function ignored(instructions: readonly SessionInstruction[]): string[] {
  return instructions.map((instruction) => {
    if (instruction.type !== "writeLog" || !instruction.message.startsWith("Ignored "))
      throw new Error(`The event was not ignored: ${JSON.stringify(instruction)}`);
    return instruction.message.slice("Ignored ".length);
  });
}

export function sent<T extends ClientMessage["type"]>(
  instructions: readonly SessionInstruction[],
  type: T,
): Extract<ClientMessage, { type: T }>[] {
  return ofType(instructions, "sendMessage")
    .map(({ message }) => message)
    .filter((message): message is Extract<ClientMessage, { type: T }> => message.type === type);
}
