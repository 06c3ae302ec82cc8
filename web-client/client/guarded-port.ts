import type { Endpoint } from "comlink";

type Listener = (event: { data: unknown }) => void;

/** Calls a worker may have under way. An honest one waits at 64 (sandbox/worker.ts) and sends reports besides. */
const maxCalls = 1_000;

interface GuardOptions {
  /** First message of the other end, before anything else. */
  readonly greeting: string;
  readonly greeted: () => void;
  /** What the other end may call. */
  readonly verbs: readonly string[];
  /** Told what it did wrong; nothing more is let through. */
  readonly violated: (what: string) => void;
}

export interface GuardedPort {
  readonly endpoint: Endpoint;
  close(): void;
}

/**
 * The page's end of the port to a worker, as a comlink endpoint that lets through only what an honest runner says: calls
 * of the given verbs with plain arguments, and answers to our own calls. comlink alone would let whoever holds the other end
 * walk to any property of the exposed object (`constructor.constructor` is `Function`), set it, or construct it in the
 * page.
 */
export function guardPort(port: MessagePort, options: GuardOptions): GuardedPort {
  const listeners = new Set<Listener>();
  /** Our calls that wait for an answer, and theirs that do. */
  const asked = new Set<unknown>();
  const answering = new Set<unknown>();
  let greeted = false;

  const hear = ({ data }: MessageEvent<unknown>): void => {
    if (!greeted && data === options.greeting) {
      greeted = true;
      return options.greeted();
    }
    // comlink says this when the garbage collector took a proxy; there is nothing to release here.
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

/** A message as comlink may see it, rebuilt from the parts that are allowed; undefined when it is not allowed at all. */
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

/** comlink copies every property of a thrown error onto a new one, so only these three are passed on. */
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
