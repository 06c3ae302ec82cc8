import type { Endpoint } from "comlink";

type Listener = (event: { data: unknown }) => void;

/** Calls that a worker may have under way. An honest worker has 64 (sandbox/worker.ts), and reports besides. */
const maxCalls = 1_000;

interface GuardOptions {
  /** First message of the worker. */
  readonly greeting: string;
  readonly greeted: () => void;
  /** Called when the kernel holds more memory than its job allows, with the MiB. */
  readonly outgrew: (usedMb: number) => void;
  /** Names of the functions that the worker may call. */
  readonly verbs: readonly string[];
  /** Called with the worker's fault; no further message is let through. */
  readonly violated: (what: string) => void;
}

export interface GuardedPort {
  readonly endpoint: Endpoint;
  close(): void;
}

/**
 * The page's end of the port to a worker, as a comlink endpoint that lets through only messages of an honest runner: calls of the given
 * verbs with plain arguments, and answers to the page's calls. comlink alone would let a hostile worker walk to any property of the
 * exposed object (`constructor.constructor` is `Function`), set it, or construct it in the page.
 */
export function guardPort(port: MessagePort, options: GuardOptions): GuardedPort {
  const listeners = new Set<Listener>();
  /** Calls of the page that wait for the worker's answer. */
  const asked = new Set<unknown>();
  /** Calls of the worker that wait for the page's answer. */
  const answering = new Set<unknown>();
  let greeted = false;

  const hear = ({ data }: MessageEvent<unknown>): void => {
    if (!greeted && data === options.greeting) {
      greeted = true;
      return options.greeted();
    }
    if (typeof data === "number") return options.outgrew(data);
    // comlink sends RELEASE when the garbage collector took a proxy; the page has nothing to release.
    if (isRecord(data) && data["type"] === "RELEASE") return;
    const clean = greeted ? admit(data, options.verbs) : undefined;
    if (!clean || (clean["type"] !== "APPLY" && !asked.delete(clean["id"])))
      return violated("The kernel tampered with the sandbox's connection.");
    if (clean["type"] === "APPLY" && answering.add(clean["id"]).size > maxCalls)
      return violated("The kernel flooded the page with calls.");
    for (const listener of listeners) listener({ data: clean });
  };
  const violated = (what: string): void => {
    port.removeEventListener("message", hear);
    options.violated(what);
  };
  port.addEventListener("message", hear);
  port.start();
  return {
    endpoint: {
      postMessage(message: { id: string; type: string }, transfer?: Transferable[]) {
        if (message.type === "APPLY") asked.add(message.id);
        else answering.delete(message.id);
        port.postMessage(message, transfer ?? []);
      },
      addEventListener: (_type: string, listener: unknown) => void listeners.add(listener as Listener),
      removeEventListener: (_type: string, listener: unknown) => void listeners.delete(listener as Listener),
    },
    close() {
      listeners.clear();
      port.removeEventListener("message", hear);
      port.close();
    },
  };
}

/** Rebuilds a message from the parts that comlink may see; undefined when the message is not allowed. */
function admit(data: unknown, verbs: readonly string[]): Record<string, unknown> | undefined {
  if (!isRecord(data) || typeof data["id"] !== "string") return undefined;
  const { id, type, path, argumentList, name, value } = data;
  if (type === "RAW") return { id, type, value };
  if (type === "HANDLER" && name === "throw") return { id, type, name, value: thrown(value) };
  if (type !== "APPLY" || !Array.isArray(path) || !Array.isArray(argumentList)) return undefined;
  if (path.length !== 1 || !verbs.includes(path[0] as string)) return undefined;
  const plain = argumentList.every((argument) => isRecord(argument) && argument["type"] === "RAW");
  return plain && argumentList.length <= 2 ? { id, type, path, argumentList } : undefined;
}

/** Reduces a thrown error to three properties, because comlink copies every property onto the error that the page gets. */
function thrown(value: unknown): unknown {
  const error = isRecord(value) && isRecord(value["value"]) ? value["value"] : {};
  const text = (part: unknown): string => (typeof part === "string" ? part : "");
  return {
    isError: true,
    value: { name: text(error["name"]), message: text(error["message"]), stack: text(error["stack"]) },
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
