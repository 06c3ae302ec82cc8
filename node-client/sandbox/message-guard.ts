/**
 * A kernel shares its process with the runner and can send any message. comlink would follow any path in a message (`["report",
 * "constructor", "constructor"]` is `Function`), so messages are checked before comlink sees them.
 */
const hostCalls: Readonly<Record<string, number>> = { data: 2, file: 2, put: 1, command: 1, report: 1 };

/** Whether a message is a plain call of one of the host's functions. */
export function isHostCall(message: unknown): boolean {
  if (!isRecord(message)) return false;
  const { id, type, path, argumentList } = message;
  if (typeof id !== "string" || id.length > 100 || type !== "APPLY") return false;
  if (!Array.isArray(path) || path.length !== 1 || !Array.isArray(argumentList)) return false;
  const name: unknown = path[0];
  if (typeof name !== "string" || !Object.hasOwn(hostCalls, name)) return false;
  return argumentList.length === hostCalls[name] && argumentList.every(isRaw);
}

/** Whether a message is an answer of the runner: a value, which its reader checks, or an error. */
export function isRunnerAnswer(message: unknown): boolean {
  if (!isRecord(message) || typeof message["id"] !== "string") return false;
  if (isRaw(message)) return true;
  if (message["type"] !== "HANDLER" || message["name"] !== "throw") return false;
  const thrown = message["value"];
  if (!isRecord(thrown) || thrown["isError"] !== true || !isRecord(thrown["value"])) return false;
  const { name, message: text, stack } = thrown["value"];
  return [name, text, stack].every((part) => part === undefined || typeof part === "string");
}

/** Whether a message releases a collected proxy of comlink, which has no effect here. */
export function isRelease(message: unknown): boolean {
  return isRecord(message) && message["type"] === "RELEASE";
}

function isRaw(value: unknown): boolean {
  return isRecord(value) && value["type"] === "RAW";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
