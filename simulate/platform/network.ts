import type { Process, VirtualTime } from "./virtual-time.ts";

/** A machine on the network. Its processes come and go. */
export interface Host {
  readonly name: string;
  readonly address: string;
  /** Time before which no packet passes between the host and others; TCP sends packets again until then. */
  cutUntil: number;
}

/** Chances of the faults of the network, each for a connection or request. */
export interface NetworkRates {
  /** A connection that is opened breaks after a while: both ends are told, or one, or neither (a half-open connection). */
  readonly drop: number;
  /** A request or its reply is lost. */
  readonly lost: number;
  /** A request is answered by silence. */
  readonly silent: number;
  /** A message takes a hundred times as long, and those behind it wait. */
  readonly slow: number;
}

export const calm: NetworkRates = { drop: 0, lost: 0, silent: 0, slow: 0 };

/** Delays of the network. Messages of one direction of one connection arrive in order; connections overtake each other. */
export class Network {
  rates = calm;
  readonly time: VirtualTime;
  readonly random: () => number;
  readonly #latencyMs: number;

  /** @param mostMs - the longest time of a message */
  constructor(time: VirtualTime, random: () => number, mostMs = 40) {
    this.time = time;
    this.random = random;
    this.#latencyMs = 0.2 + mostMs * random() ** 3;
  }

  happens(chance: number): boolean {
    return chance > 0 && this.random() < chance;
  }

  /** Time of arrival of a message that is sent now. */
  arrival(host: Host): number {
    const from = Math.max(this.time.now, host.cutUntil);
    const slow = this.happens(this.rates.slow) ? 100 : 1;
    if (slow > 1) this.time.trace.fault("slow message");
    return from + this.#latencyMs * (0.5 + this.random()) * slow;
  }
}

/** A direction of a connection: messages keep their order until the connection is silent for ever. */
export class Flow {
  isSilent = false;
  readonly #network: Network;
  readonly #host: Host;
  #lastArrival = 0;

  constructor(network: Network, host: Host) {
    this.#network = network;
    this.#host = host;
  }

  /** Delivers to a process, unless the direction is silent when it is sent or arrives. */
  send(process: Process, label: string, deliver: () => void): void {
    if (this.isSilent) return;
    this.#lastArrival = Math.max(this.#lastArrival, this.#network.arrival(this.#host));
    this.#network.time.scheduleAt(process, this.#lastArrival, label, () => {
      if (!this.isSilent) deliver();
    });
  }
}
