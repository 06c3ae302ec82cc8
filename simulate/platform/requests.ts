import { SilenceError } from "../../system/silence.ts";
import { Flow, type Host, type Network } from "./network.ts";
import type { Process, Step } from "./virtual-time.ts";

/** An HTTP request. */
export interface SimulatedRequest {
  readonly method: string;
  /** Path and query, without the slash in front. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}

/** The server's end of a request. */
export interface ServerReply {
  /** Aborted when the other end has gone. */
  readonly gone: AbortSignal;
  begin(status: number, headers?: Record<string, string>): void;
  write(bytes: Uint8Array): void;
  end(): void;
  /** Cuts the connection. */
  destroy(): void;
}

/** Answers requests: a server that runs. */
export interface Answerer {
  readonly process: Process;
  answer(request: SimulatedRequest, reply: ServerReply): void;
}

/** The used part of a `Response`. */
export interface SimulatedResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
  readonly body: {
    getReader(): {
      read(): Promise<{ done: boolean; value: Uint8Array | undefined }>;
      cancel(): Promise<void>;
    };
  };
}

interface Waiting {
  readonly resolve: (chunk: Uint8Array | undefined) => void;
  readonly reject: (error: Error) => void;
}

/** A request under way, on a connection of its own. */
export class Exchange {
  /** Resolves with the reply's head. */
  readonly response: Promise<SimulatedResponse>;
  readonly #network: Network;
  readonly #client: Process;
  readonly #server: Answerer | undefined;
  readonly #up: Flow;
  readonly #down: Flow;
  readonly #silenceMs: number;
  readonly #head = Promise.withResolvers<SimulatedResponse>();
  readonly #gone = new AbortController();
  readonly #chunks: Uint8Array[] = [];
  /** Chunks of the reply that pass before the connection breaks. */
  readonly #chunksLeft: number;
  #waiting: Waiting | undefined;
  #silence: Step | undefined;
  #failure: Error | undefined;
  #hasHead = false;
  #isOver = false;

  constructor(
    network: Network,
    host: Host,
    server: Answerer | undefined,
    request: SimulatedRequest,
    options: { readonly silenceMs: number; readonly signal?: AbortSignal | null | undefined },
  ) {
    const { time, random, rates } = network;
    this.#network = network;
    this.#client = time.current;
    this.#server = server;
    this.#silenceMs = options.silenceMs;
    this.#up = new Flow(network, host);
    this.#down = new Flow(network, host);
    this.response = this.#head.promise;
    const { signal } = options;
    signal?.addEventListener("abort", () => this.#abandon(signal.reason as Error), { once: true });
    const isCut = network.happens(rates.lost);
    this.#chunksLeft = isCut ? Math.floor(3 * random()) : Infinity;
    this.#listen();
    if (signal?.aborted) this.#abandon(signal.reason as Error);
    else if (!server?.process.isAlive) this.#lose("connection refused", 2);
    else if (isCut && random() < 0.4) {
      time.trace.fault("lost request", request.path);
      this.#lose("connection reset", 20);
    } else this.#sendTo(server, request);
  }

  #sendTo(server: Answerer, request: SimulatedRequest): void {
    const network = this.#network;
    const { time, random, rates } = network;
    if (network.happens(rates.silent)) {
      time.trace.fault("silent connection", request.path);
      if (random() < 0.5) this.#up.isSilent = true;
      else this.#down.isSilent = true;
    }
    if (request.body) time.trace.bytes(request.body);
    this.#up.send(server.process, `${request.method} ${request.path}`, () =>
      server.answer(request, this.#reply),
    );
  }

  /** The server's process ended. */
  serverGone(isTold: boolean): void {
    this.#up.isSilent = true;
    this.#down.isSilent = true;
    if (isTold && !this.#isOver) this.#lose("connection reset", 1);
  }

  get isOver(): boolean {
    return this.#isOver || !this.#client.isAlive;
  }

  get isOf(): Process | undefined {
    return this.#server?.process;
  }

  readonly #reply: ServerReply = {
    gone: this.#gone.signal,
    begin: (status, headers = {}) => this.#send("reply", () => this.#begin(status, headers)),
    write: (bytes) => {
      this.#network.time.trace.bytes(bytes);
      this.#send(`reply ${bytes.length}`, () => this.#push(bytes));
    },
    end: () => this.#send("reply ended", () => this.#push(undefined)),
    destroy: () => this.#send("reply cut", () => this.#fail(new Error("the reply was cut"))),
  };

  #sent = 0;

  #send(label: string, deliver: () => void): void {
    if (this.#sent++ >= this.#chunksLeft) {
      if (this.#down.isSilent) return;
      this.#network.time.trace.fault("lost reply");
      this.#down.isSilent = true;
      this.#lose("connection reset", 20);
      return;
    }
    this.#down.send(this.#client, label, deliver);
  }

  #begin(status: number, headers: Record<string, string>): void {
    if (this.#isOver) return;
    this.#hasHead = true;
    this.#heard();
    const bytes = async (): Promise<Uint8Array<ArrayBuffer>> => {
      const parts: Uint8Array[] = [];
      for (let part = await this.#read(); part; part = await this.#read()) parts.push(part);
      return new Uint8Array(Buffer.concat(parts));
    };
    const read = async (): Promise<{ done: boolean; value: Uint8Array | undefined }> => {
      const value = await this.#read();
      return { done: value === undefined, value };
    };
    this.#head.resolve({
      ok: status >= 200 && status < 300,
      status,
      headers: new Headers(headers),
      text: async () => Buffer.from(await bytes()).toString(),
      arrayBuffer: async () => (await bytes()).buffer,
      body: { getReader: () => ({ read, cancel: async () => this.#abandon(new Error("abandoned")) }) },
    });
  }

  #push(chunk: Uint8Array | undefined): void {
    if (this.#isOver) return;
    if (chunk) {
      if (this.#waiting) this.#settle((waiting) => waiting.resolve(chunk));
      else this.#chunks.push(chunk);
      return;
    }
    this.#isOver = true;
    if (this.#silence) this.#silence.run = undefined;
    if (this.#waiting) this.#settle((waiting) => waiting.resolve(undefined));
  }

  #read(): Promise<Uint8Array | undefined> {
    const chunk = this.#chunks.shift();
    if (chunk) return Promise.resolve(chunk);
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#isOver) return Promise.resolve(undefined);
    this.#listen();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #settle(how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    this.#heard();
    if (waiting) how(waiting);
  }

  #heard(): void {
    if (this.#silence) this.#silence.run = undefined;
  }

  /** Begins to wait for a byte. */
  #listen(): void {
    this.#heard();
    this.#silence = this.#network.time.schedule(this.#client, this.#silenceMs, "silence", () =>
      this.#fail(new SilenceError(this.#silenceMs, this.#hasHead)),
    );
  }

  #lose(message: string, delayMs: number): void {
    const { time, random } = this.#network;
    time.schedule(this.#client, delayMs * random(), "request lost", () => this.#fail(new Error(message)));
    if (this.#server)
      time.schedule(this.#server.process, delayMs * random(), "request lost", () => this.#gone.abort());
  }

  #fail(error: Error): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = error;
    this.#heard();
    if (!this.#hasHead) this.#head.reject(error);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
    this.#tellServer();
  }

  #abandon(error: Error): void {
    if (!this.#isOver) this.#fail(error);
  }

  #tellServer(): void {
    if (this.#server) this.#up.send(this.#server.process, "request gone", () => this.#gone.abort());
  }
}
