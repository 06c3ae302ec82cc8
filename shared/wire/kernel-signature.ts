import * as v from "valibot";
import { limits } from "../limits.ts";
import { text } from "./task.ts";

/** Most keys that a client trusts. */
export const trustedKeys = 64;

/** A public key: 32 bytes in base64url. */
export const signerKeySchema = text(43);

/** The signature of a kernel: Ed25519 (RFC 8032) over the kernel's SHA-256 and the signer's name, as signing/keys.ts writes them. */
export const kernelSignatureSchema = v.strictObject({
  key: signerKeySchema,
  /** Name of the signer, as in the key file. */
  name: text(limits.nameChars),
  /** 64 bytes in base64url. */
  value: text(86),
});
export type KernelSignature = v.InferOutput<typeof kernelSignatureSchema>;
