import type { TransportHandlers } from "../../shared/client/ports.ts";
import type { Ledger } from "./ledger.ts";
import type { Host } from "./network.ts";
import type { SimulatedRequest, SimulatedResponse } from "./requests.ts";
import type { SandboxRates } from "./sandboxes.ts";
import type { SocketLink } from "./socket-link.ts";
import type { Process, VirtualTime } from "./virtual-time.ts";

/** The world as clients and programs see it. */
export interface Surroundings {
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly ledger: Ledger;
  readonly sandboxRates: SandboxRates;
  /** Whether a sandbox may die now: the world bounds how often. */
  mayKillSandbox(): boolean;
  /** Opens a client's WebSocket to the server. */
  connect(host: Host, client: Process, handlers: TransportHandlers): SocketLink;
  /** Sends a request of the running process. */
  request(
    host: Host,
    request: SimulatedRequest,
    options: { silenceMs: number; signal?: AbortSignal | null | undefined },
  ): Promise<SimulatedResponse>;
  /** A client's process ended; `isTold`: its machine tells the server. */
  clientGone(process: Process, isTold: boolean): void;
  /** Takes a broken rule. */
  fail(error: unknown): void;
}
