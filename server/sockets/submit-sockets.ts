import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { ipKeyGenerator } from "express-rate-limit";
import type { Logger } from "pino";
import * as v from "valibot";
import { WebSocketServer } from "ws";
import { PlatformError } from "../../shared/errors.ts";
import { hints } from "../../shared/hints.ts";
import { jobIdSchema, type JobId } from "../../shared/ids.ts";
import { limits } from "../../shared/limits.ts";
import { submitSubprotocol } from "../../shared/wire/rest/submission.ts";
import type { Access } from "../access/access.ts";
import type { Principal } from "../access/principal.ts";
import { authorise, maySee } from "../access/rules.ts";
import { watchAccess } from "../access/watch-access.ts";
import { bearerOf } from "../access/bearer.ts";
import type { ServerOptions } from "../options.ts";
import type { Platform } from "../platform.ts";
import { TokenBucket } from "./rate-limit.ts";
import { SubmitSocket } from "./submit-socket.ts";
import { addressOf, pathOf, refuseUpgrade, type UpgradeEndpoint } from "./upgrades.ts";

/** Submit sockets of one token; further jobs of the program submit by POST. */
const socketsPerToken = 256;

interface Parts {
  readonly access: Access;
  readonly platform: Pick<Platform, "job" | "submit">;
  readonly options: Pick<
    ServerOptions,
    "messagesPerSecondPerClient" | "requestsPerMinutePerAddress" | "trustProxy"
  >;
  readonly log: Logger;
}

/**
 * The WebSocket side of `/api/jobs/{id}/tasks`, for programs that submit a task when they know the result of another
 * (SPEC.md [LINE-1]): such a task takes 1.6 ms, and 2.6 by POST.
 */
export class SubmitSockets implements UpgradeEndpoint {
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: limits.submitSocketBytes,
    // A fragment may keep the 64 KiB chunk alive that brought it. An honest customer sends no fragments.
    maxFragments: 8,
    maxBufferedChunks: 1024,
    handleProtocols: (offered) => (offered.has(submitSubprotocol) ? submitSubprotocol : false),
  });
  readonly #open = new Set<SubmitSocket>();
  /** Rates by token, kept when a submit socket closes: a new socket brings no new burst. */
  readonly #buckets = new Map<string, TokenBucket>();
  /** Upgrades asked for from each address in this minute. */
  readonly #asked = new Map<string, number>();
  #minuteEndsAt = 0;
  readonly #parts: Parts;
  #closing = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.access.onRevoked((tokenId) => {
      this.#buckets.delete(tokenId);
      for (const submitSocket of this.#open) if (submitSocket.tokenId === tokenId) submitSocket.revoked();
    });
  }

  takes(path: string): boolean {
    return jobIn(path) !== undefined;
  }

  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const { access, platform, options, log } = this.#parts;
    const secret = bearerOf(request);
    const job = jobIn(pathOf(request))!;
    // Watched from here: the token may be revoked while the job is looked up.
    const stillAllowed = watchAccess(access, () => access.authenticate(secret));
    let principal: Principal;
    try {
      this.#countAddress(addressOf(request, options.trustProxy));
      principal = await this.#admit(job, secret);
    } catch (error) {
      return refuseUpgrade(socket, PlatformError.from(error).status);
    }
    const { tokenId } = principal;
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const submitSocket = new SubmitSocket(webSocket, {
        tokenId,
        bucket: this.#bucketOf(tokenId),
        stillAllowed,
        submit: (tasks) => platform.submit(job, tasks),
        closed: () => this.#open.delete(submitSocket),
        log,
      });
      this.#open.add(submitSocket);
    });
  }

  /** Bounds the guessing of tokens here as for requests. @throws PlatformError TOO_MANY */
  #countAddress(address: string): void {
    const now = performance.now();
    if (now >= this.#minuteEndsAt) {
      this.#asked.clear();
      this.#minuteEndsAt = now + 60_000;
    }
    const key = ipKeyGenerator(address);
    const asked = (this.#asked.get(key) ?? 0) + 1;
    this.#asked.set(key, asked);
    if (asked > this.#parts.options.requestsPerMinutePerAddress)
      throw new PlatformError("TOO_MANY", `Too many requests from ${key} in this minute.`);
  }

  #bucketOf(tokenId: string): TokenBucket {
    let bucket = this.#buckets.get(tokenId);
    if (!bucket) {
      bucket = new TokenBucket(this.#parts.options.messagesPerSecondPerClient, performance.now());
      this.#buckets.set(tokenId, bucket);
    }
    return bucket;
  }

  /** @throws PlatformError UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, TOO_MANY, SHUTTING_DOWN */
  async #admit(id: JobId, secret: string | undefined): Promise<Principal> {
    const { access, platform } = this.#parts;
    if (this.#closing) throw new PlatformError("SHUTTING_DOWN", "The server is going down.");
    const principal = await access.authenticate(secret);
    authorise("POST /api/jobs/{id}/tasks", principal && { kind: "token", ...principal });
    const { customer } = await platform.job(id);
    if (!maySee(principal!, customer))
      throw new PlatformError("NOT_FOUND", `There is no job ${id}.`, undefined, hints.job);
    let ofToken = 0;
    for (const { tokenId } of this.#open) if (tokenId === principal!.tokenId) ofToken++;
    if (ofToken >= socketsPerToken)
      throw new PlatformError("TOO_MANY", `More than ${socketsPerToken} submit sockets with one token.`);
    return principal!;
  }

  /** Takes no more packs, and ends each submit socket when every pack that arrived is answered. */
  close(): void {
    this.#closing = true;
    for (const submitSocket of this.#open) submitSocket.leave();
    this.#server.close();
  }

  /** Ends the submit sockets that did not close by themselves. */
  terminate(): void {
    for (const socket of this.#server.clients) socket.terminate();
  }
}

function jobIn(path: string): JobId | undefined {
  const [, id] = /^\/api\/jobs\/([^/]+)\/tasks$/.exec(path) ?? [];
  const parsed = v.safeParse(jobIdSchema, id);
  return parsed.success ? parsed.output : undefined;
}
