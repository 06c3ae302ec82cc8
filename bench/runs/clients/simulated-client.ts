import { connectClient, type BareClient, type Lease } from "../support/bare-client.ts";

/** Handlers of a crowd for the events of its clients. */
interface Reports {
  welcomed(client: SimulatedClient): void;
  /** Leases came, `waitedMs` after the client asked for them. */
  leased(client: SimulatedClient, lease: Lease, waitedMs: number): void;
  /** The connection ended although the client had not left. */
  lost(client: SimulatedClient, why: string): void;
}

const output = new Uint8Array(100);

/** A client whose computing is a date in the calendar of its crowd. */
export class SimulatedClient {
  readonly #connection: BareClient;
  #askedAt = 0;

  constructor(url: string, localAddress: string, reports: Reports) {
    this.#connection = connectClient(
      url,
      { localAddress },
      {
        received: (message) => {
          if (message.type === "welcome") reports.welcomed(this);
          else if (message.type === "lease") reports.leased(this, message, performance.now() - this.#askedAt);
        },
        lost: (why) => reports.lost(this, why),
      },
    );
  }

  want(): void {
    this.#askedAt = performance.now();
    this.#connection.send({ type: "want", tasks: 1, slots: 1 });
  }

  /** Delivers the tasks of a lease, and asks for the next. */
  finish({ job, tasks }: Lease, elapsedMs: number): void {
    this.#askedAt = performance.now();
    const results = tasks.map(({ index, attempt }) => ({
      index,
      attempt,
      elapsedMs,
      outcome: { state: "done" as const, output },
    }));
    this.#connection.send({ type: "results", job: job.id, results }, { type: "want", tasks: 1, slots: 1 });
  }

  leave(how: "goodbye" | "vanish"): void {
    this.#connection.leave(how);
  }
}
