import { sha256 } from "@noble/hashes/sha2.js";
import { toHex } from "../../shared/hex.ts";
import type { Sha256 } from "../../shared/ids.ts";

/** A slow machine hashes a piece in about ten milliseconds, between which the page answers its user. */
const pieceBytes = 1024 ** 2;

/** SHA-256 in pieces, between which the event loop turns. */
export async function hashInJavaScript(bytes: Uint8Array): Promise<Sha256> {
  const hash = sha256.create();
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    if (at > 0) await nextTurn();
    hash.update(bytes.subarray(at, at + pieceBytes));
  }
  return toHex(hash.digest()) as Sha256;
}

/** A turn of the event loop that a hidden tab does not hold back, unlike a timer. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const turned = (): void => {
      port1.close();
      resolve();
    };
    port1.addEventListener("message", turned);
    port1.start();
    port2.postMessage(0);
  });
}
