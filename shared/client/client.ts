import type { ClientIdentity, ClientPorts } from "./ports.ts";
import type { ClientStatus } from "./status.ts";

export interface ClientOptions {
  /** Kernels computed at once. */
  readonly slots: number;
  /** Called after each turn of the event loop in which the status changed. */
  readonly onStatus?: (status: ClientStatus) => void;
  /** A task's checkpoints are sent at most this often; 5,000 ms unless told. */
  readonly checkpointIntervalMs?: number;
}

/** A client that computes for a server, on whatever platform the ports come from. */
export interface Client {
  /** Connects and computes until told otherwise. */
  start(): void;
  /** Asks for nothing more and hands back what waits; what runs goes on. */
  pause(): void;
  resume(): void;
  /** Fewer slots: those above let their task finish first. */
  setSlots(slots: number): void;
  /** Finishes what runs, hands back the rest, delivers, stops. Resolves when stopped; `stop` cuts it short. */
  drain(): Promise<void>;
  /** Goodbye now, before this returns: everything goes back to the server, every sandbox ends. */
  stop(): void;
  readonly status: ClientStatus;
}

/** Makes a client; nothing happens before `start`. */
export function createClient(
  _ports: ClientPorts,
  _identity: ClientIdentity,
  _options: ClientOptions,
): Client {
  throw new Error("not built yet");
}
