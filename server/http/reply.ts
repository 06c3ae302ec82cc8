import { MessagePack } from "../../shared/wire/messagepack.ts";
import { messagePackBounds } from "../../shared/wire/messagepack-walk.ts";
import { PlatformError } from "../../shared/errors.ts";
import { contentTypes } from "../../shared/wire/rest/content-types.ts";
import { sha256Schema, type Sha256 } from "../../shared/ids.ts";
import { check } from "./body.ts";
import type { Call } from "./context.ts";

const replies = new MessagePack(messagePackBounds.body);

/** Replies with a value as JSON, or as MessagePack to a caller that prefers it. */
export function reply({ req, res }: Call, value: object, status = 200): void {
  res.status(status).setHeader("Vary", "Accept");
  if (req.accepts([contentTypes.json, contentTypes.msgpack]) === contentTypes.msgpack)
    res.type(contentTypes.msgpack).send(Buffer.from(replies.encode(value)));
  else res.json(value);
}

/** Says that the caller may send inputs compressed (RFC 7694). */
export function offerCompression({ res }: Call): void {
  res.setHeader("Accept-Encoding", "gzip");
}

/** Begins a lasting reply. */
export function beginStream({ res }: Call, contentType: string): void {
  // A slow reader is not idle. The server's own timeout returns with the next request.
  res.setTimeout(0);
  res.status(200).set({
    "Content-Type": contentType,
    "Cache-Control": "no-store",
    // nginx would hold the reply back until its buffer is full.
    "X-Accel-Buffering": "no",
  });
  res.flushHeaders();
}

/** A path parameter of the route. */
export function parameter({ req }: Call, name: string): string {
  const value = req.params[name];
  if (typeof value !== "string") throw new Error(`route without parameter ${name}`);
  return value;
}

/** The SHA-256 in the path. @throws PlatformError BAD_REQUEST */
export function hashOf(call: Call): Sha256 {
  return check(sha256Schema, parameter(call, "sha256"), "address");
}

/** A parameter of the query. @throws PlatformError BAD_REQUEST when it is given twice */
export function query({ req }: Call, name: string): string | undefined {
  const value: unknown = req.query[name];
  if (value === undefined || typeof value === "string") return value;
  throw new PlatformError("BAD_REQUEST", `?${name}= is given more than once; expected one value.`);
}

/** `?after=` of the query: a number after which the reply begins. @throws PlatformError BAD_REQUEST */
export function afterOf(call: Call): number | undefined {
  const text = query(call, "after");
  if (text === undefined) return undefined;
  const after = Number(text);
  if (/^\d{1,16}$/.test(text) && Number.isSafeInteger(after)) return after;
  throw new PlatformError(
    "BAD_REQUEST",
    `?after=${text} is no number of a result; expected a whole number from 0.`,
  );
}

/** A switch of the query: absent, `0` or `false` is off. @throws PlatformError BAD_REQUEST */
export function flag(call: Call, name: string): boolean {
  const text = query(call, name);
  if (text === undefined || text === "0" || text === "false") return false;
  if (text === "1" || text === "true" || text === "") return true;
  throw new PlatformError("BAD_REQUEST", `?${name}=${text} is not understood; expected 1 or 0.`);
}

/** `?of=` of the query: of several servers all, or this one. @throws PlatformError BAD_REQUEST */
export function serversOf(call: Call): "all" | "own" {
  const text = query(call, "of") ?? "all";
  if (text === "all" || text === "own") return text;
  throw new PlatformError("BAD_REQUEST", `?of=${text} is not understood; expected all or own.`);
}

/** Names the servers that did not answer, whose part the reply lacks. */
export function nameSilent({ res }: Call, silent: readonly string[]): void {
  if (silent.length > 0) res.setHeader("Manyhands-Unanswered", silent.map(encodeURI).join(", "));
}
