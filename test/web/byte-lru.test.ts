import { describe } from "vitest";
import type { Sha256 } from "../../shared/ids.ts";
import { ByteLru } from "../../web-client/client/byte-lru.ts";
import { precacheSpaceContract } from "../contract/precache-space.ts";

describe("[PRECACHE-2] the cache in memory, where a browser keeps nothing on disk", () => {
  precacheSpaceContract(async () => {
    const lru = new ByteLru(1000);
    const held = async (names: readonly string[]) =>
      names.filter((name) => lru.get(name as Sha256) !== undefined);
    return {
      put: async (name, bytes) => void lru.put(name as Sha256, new Uint8Array(bytes)),
      putAhead: async (name, bytes, keep) =>
        void lru.put(name as Sha256, new Uint8Array(bytes), new Set(keep as Sha256[])),
      touch: held,
      held,
    };
  });
});
