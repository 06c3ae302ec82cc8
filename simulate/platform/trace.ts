/** The steps and faults of a seed. Two runs of a seed have the same hash exactly when they did the same. */
export class Trace {
  steps = 0;
  readonly faults = new Map<string, number>();
  readonly #print: ((line: string) => void) | undefined;
  #hash = 0x811c9dc5;

  /** @param print - takes a line for each step */
  constructor(print?: (line: string) => void) {
    this.#print = print;
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }

  step(now: number, process: string, label: string): void {
    this.steps += 1;
    this.#mix(Math.round(now * 1000));
    this.#mixText(process);
    this.#mixText(label);
    this.#print?.(`${(now / 1000).toFixed(6).padStart(12)}  ${process.padEnd(12)}  ${label}`);
  }

  /** Notes bytes that travel. */
  bytes(bytes: Uint8Array): void {
    this.#mix(bytes.length);
    let hash = this.#hash;
    for (let at = 0; at < bytes.length; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    this.#hash = hash;
  }

  fault(kind: string, about = ""): void {
    this.faults.set(kind, (this.faults.get(kind) ?? 0) + 1);
    this.#mixText(kind);
    this.#print?.(`              ${"".padEnd(12)}  *** ${kind} ${about}`);
  }

  /** Notes a remark beside the steps. */
  note(line: string): void {
    this.#print?.(`              ${"".padEnd(12)}      ${line}`);
  }

  #mix(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value | 0), 0x01000193);
    this.#hash = Math.imul(this.#hash ^ Math.floor(value / 2 ** 32), 0x01000193);
  }

  #mixText(text: string): void {
    let hash = this.#hash;
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    this.#hash = hash;
  }
}
