import { open } from "node:fs/promises";
import { join } from "node:path";
import { Network } from "../../../customer/network.ts";
import { nameOf } from "./blobs.ts";
import { temporaryDirectory } from "./children.ts";
import { startNginx } from "./nginx.ts";

const network = new Network();

/**
 * Starts nginx on an empty directory, for PUTs with the request of the SDK.
 * @param synced - whether this program syncs file and folder after each PUT, because nginx syncs nothing
 * @returns a function that hashes and puts bytes, and returns their address
 */
export async function putsToNginx(synced: boolean): Promise<(bytes: Uint8Array) => Promise<URL>> {
  const directory = temporaryDirectory();
  const { url } = await startNginx(directory);
  return async (bytes) => {
    const { sha256 } = nameOf(bytes);
    const address = new URL(`${url}/api/blobs/${sha256}`);
    const init = { method: "PUT", body: bytes as Uint8Array<ArrayBuffer> };
    const response = await network.fetch(address, init);
    await response.arrayBuffer();
    if (response.status !== 201) throw new Error(`nginx answered ${response.status}`);
    if (synced) {
      const folder = join(directory, sha256.slice(0, 2));
      await sync(join(folder, sha256));
      await sync(folder);
    }
    return address;
  };
}

/** Syncs a file or folder. */
export async function sync(path: string): Promise<void> {
  const file = await open(path, "r");
  await file.sync();
  await file.close();
}
