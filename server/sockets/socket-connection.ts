import type { Duplex } from "node:stream";
import type { RawData, WebSocket } from "ws";
import { PlatformError } from "../../shared/errors.ts";
import type { ClientId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { decodeClientFrame, type ClientMessage, type ServerMessage } from "../../shared/wire/protocol.ts";
import { inflateFrame, isDeflated } from "../../system/deflated-frames.ts";
import { version } from "../../shared/version.ts";
import type { ClientConnection } from "./connection.ts";
import { takesNews } from "./client-version.ts";
import type { Admission, ClientGate, ConnectionServices } from "./client-gate.ts";
import { Liveness } from "./liveness.ts";
import { Outbound } from "./outbound.ts";
import { TokenBucket } from "./rate-limit.ts";

type Hello = Extract<ClientMessage, { type: "hello" }>;

/** A field exists only in the state where it means something. */
type ConnectionState =
  | { readonly state: "greeting" }
  | { readonly state: "admitting" }
  | { readonly state: "joined"; readonly client: ClientId; readonly tokenId: string | undefined }
  /** Refused or told to come back: later messages are not read. */
  | { readonly state: "leaving" };

const helloTimeoutMs = 10_000;
/** A connection that is over is cut when it has not closed after this. */
const closeTimeoutMs = 2000;
/** A client that joined and got no task is told why after this long. */
const firstReasonMs = 1_000;
/** A client is asked whether it lives every so many signs of life: an answer each would double the cost of 10,000 idle clients. */
const beatsPerPing = 4;
/** Inflated bytes that cost as much as a message: 60 MB/s, which take a fifth of a core. */
const inflatedBytesPerMessage = 32 * 1024;

/** The keeper of all connections. */
export interface ConnectionOwner {
  /** The unfinished message of the connection grew. */
  messageGrew(connection: SocketConnection): void;
  closed(connection: SocketConnection): void;
  /** Absent: tokens without a bound. @throws PlatformError TOO_MANY when no further client fits under the token */
  mustFit?(admission: Admission): void;
}

/** A client connection, from `hello` to the close frame. */
export class SocketConnection implements ClientConnection {
  readonly paced = true;
  readonly address: string;
  readonly #socket: WebSocket;
  readonly #network: Duplex;
  readonly #owner: ConnectionOwner;
  readonly #services: ConnectionServices;
  readonly #gate: ClientGate;
  readonly #outbound: Outbound;
  readonly #bucket: TokenBucket;
  readonly #liveness: Liveness;
  #beats = 0;
  /** Addresses that the client was told last; undefined for one that is not told. */
  #servers: readonly string[] | undefined;
  #takesNews = false;
  /** Released after the hello: a cleared timer still takes 200 bytes. */
  #helloTimer: NodeJS.Timeout | undefined;
  #state: ConnectionState = { state: "greeting" };
  /** Messages that arrive while `hello` is being checked. */
  #waiting: ClientMessage[] | undefined;

  constructor(
    socket: WebSocket,
    network: Duplex,
    address: string,
    gate: ClientGate,
    services: ConnectionServices,
    owner: ConnectionOwner,
  ) {
    this.#socket = socket;
    this.#network = network;
    this.#owner = owner;
    this.address = address;
    this.#gate = gate;
    this.#services = services;
    this.#outbound = new Outbound(socket, (bytes) => this.#read(bytes));
    this.#bucket = new TokenBucket(services.options.messagesPerSecondPerClient, performance.now());
    this.#liveness = new Liveness(socket);
    this.#helloTimer = setTimeout(
      () => this.refuse(new PlatformError("TIMED_OUT", "No hello arrived within ten seconds of connecting.")),
      helloTimeoutMs,
    );
    // Liveness and owner share a listener: a second listener of an event costs each connection 150 bytes. It stands in front of the
    // listener of ws, which may complete a message with this very chunk.
    network.prependListener("data", (chunk: Buffer) => {
      this.#liveness.received(chunk.length);
      owner.messageGrew(this);
    });
    socket.on("message", (data, isBinary) => this.#received(data, isBinary));
    socket.on("ping", (data) => this.#liveness.pinged(data));
    socket.on("pong", (data) => this.#liveness.ponged(data));
    socket.on("close", () => this.#closed());
    socket.on("error", (error) => services.log.debug({ err: error, address }, "client socket error"));
  }

  send(message: Parameters<ClientConnection["send"]>[0]): void {
    const shown = this.#takesNews ? message : withoutNews(message);
    if (!shown || this.#outbound.send(shown)) return;
    this.#services.log.warn({ address: this.address }, "a client reads too slowly; cutting it off");
    this.#socket.terminate();
  }

  reload(): boolean {
    if (this.#takesNews) this.send({ type: "heartbeat", reload: true });
    return this.#takesNews;
  }

  #read(bytes: number): void {
    this.#liveness.sent(bytes);
    if (this.#state.state === "joined") this.#services.onRead(this.#state.client, bytes);
  }

  refuse(error: PlatformError): void {
    this.#leave(error.retryable ? "broken" : "refused");
    this.#outbound.sendLast({ type: "refuse", ...error.toBody() });
    this.#socket.close(error.closeCode, error.code);
  }

  bye(reason: string, afterMs: number): void {
    this.#leave("broken");
    this.#outbound.sendLast({ type: "bye", reason, afterMs });
    this.#socket.close(1012, reason.slice(0, 100));
  }

  /** Later messages of the client do not count, although they may arrive until the socket has closed. */
  #leave(how: "broken" | "refused"): void {
    this.#greetedOrGone();
    const was = this.#state;
    this.#state = { state: "leaving" };
    this.#waiting = undefined;
    if (was.state === "leaving") return;
    setTimeout(() => this.#socket.terminate(), closeTimeoutMs).unref();
    if (was.state === "joined") this.#services.onClose(was.client, this, how);
  }

  #greetedOrGone(): void {
    clearTimeout(this.#helloTimer);
    this.#helloTimer = undefined;
  }

  /** Ends the connection if its client joined with this token, which was revoked. */
  revoked(tokenId: string): void {
    if (this.#state.state !== "joined" || this.#state.tokenId !== tokenId) return;
    this.refuse(new PlatformError("UNAUTHENTICATED", "The token or invitation was revoked."));
  }

  /** The client of this token, if one joined with it. */
  clientOf(tokenId: string): ClientId | undefined {
    const state = this.#state;
    return state.state === "joined" && state.tokenId === tokenId ? state.client : undefined;
  }

  /** Bytes of the unfinished message. */
  get unfinishedBytes(): number {
    return this.#liveness.unfinishedBytes;
  }

  /** Cuts the connection without a close frame. */
  terminate(): void {
    this.#socket.terminate();
  }

  /** Shows life, pings now and then, and cuts the connection of a client that does not answer or does not finish a message. */
  heartbeat(): void {
    // Corked, ping and message leave in one packet.
    this.#network.cork();
    const isAsked = this.#beats++ % beatsPerPing === 0;
    if (isAsked && !this.#liveness.beat(performance.now())) this.terminate();
    // A page cannot see pings: its watchdog waits for this message.
    else if (this.#state.state === "joined") {
      this.#tellNews(this.#state.client);
      this.#outbound.flush();
    }
    this.#network.uncork();
  }

  #tellNews(client: ClientId): void {
    const servers = this.#newServers();
    const idle = this.#takesNews ? this.#services.whyIdle(client) : undefined;
    this.send({ type: "heartbeat", ...(servers && { servers: [...servers] }), ...(idle && { idle }) });
  }

  /** Tells a client that has just joined why it gets nothing, before its first heartbeat. */
  #tellFirstReason(): void {
    if (this.#state.state === "joined" && this.#services.whyIdle(this.#state.client))
      this.#tellNews(this.#state.client);
  }

  #received(data: RawData, isBinary: boolean): void {
    this.#liveness.messageEnded();
    if (this.#state.state === "leaving") return;
    try {
      if (!isBinary)
        throw new PlatformError("MALFORMED_FRAME", "A text frame; expected a binary MessagePack frame.");
      let frame = toBytes(data);
      if (this.#state.state === "greeting" && frame.length > limits.helloBytes)
        throw new PlatformError("MALFORMED_FRAME", `A hello of more than ${limits.helloBytes} bytes.`);
      this.#pay(1);
      if (isDeflated(frame) && this.#state.state !== "greeting") {
        frame = inflated(frame);
        this.#pay(frame.length / inflatedBytesPerMessage);
      }
      const messages = decodeClientFrame(frame);
      this.#pay(messages.reduce((sum, message) => sum + costOf(message), 0));
      for (const message of messages) this.#handle(message);
    } catch (error) {
      this.#failed(error);
    }
  }

  #pay(cost: number): void {
    if (!this.#bucket.take(cost, performance.now()))
      throw new PlatformError("TOO_MANY", "This client sends more messages a second than the server takes.");
  }

  #failed(error: unknown): void {
    const refusal = PlatformError.from(error);
    if (refusal.code === "INTERNAL")
      this.#services.log.error({ err: error, address: this.address }, "client message failed");
    else this.#services.log.info({ code: refusal.code, address: this.address }, refusal.message);
    this.refuse(
      refusal.code === "INTERNAL"
        ? new PlatformError("INTERNAL", "The server failed on this message.")
        : refusal,
    );
  }

  #handle(message: ClientMessage): void {
    switch (this.#state.state) {
      case "greeting":
        if (message.type !== "hello")
          throw new PlatformError(
            "MALFORMED_FRAME",
            `The first message was ${message.type}; expected hello.`,
          );
        this.#greetedOrGone();
        this.#state = { state: "admitting" };
        this.#admit(message).catch((error: unknown) => this.#failed(error));
        return;
      case "admitting":
        this.#waiting ??= [];
        if (this.#waiting.length >= 1000)
          throw new PlatformError("TOO_MANY", "Too many messages before the welcome.");
        this.#waiting.push(message);
        return;
      case "joined":
        if (message.type === "hello")
          throw new PlatformError("MALFORMED_FRAME", "A second hello on one connection.");
        this.#services.onMessage(this.#state.client, message);
        return;
      case "leaving":
        return;
    }
  }

  async #admit(hello: Hello): Promise<void> {
    const admission = await this.#gate.admit(hello, this.address);
    if (this.#state.state !== "admitting") return;
    this.#owner.mustFit?.(admission);
    const ticket = this.#services.makeTicket();
    this.#state = { state: "joined", client: admission.identity.client, tokenId: admission.tokenId };
    const dropped = this.#services.onJoin({
      hello,
      connection: this,
      address: this.address,
      ticket,
      ...admission,
    });
    // The auditor belongs to this server.
    if (admission.auditor !== true && takesNews(hello.version)) {
      this.#takesNews = true;
      this.#servers = [];
      setTimeout(() => this.#tellFirstReason(), firstReasonMs).unref();
    }
    const servers = this.#newServers();
    this.#outbound.release({
      type: "welcome",
      version,
      identity: admission.identity,
      ticket,
      heartbeatMs: this.#services.options.heartbeatMs,
      dropped,
      ...(servers && { servers: [...servers] }),
    });
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const message of waiting) this.#handle(message);
  }

  /** Addresses of the servers, when they are others than the client was told; never none. */
  #newServers(): readonly string[] | undefined {
    if (!this.#servers) return undefined;
    const servers = this.#services.options.servers();
    if (servers === this.#servers || servers.length === 0) return undefined;
    return (this.#servers = servers);
  }

  #closed(): void {
    this.#greetedOrGone();
    const was = this.#state;
    this.#state = { state: "leaving" };
    if (was.state === "joined") this.#services.onClose(was.client, this, "broken");
    this.#owner.closed(this);
  }
}

/** A message as a client of before 0.3.0 takes it, which refuses what it does not know. */
function withoutNews(message: ServerMessage): ServerMessage | undefined {
  if (message.type === "verdict") return undefined;
  if (message.type === "accepted") {
    const { provisional: _, ...rest } = message;
    return rest;
  }
  if (message.type !== "lease") return message;
  const { kernel: _, job: given, ...rest } = message;
  const { description: __, ...job } = given;
  return { ...rest, job };
}

/** The cost of a message at the rate limit: results are bounded by leases, reports about running tasks are not. */
function costOf(message: ClientMessage): number {
  switch (message.type) {
    case "progress":
      return message.progress.length / 16;
    case "log":
      return message.lines.length / 4;
    case "cached":
      return 1 + (message.added.length + message.removed.length) / 64;
    case "checkpoint":
      return 1 + message.state.length / 4096;
    default:
      return 1;
  }
}

function inflated(frame: Uint8Array): Uint8Array {
  try {
    return inflateFrame(frame);
  } catch (error) {
    throw new PlatformError("MALFORMED_FRAME", "The compressed frame is damaged or too large.", error);
  }
}

function toBytes(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
