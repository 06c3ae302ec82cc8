import express, { type Request, type Response } from "express";
import * as v from "valibot";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import { parseJsonText, servedJsonElements } from "../../shared/wire/json-text.ts";
import { hints } from "../../shared/hints.ts";
import { limits } from "../../shared/limits.ts";
import { MessagePack } from "../../shared/wire/messagepack.ts";
import { BeyondBounds, messagePackBounds } from "../../shared/wire/messagepack-walk.ts";
import { plainBytes } from "../../shared/wire/plain-bytes.ts";
import { contentTypes } from "../../shared/wire/rest/content-types.ts";

/** The body's type among `types`. @throws PlatformError UNSUPPORTED_TYPE */
export function bodyType<const T extends string>(req: Request, types: readonly T[], whenAbsent?: T): T {
  const found = types.find((type) => req.is(type));
  if (found !== undefined) return found;
  const given = req.headers["content-type"];
  if (given === undefined && whenAbsent !== undefined) return whenAbsent;
  throw new PlatformError(
    "UNSUPPORTED_TYPE",
    `The body's Content-Type is ${given ?? "absent"}; expected ${types.join(", ")}.`,
  );
}

/** The whole body, inflated when it came compressed. @throws PlatformError TOO_LARGE */
export function readBody(req: Request, res: Response, maxBytes: number = limits.bodyBytes): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    express.raw({ type: () => true, limit: maxBytes })(req, res, (error?: Error) => {
      if (error) reject(error);
      else resolve(Buffer.isBuffer(req.body) ? req.body : Buffer.alloc(0));
    });
  });
}

/**
 * The body as a value of the schema, from JSON or MessagePack.
 * @throws PlatformError BAD_REQUEST naming the first fault, TOO_LARGE, UNSUPPORTED_TYPE
 */
export async function parseBody<S extends v.GenericSchema>(
  req: Request,
  res: Response,
  schema: S,
  maxBytes?: number,
): Promise<v.InferOutput<S>> {
  const type = bodyType(req, [contentTypes.json, contentTypes.msgpack], contentTypes.json);
  const bytes = await readBody(req, res, maxBytes);
  return check(
    schema,
    type === contentTypes.json ? parseJson(bytes, "body") : parseMessagePack(bytes),
    "body",
  );
}

/** Like {@link parseBody}, but a request without a body counts as `{}`. */
export async function parseOptionalBody<S extends v.GenericSchema>(
  req: Request,
  res: Response,
  schema: S,
): Promise<v.InferOutput<S>> {
  const isEmpty = req.headers["content-length"] === "0" || !hasBody(req);
  return isEmpty ? check(schema, {}, "body") : parseBody(req, res, schema);
}

function hasBody(req: Request): boolean {
  return req.headers["transfer-encoding"] !== undefined || req.headers["content-length"] !== undefined;
}

/** @throws PlatformError BAD_REQUEST naming the first fault */
export function check<S extends v.GenericSchema>(schema: S, value: unknown, what: string): v.InferOutput<S> {
  // Valibot takes an array without named elements for an object.
  if (Array.isArray(value) && schema.type.endsWith("object"))
    throw new PlatformError("BAD_REQUEST", `In the ${what}: expected an object, and it is an array.`);
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  const path = v.getDotPath(issue);
  throw new PlatformError(
    "BAD_REQUEST",
    `In the ${what}${path ? ` at ${path}` : ""}: ${issue.message}.`.slice(0, limits.messageChars),
  );
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws PlatformError BAD_REQUEST, TOO_LARGE when it holds more elements than {@link servedJsonElements} */
export function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return parseJsonText(utf8.decode(bytes), servedJsonElements);
  } catch (error) {
    const reason = messageOf(error);
    if (error instanceof BeyondBounds)
      throw new PlatformError("TOO_LARGE", `The ${what} is too large: ${reason}.`, error, hints.elements);
    throw new PlatformError("BAD_REQUEST", `The ${what} cannot be read as JSON in UTF-8: ${reason}.`, error);
  }
}

const bodies = new MessagePack(messagePackBounds.body);

function parseMessagePack(bytes: Uint8Array): unknown {
  try {
    return bodies.decode(plainBytes(bytes));
  } catch (error) {
    const reason = messageOf(error);
    if (error instanceof BeyondBounds)
      throw new PlatformError("TOO_LARGE", `The body is too large: ${reason}.`, error, hints.elements);
    throw new PlatformError("BAD_REQUEST", `The body is not one MessagePack value: ${reason}.`, error);
  }
}
