import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A link between a client and a server. */
export interface LinkShape {
  readonly rttMs: number;
  /** From the client to the server. */
  readonly upMbitPerS: number;
  readonly downMbitPerS: number;
  /** Probability that a segment of 1,448 bytes is lost: it comes a round trip later, and later segments wait for it. */
  readonly loss: number;
  /** Bytes of a connection that wait in front of the link; the product of rate and round trip unless given. */
  readonly queueBytes?: number;
  /** The link stands still for `stallMs` once in this time. */
  readonly stallEveryMs?: number | undefined;
  readonly stallMs?: number | undefined;
  /** Time between two resets of all connections. */
  readonly resetEveryMs?: number | undefined;
  /** The address of the client changes once in this time. */
  readonly moveEveryMs?: number | undefined;
}

/** The links of the measurements: a to another country, b to another continent, c and d to the field. */
export const links = {
  a: { rttMs: 40, downMbitPerS: 50, upMbitPerS: 10, loss: 0 },
  b: { rttMs: 150, downMbitPerS: 20, upMbitPerS: 5, loss: 0 },
  c: { rttMs: 300, downMbitPerS: 5, upMbitPerS: 1, loss: 0.02 },
  c0: { rttMs: 300, downMbitPerS: 5, upMbitPerS: 1, loss: 0 },
  d: {
    rttMs: 80,
    downMbitPerS: 10,
    upMbitPerS: 2,
    loss: 0,
    stallEveryMs: 30_000,
    stallMs: 10_000,
    moveEveryMs: 120_000,
  },
} as const satisfies Record<string, LinkShape>;

/** Traffic so far, in bytes of TCP, and connections, dead ones left out of `open`. */
export interface LinkCounts {
  readonly up: number;
  readonly down: number;
  readonly connections: number;
  readonly open: number;
}

/**
 * A link in front of a server: a TCP relay in a process of its own, which starts with {@link startLink}. Connections share the
 * rate; a sender feels the link through its own socket, which takes no more than a short queue. Slow start and the repeats of TCP
 * are not modelled.
 */
export class Link {
  readonly url: string;
  readonly #relay: ChildProcess;
  readonly #answers: ((line: string) => void)[] = [];

  private constructor(relay: ChildProcess, port: number, lines: AsyncIterable<string>) {
    this.#relay = relay;
    this.url = `http://127.0.0.1:${port}`;
    void this.#read(lines);
  }

  static async start(target: string, shape: LinkShape): Promise<Link> {
    const program = join(import.meta.dirname, "relay.py");
    const relay = spawn("python3", [program, new URL(target).port, JSON.stringify(shape)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: relay.stdout })[Symbol.asyncIterator]();
    const first = await lines.next();
    if (first.done) throw new Error("The relay of the link did not start.");
    const { port } = JSON.parse(first.value) as { port: number };
    return new Link(relay, port, { [Symbol.asyncIterator]: () => lines });
  }

  /** Changes the shape from now on. */
  set(shape: Partial<LinkShape>): void {
    const given = Object.entries(shape).map(([name, value]) => [name, value ?? null]);
    this.#tell({ shape: Object.fromEntries(given) });
  }

  /** Resets all connections. */
  reset(): void {
    this.#tell({ do: "reset" });
  }

  /** Changes the address of the client: no byte passes on a present connection any more, without an error; new ones work. */
  move(): void {
    this.#tell({ do: "move" });
  }

  /** Holds back all bytes for a time. */
  stall(ms: number): void {
    this.#tell({ stallMs: ms });
  }

  async counts(): Promise<LinkCounts> {
    const answer = new Promise<string>((resolve) => this.#answers.push(resolve));
    this.#tell({ do: "counts" });
    return JSON.parse(await answer) as LinkCounts;
  }

  async close(): Promise<void> {
    if (this.#relay.exitCode !== null) return;
    const ended = once(this.#relay, "exit");
    this.#relay.stdin!.end();
    await ended;
  }

  #tell(command: object): void {
    this.#relay.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  async #read(lines: AsyncIterable<string>): Promise<void> {
    for await (const line of lines) this.#answers.shift()?.(line);
  }
}
