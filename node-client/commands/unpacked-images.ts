import { spawnSync } from "node:child_process";
import { readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, PlatformError } from "../../shared/errors.ts";
import type { ClientPorts } from "../../shared/client/ports.ts";
import { makeDirectory } from "../../system/make-directory.ts";
import { takeTurn } from "../turn.ts";
import type { ImageFiles } from "./allowed.ts";
import { exportImage, findImage, type FoundImage } from "./image-store.ts";

const dayMs = 24 * 3_600_000;
/** Clients touch the copies that they use each day. */
const unusedMs = 30 * dayMs;

interface Options {
  readonly cacheDirectory: string;
  readonly log: ClientPorts["log"];
}

/** Copies of the files of images, by the id of the image: one for all clients of a cache directory. */
export class UnpackedImages {
  readonly #directory: string;
  readonly #log: ClientPorts["log"];
  readonly #used = new Set<string>();

  constructor({ cacheDirectory, log }: Options) {
    this.#directory = join(cacheDirectory, "images");
    this.#log = log;
    makeDirectory(this.#directory, 0o700);
  }

  /** The files of an image that podman or docker has. @throws PlatformError BAD_OPTION */
  async files(name: string): Promise<ImageFiles> {
    const found = await findImage(name);
    const root = join(this.#directory, found.id);
    await this.#inTurn(found.id, () => this.#provide(name, found, root));
    if (!this.#used.has(root)) setInterval(() => void touch(root), dayMs).unref();
    this.#used.add(root);
    return { root, env: found.env };
  }

  async #provide(name: string, found: FoundImage, root: string): Promise<void> {
    if (statSync(root, { throwIfNoEntry: false })) return touch(root);
    this.#log("info", `Unpacking the image ${name} (${found.id.slice(0, 12)}), once for this machine.`);
    const partial = `${root}.partial`;
    remove(partial);
    makeDirectory(partial);
    try {
      await exportImage(found, partial);
    } catch (error) {
      remove(partial);
      throw new PlatformError(
        "BAD_OPTION",
        `The image ${name} cannot be unpacked: ${messageOf(error)}`,
        error,
      );
    }
    own(partial);
    renameSync(partial, root);
    await touch(root);
  }

  /** Removes the copies that no client has used for a month. */
  async removeUnused(): Promise<void> {
    for (const name of readdirSync(this.#directory)) {
      const root = join(this.#directory, name);
      if (!isUnused(root)) continue;
      await this.#inTurn(name, async () => {
        if (isUnused(root)) remove(root);
      });
    }
  }

  #inTurn(id: string, action: () => Promise<void>): Promise<void> {
    return takeTurn(join(this.#directory, `${id}.lock`), action);
  }
}

function isUnused(root: string): boolean {
  const found = statSync(root, { throwIfNoEntry: false });
  return found?.isDirectory() === true && Date.now() - found.mtimeMs > unusedMs;
}

async function touch(root: string): Promise<void> {
  const now = Date.now() / 1000;
  // A copy that somebody removed is made again by the next client.
  await utimes(root, now, now).catch(() => undefined);
}

/** The user of this client may change and remove the copy, and nobody else may. */
function own(root: string): void {
  spawnSync("chmod", ["-R", "u+rwX,go-w", root], { stdio: "ignore" });
}

function remove(root: string): void {
  if (!statSync(root, { throwIfNoEntry: false })) return;
  own(root);
  rmSync(root, { recursive: true, force: true });
}
