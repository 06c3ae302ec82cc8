import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  verify,
  type KeyObject,
} from "node:crypto";
import { chmodSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { messageOf, PlatformError } from "../shared/errors.ts";
import type { Sha256 } from "../shared/ids.ts";
import { limits } from "../shared/limits.ts";
import { trustedKeys, type KernelSignature } from "../shared/wire/kernel-signature.ts";

/*
 * Key files are text. Each key is a line: the kind of the key, the key in base64url, and the signer's name, which may contain blanks.
 * Lines that begin with # are comments.
 */
const privateWord = "manyhands-signing-key";
const publicWord = "manyhands-trusted-key";
const maxFileBytes = 64 * 1024;

/** A key that signs kernels, with the name of its signer. */
export interface SigningKey {
  readonly name: string;
  /** The public key, as signatures name it. */
  readonly key: string;
  readonly sign: (kernel: Sha256) => KernelSignature;
}

/** A key whose kernels may run. */
export interface TrustedKey {
  readonly name: string;
  readonly key: string;
}

/**
 * Makes a key and writes two files: `file`, readable by its owner alone, to sign with, and `file.pub`, for clients that trust the signer.
 * @throws PlatformError BAD_ARGUMENT for an invalid name, FILE_FAILED also when one of the files exists
 */
export function createSigningKey(file: string, name: string): TrustedKey {
  const signer = name.trim();
  if (signer === "" || signer.length > limits.nameChars || /[\p{Cc}\p{Zl}\p{Zp}]/u.test(signer))
    throw new PlatformError(
      "BAD_ARGUMENT",
      `"${signer}" cannot name a signer; expected one line of 1 to ${limits.nameChars} characters.`,
    );
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = publicTextOf(privateKey);
  const secret = privateKey.export({ format: "der", type: "pkcs8" }).toString("base64url");
  write(
    file,
    `# Signs kernels as ${signer}. Keep it to yourself.\n${privateWord} ${secret} ${signer}\n`,
    0o600,
  );
  try {
    write(publicFileOf(file), `${publicWord} ${key} ${signer}\n`, 0o644);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
  return { name: signer, key };
}

/** The file that {@link createSigningKey} writes for clients. */
export function publicFileOf(file: string): string {
  return `${file}.pub`;
}

/** Reads a signing key. @throws PlatformError FILE_FAILED, BAD_OPTION when the file has no signing key, or others may read it */
export function readSigningKey(file: string): SigningKey {
  const [line, ...others] = readLines(file, privateWord, "a key that `manyhands key create` made");
  if (!line || others.length > 0)
    throw new PlatformError(
      "BAD_OPTION",
      `${file} holds ${line ? "several signing keys" : "no signing key"}; expected one.`,
    );
  const { mode } = statSync(file);
  if (process.platform !== "win32" && (mode & 0o077) !== 0)
    throw new PlatformError(
      "BAD_OPTION",
      `${file} can be read or written by others (mode ${(mode & 0o777).toString(8)}); expected mode 600, because it signs kernels.`,
    );
  const { name, key: secret } = line;
  let privateKey: KeyObject;
  try {
    privateKey = createPrivateKey({ key: Buffer.from(secret, "base64url"), format: "der", type: "pkcs8" });
    if (privateKey.asymmetricKeyType !== "ed25519") throw new Error("it is of another kind");
  } catch (error) {
    throw new PlatformError(
      "BAD_OPTION",
      `The key in ${file} is no Ed25519 key: ${messageOf(error)}.`,
      error,
    );
  }
  const key = publicTextOf(privateKey);
  return {
    name,
    key,
    sign: (kernel) => ({
      key,
      name,
      value: sign(undefined, signedBytes(kernel, name), privateKey).toString("base64url"),
    }),
  };
}

/**
 * Reads the public keys of a file, one a line, as `manyhands key create` writes them.
 * @throws PlatformError FILE_FAILED, BAD_OPTION
 */
export function readTrustedKeys(file: string): TrustedKey[] {
  const keys = readLines(file, publicWord, "keys as in the .pub file that `manyhands key create` made");
  if (keys.length === 0 || keys.length > trustedKeys)
    throw new PlatformError(
      "BAD_OPTION",
      `${file} holds ${keys.length} trusted keys; expected 1 to ${trustedKeys}.`,
    );
  for (const { key } of keys)
    if (!publicKeyOf(key))
      throw new PlatformError("BAD_OPTION", `${file} holds a key that is no Ed25519 key.`);
  return keys;
}

/** Whether the holder of the key signed this kernel under this name. */
export function isSignedBy(kernel: Sha256, { key, name, value }: KernelSignature): boolean {
  const publicKey = publicKeyOf(key);
  return (
    publicKey !== undefined &&
    verify(undefined, signedBytes(kernel, name), publicKey, Buffer.from(value, "base64url"))
  );
}

/**
 * The reason why a client that trusts only these keys refuses a kernel; undefined for a kernel that may run. The reason names the signers
 * of the client's own file.
 */
export function distrustOf(
  trusted: readonly TrustedKey[],
  kernel: Sha256,
  signature: KernelSignature | undefined,
): string | undefined {
  const names = trusted.map(({ name }) => name).join(", ");
  const expected = `this client runs only kernels signed by ${names}`;
  if (!signature) return `The kernel is not signed; ${expected}.`;
  if (!trusted.some(({ key }) => key === signature.key))
    return `The kernel is signed by a key that is not trusted here (it calls itself ${signature.name}); ${expected}.`;
  return isSignedBy(kernel, signature) ? undefined : `The signature of the kernel is wrong; ${expected}.`;
}

/** The signed text. Its first words name its purpose, so that a signature for another purpose is no signature of a kernel. */
function signedBytes(kernel: Sha256, name: string): Buffer {
  return Buffer.from(`manyhands kernel 1\n${kernel}\n${name}`);
}

function publicTextOf(privateKey: KeyObject): string {
  return String(createPublicKey(privateKey).export({ format: "jwk" }).x);
}

function publicKeyOf(text: string): KeyObject | undefined {
  try {
    return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: text }, format: "jwk" });
  } catch {
    return undefined;
  }
}

function write(file: string, text: string, mode: number): void {
  try {
    writeFileSync(file, text, { mode, flag: "wx" });
    // The umask has taken bits from the mode of the new file.
    chmodSync(file, mode);
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === "EEXIST";
    const reason = isThere ? "it is there already, and a key is never written over" : messageOf(error);
    throw new PlatformError("FILE_FAILED", `${file} cannot be written: ${reason}.`, error);
  }
}

/** Reads the keys of one kind. @throws PlatformError FILE_FAILED, BAD_OPTION for a line that is no such key */
function readLines(file: string, word: string, expected: string): TrustedKey[] {
  let text: string;
  try {
    if (statSync(file).size > maxFileBytes) throw new Error(`it has more than ${maxFileBytes} bytes`);
    text = readFileSync(file, "utf8").replace(/^\uFEFF/, "");
  } catch (error) {
    throw new PlatformError(
      "FILE_FAILED",
      `The key file ${file} cannot be read: ${messageOf(error)}.`,
      error,
    );
  }
  const keys: TrustedKey[] = [];
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, kind, key = "", name = ""] = /^(\S+) +([\w-]+) +(\S.*?) *$/.exec(line) ?? [];
    if (kind !== word || name.length > limits.nameChars)
      throw new PlatformError("BAD_OPTION", `Line ${at + 1} of ${file} is no key; expected ${expected}.`);
    keys.push({ key, name });
  }
  return keys;
}
