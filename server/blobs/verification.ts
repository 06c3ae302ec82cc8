import { LRUCache } from "lru-cache";
import type { BlobName } from "../../shared/data-reference.ts";
import type { Sha256 } from "../../shared/ids.ts";
import type { BlobBackend, Verdict } from "./backend.ts";
import { blobError } from "./failure.ts";
import type { KeyedLocks } from "./locks.ts";

/** A blob that was verified is taken as sound for this long by whoever puts or reads it. */
const verifiedMs = 3_600_000;
/** Time between looks at damaged blobs that another server may have put again. */
const lookAgainMs = 10_000;
/** Blobs whose last verification is remembered. */
const remembered = 10_000;

/** Verification of blobs: which were found sound lately, and which damaged and set aside ([ROT-5]). */
export class Verification {
  readonly #backend: BlobBackend;
  readonly #locks: KeyedLocks<Sha256>;
  readonly #clock: () => number;
  readonly #onDamage: (sha256: Sha256, isDamaged: boolean) => void;
  /** Times at which blobs were found sound. */
  readonly #sound = new LRUCache<Sha256, number>({ max: remembered });
  readonly #underWay = new Map<Sha256, Promise<Verdict>>();
  readonly #damaged = new Set<Sha256>();
  #lookingAgain: NodeJS.Timeout | undefined;

  /** @param locks - publishing, collecting and setting aside a blob exclude each other */
  constructor(
    backend: BlobBackend,
    locks: KeyedLocks<Sha256>,
    clock: () => number,
    onDamage: (sha256: Sha256, isDamaged: boolean) => void,
  ) {
    this.#backend = backend;
    this.#locks = locks;
    this.#clock = clock;
    this.#onDamage = onDamage;
  }

  /** Blobs that were found damaged and set aside. */
  get damaged(): ReadonlySet<Sha256> {
    return this.#damaged;
  }

  /** Reads which blobs earlier servers set aside. @throws PlatformError STORE_FAILED */
  async readDamaged(): Promise<void> {
    try {
      for (const sha256 of await this.#backend.listSetAside()) this.#damaged.add(sha256);
      this.#lookAgainLater();
    } catch (error) {
      throw blobError(error);
    }
  }

  /** Whether the blob was found sound, or received, within the last hour, or the medium verifies itself. */
  isRecent(sha256: Sha256): boolean {
    if (this.#backend.verifiesItself) return true;
    const at = this.#sound.get(sha256);
    return at !== undefined && this.#clock() - at < verifiedMs;
  }

  /** Notes that all bytes of a blob were just verified. */
  noteSound(sha256: Sha256): void {
    this.#sound.set(sha256, this.#clock());
  }

  /** Forgets a blob that is removed. */
  forget(sha256: Sha256): void {
    this.#sound.delete(sha256);
  }

  /** Reads a blob and compares its hash; concurrent callers share the reading. @throws PlatformError STORE_FAILED */
  verify(sha256: Sha256, bytesPerSecond?: number): Promise<Verdict> {
    let under = this.#underWay.get(sha256);
    if (!under) {
      under = this.#verify(sha256, bytesPerSecond).finally(() => this.#underWay.delete(sha256));
      this.#underWay.set(sha256, under);
    }
    return under;
  }

  async #verify(sha256: Sha256, bytesPerSecond?: number): Promise<Verdict> {
    try {
      const before = this.#sound.get(sha256);
      const verdict = await this.#backend.verify(sha256, bytesPerSecond);
      if (verdict === "sound") this.noteSound(sha256);
      if (verdict !== "damaged") return verdict;
      return await this.#locks.run(sha256, () => this.setAside(sha256, before));
    } catch (error) {
      throw blobError(error);
    }
  }

  /**
   * Under the blob's lock: sets a damaged blob aside.
   * @param before - time of the last verification when the blob was read: a later one is that of a blob that replaced it
   */
  async setAside(sha256: Sha256, before = this.#sound.get(sha256)): Promise<Verdict> {
    if (!(await this.#backend.find(sha256))) return "missing";
    if (this.#sound.get(sha256) !== before) return "sound";
    this.#sound.delete(sha256);
    if (!(await this.#backend.setAside(sha256))) return "sound";
    this.#noteDamage(sha256);
    return "damaged";
  }

  /** Looks for a blob. A blob that another server found damaged, or put again, is that for this server as well. */
  async find(sha256: Sha256): Promise<BlobName | undefined> {
    const found = await this.#backend.find(sha256);
    if (!this.#backend.isShared) return found;
    if (found) this.#forgetDamage(sha256);
    else if (await this.#backend.isSetAside(sha256)) this.#noteDamage(sha256);
    return found;
  }

  /** Removes the damaged copy of a blob that was put again, or is gone. */
  async removeDamage(sha256: Sha256): Promise<void> {
    if (!this.#damaged.has(sha256)) return;
    await this.#backend.removeSetAside(sha256);
    this.#forgetDamage(sha256);
  }

  close(): void {
    clearInterval(this.#lookingAgain);
  }

  #noteDamage(sha256: Sha256): void {
    if (this.#damaged.has(sha256)) return;
    this.#damaged.add(sha256);
    this.#onDamage(sha256, true);
    this.#lookAgainLater();
  }

  #forgetDamage(sha256: Sha256): void {
    if (this.#damaged.delete(sha256)) this.#onDamage(sha256, false);
  }

  /** Tasks wait for damaged blobs, so nobody asks for those that another server got again. */
  #lookAgainLater(): void {
    if (!this.#backend.isShared || this.#damaged.size === 0) return;
    this.#lookingAgain ??= setInterval(() => void this.#lookAgain(), lookAgainMs).unref();
  }

  async #lookAgain(): Promise<void> {
    for (const sha256 of this.#damaged) {
      const found = await Promise.resolve(this.#backend.find(sha256)).catch(() => undefined);
      // The blob may have been removed with its record, too.
      if (found || !(await this.#backend.isSetAside(sha256).catch(() => true))) this.#forgetDamage(sha256);
    }
    if (this.#damaged.size > 0) return;
    clearInterval(this.#lookingAgain);
    this.#lookingAgain = undefined;
  }
}
