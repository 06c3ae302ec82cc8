import * as v from "valibot";
import { limits } from "./limits.ts";

/** Identifies a job; the server makes the id. `j_` and 16 lower-case base-32 characters. */
export type JobId = string & v.Brand<"JobId">;
/** Identifies a client, also after it reconnects; made by the server, with a secret that proves it. */
export type ClientId = string & v.Brand<"ClientId">;
/** Lower-case hexadecimal SHA-256, the name of a blob or kernel. */
export type Sha256 = string & v.Brand<"Sha256">;
/** Position of a task in its job, counted from 0. */
export type TaskIndex = number;

export const jobIdSchema = v.pipe(
  v.string(),
  v.regex(/^j_[a-z2-7]{16}$/, "expected a job id such as j_abcdefghij234567"),
  v.brand("JobId"),
);
export const clientIdSchema = v.pipe(
  v.string(),
  v.regex(/^c_[a-z2-7]{16}$/, "expected a client id such as c_abcdefghij234567"),
  v.brand("ClientId"),
);
export const sha256Schema = v.pipe(
  v.string(),
  v.regex(/^[0-9a-f]{64}$/, "expected a SHA-256 in 64 lower-case hexadecimal characters"),
  v.brand("Sha256"),
);
export const taskIndexSchema = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.maxValue(limits.maxTaskIndex),
);

const alphabet = "abcdefghijklmnopqrstuvwxyz234567";

function randomName(randomBytes: (count: number) => Uint8Array): string {
  // 16 characters of 5 bits: 80 bits, so that a collision needs about 10^12 ids.
  let name = "";
  for (const byte of randomBytes(16)) name += alphabet[byte & 31];
  return name;
}

/** Makes a job id from a source of random bytes. */
export function makeJobId(randomBytes: (count: number) => Uint8Array): JobId {
  return `j_${randomName(randomBytes)}` as JobId;
}

/** Makes a client id from a source of random bytes. */
export function makeClientId(randomBytes: (count: number) => Uint8Array): ClientId {
  return `c_${randomName(randomBytes)}` as ClientId;
}
