import * as v from "valibot";
import { blobNameSchema, type BlobName } from "../../data-reference.ts";
import { PlatformError } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Failure, LeasedTask } from "../../wire/protocol.ts";
import type { BlobAccess } from "../data/blob-access.ts";
import type { ClientPorts, Sandbox, SandboxCommands, SandboxHost } from "../ports.ts";
import type { SandboxTask } from "../sandbox-task.ts";
import { clip, describeThrown } from "./runner-failure.ts";
import { packTasks } from "./packs.ts";
import { readReport } from "./report.ts";
import type { SessionEvent, SessionInstruction } from "../session/events.ts";

type Instruction<T extends SessionInstruction["type"]> = Extract<SessionInstruction, { type: T }>;

/** Deadline for the start of a sandbox. */
const openMs = 60_000;
/** A call into a dying sandbox rejects about when `ended` resolves: the driver waits this long for the reason. */
const endMs = 250;

interface Entry {
  readonly slot: number;
  readonly id: number;
  readonly opening: Promise<Sandbox>;
  sandbox: Sandbox | undefined;
  closed: boolean;
  kernelLoaded: boolean;
  /** Commands of the machine for its kernel. */
  readonly commands: SandboxCommands | undefined;
}

/** Ports that sandboxes need. */
type Ports = Pick<ClientPorts, "sandboxes" | "blobs" | "clock" | "log" | "distrust" | "commands">;

