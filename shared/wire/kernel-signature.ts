import * as v from "valibot";
import { limits } from "../limits.ts";
import { text } from "./task.ts";

/** Most keys that one client trusts. */
export const trustedKeys = 64;

/** A public key: 32 bytes in base64url. */
export const signerKeySchema = text(43);

/** Says who answers for a kernel: an Ed25519 signature (RFC 8032) of its SHA-256 and the signer's name, as signing/keys.ts has it. */
export const kernelSignatureSchema = v.strictObject({
  key: signerKeySchema,
  /** The signer, as the key file calls them. */
  name: text(limits.nameChars),
  /** 64 bytes in base64url. */
  value: text(86),
});
export type KernelSignature = v.InferOutput<typeof kernelSignatureSchema>;