/** Carries out the session's instructions about sandboxes, and tells the session what they do. */
export class SandboxDriver {
  readonly #ports: Ports;
  readonly #blobs: BlobAccess;
  readonly #dispatch: (event: SessionEvent) => void;
  readonly #entries = new Map<number, Entry>();
  /** Data for kernels. */
  readonly #data: Pick<SandboxHost, "data" | "put"> = {
    data: async (name, range) => this.#blobs.read(checkName(name), checkRange(range)),
    put: async (bytes) => {
      if (!(bytes instanceof Uint8Array)) throw new PlatformError("BAD_REQUEST", "put expects a Uint8Array.");
      return this.#blobs.upload(bytes);
    },
  };

  constructor(ports: Ports, blobs: BlobAccess, dispatch: (event: SessionEvent) => void) {
    this.#ports = ports;
    this.#blobs = blobs;
    this.#dispatch = dispatch;
  }

  open(instruction: Instruction<"openSandbox">): void {
    const { slot, sandbox: id } = instruction;
    const commands = this.#ports.commands?.forSandbox(instruction, this.#data);
    const opening = this.#create(instruction, commands);
    const entry: Entry = {
      slot,
      id,
      opening,
      sandbox: undefined,
      closed: false,
      kernelLoaded: false,
      commands,
    };
    this.#entries.set(id, entry);
    opening.then(
      (sandbox) => this.#opened(entry, sandbox),
      (error: unknown) => this.#failed(entry, error),
    );
  }

  async #create(
    instruction: Instruction<"openSandbox">,
    commands: SandboxCommands | undefined,
  ): Promise<Sandbox> {
    const { slot, memoryMb, webgpu } = instruction;
    const host = this.#host(instruction, commands);
    const creating = this.#ports.sandboxes.create(host, { slot, memoryMb, webgpu });
    const { promise: late, reject } = Promise.withResolvers<never>();
    const cancel = this.#ports.clock.setTimer(openMs, () => {
      reject(new Error(`no sandbox came up within ${openMs / 1000} s`));
      // A sandbox that comes after the deadline is terminated.
      creating.then(
        (sandbox) => sandbox.terminate(),
        () => undefined,
      );
    });
    try {
      return await Promise.race([creating, late]);
    } finally {
      cancel();
    }
  }

  #opened(entry: Entry, sandbox: Sandbox): void {
    if (entry.closed) return sandbox.terminate();
    entry.sandbox = sandbox;
    sandbox.ended
      .then(({ kind, reason = "The sandbox ended by itself." }) => {
        if (!this.#forget(entry)) return;
        this.#dispatch({ type: "sandboxEnded", slot: entry.slot, sandbox: entry.id, kind, reason });
      })
      .catch((error: unknown) => this.#ports.log("warn", "A sandbox's end was not understood.", { error }));
  }

  #failed(entry: Entry, error: unknown): void {
    if (!this.#forget(entry)) return;
    const reason = describeThrown(error).message;
    this.#dispatch({ type: "sandboxFailed", slot: entry.slot, sandbox: entry.id, reason });
  }

  /** @returns false when the sandbox was closed on purpose, so that its end is no event */
  #forget(entry: Entry): boolean {
    const open = !entry.closed;
    entry.closed = true;
    entry.commands?.end();
    this.#entries.delete(entry.id);
    return open;
  }

  close(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#forget(entry);
    entry.sandbox?.terminate();
  }

  run(instruction: Instruction<"runTasks">): void {
    const entry = this.#entries.get(instruction.sandbox);
    if (!entry) return;
    const inline = instruction.tasks.every(({ input }) => input instanceof Uint8Array);
    // A bundle of inline inputs, which is the usual case, starts in this turn of the event loop.
    if (entry.sandbox && entry.kernelLoaded && inline)
      this.#runNow(entry, entry.sandbox, instruction, instruction.tasks as readonly SandboxTask[]);
    else
      this.#prepare(entry, instruction).catch((error: unknown) => {
        const { slot, run } = instruction;
        if (!entry.closed)
          this.#dispatch({ type: "bundleEnded", slot, run, reason: describeThrown(error).message });
      });
  }

  async #prepare(entry: Entry, instruction: Instruction<"runTasks">): Promise<void> {
    const { slot, run, kernel } = instruction;
    const inputs = this.#fetchInputs(instruction.tasks);
    let sandbox: Sandbox;
    try {
      sandbox = await entry.opening;
    } catch {
      return;
    }
    if (!entry.kernelLoaded) {
      const refused = await this.#load(entry, sandbox, instruction);
      if (entry.closed) return;
      if (refused) return this.#dispatch({ type: "kernelRefused", slot, run, failure: refused });
      entry.kernelLoaded = true;
      this.#ports.log("debug", "Kernel loaded.", { slot, kernel: kernel.sha256 });
    }
    const { tasks, failures } = await inputs;
    if (entry.closed) return;
    if (failures.length > 0) this.#dispatch({ type: "inputsRefused", slot, run, failures });
    if (tasks.length > 0 && this.#entries.has(entry.id)) this.#runNow(entry, sandbox, instruction, tasks);
  }

  /** @returns the reason why the kernel cannot be loaded; undefined when it is loaded, or its sandbox has ended */
  async #load(
    entry: Entry,
    sandbox: Sandbox,
    { slot, run, kernel, signature, portable }: Instruction<"runTasks">,
  ): Promise<Failure | undefined> {
    const distrust = this.#ports.distrust?.(kernel.sha256, signature);
    if (distrust !== undefined) return { kind: "refused", message: distrust };
    let source: Uint8Array;
    try {
      source = await this.#blobs.read(kernel);
      if ((await this.#ports.blobs.hash(source)) !== kernel.sha256)
        throw new PlatformError("HASH_MISMATCH", `The bytes of kernel ${kernel.sha256} are not its own.`);
    } catch (error) {
      return { kind: "data", message: `The kernel could not be fetched: ${describeThrown(error).message}` };
    }
    if (entry.closed) return undefined;
    this.#dispatch({ type: "loadStarted", slot, run });
    try {
      await sandbox.load(kernel.sha256, source, portable);
      return undefined;
    } catch (error) {
      await this.#endedSoon(sandbox);
      const { message, ...rest } = describeThrown(error);
      const said = clip(`The kernel does not load: ${message}`, limits.messageChars);
      // A PlatformError is the shell's own: code of the sandbox did not arrive, which says nothing about the kernel.
      return { kind: error instanceof PlatformError ? "data" : "refused", message: said, ...rest };
    }
  }

  async #endedSoon(sandbox: Sandbox): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#ports.clock.setTimer(endMs, () => resolve());
    await Promise.race([promise, sandbox.ended]);
    cancel();
  }

  async #fetchInputs(
    leased: readonly LeasedTask[],
  ): Promise<{ tasks: SandboxTask[]; failures: { index: number; failure: Failure }[] }> {
    const tasks: SandboxTask[] = [];
    const failures: { index: number; failure: Failure }[] = [];
    for (const task of leased) {
      const { input, index } = task;
      if (input instanceof Uint8Array) {
        tasks.push({ ...task, input });
        continue;
      }
      try {
        tasks.push({ ...task, input: await this.#blobs.read(input) });
      } catch (error) {
        const message = `The input could not be fetched: ${describeThrown(error).message}`;
        failures.push({ index, failure: { kind: "data", message: message.slice(0, limits.messageChars) } });
      }
    }
    return { tasks, failures };
  }

  #runNow(
    entry: Entry,
    sandbox: Sandbox,
    { slot, run, kernel, seed }: Instruction<"runTasks">,
    tasks: readonly SandboxTask[],
  ): void {
    this.#dispatch({ type: "bundleStarted", slot, run });
    sandbox.run({ kernelSha256: kernel.sha256, seed, tasks: packTasks(tasks) }).then(
      () => this.#dispatch({ type: "bundleEnded", slot, run }),
      (error: unknown) => {
        if (!entry.closed)
          this.#dispatch({ type: "bundleEnded", slot, run, reason: describeThrown(error).message });
      },
    );
  }

  #host({ slot, sandbox }: Instruction<"openSandbox">, commands: SandboxCommands | undefined): SandboxHost {
    return {
      ...this.#data,
      ...(commands && { command: (call) => commands.run(call) }),
      report: (report) => {
        if (this.#entries.has(sandbox))
          this.#dispatch({ type: "tasksReported", slot, sandbox, report: readReport(report) });
      },
    };
  }
}

// A sandbox may send anything.
function checkName(name: unknown): BlobName {
  const parsed = v.safeParse(blobNameSchema, name);
  if (parsed.success) return parsed.output;
  throw new PlatformError("BAD_REQUEST", "That names no blob; expected {sha256, size}.");
}

function checkRange(range: unknown): readonly [number, number] | undefined {
  if (range === undefined || range === null) return undefined;
  const parsed = v.safeParse(v.tuple([v.number(), v.number()]), range);
  if (parsed.success) return parsed.output;
  throw new PlatformError("BAD_REQUEST", "That is no range; expected [start, end].");
}
