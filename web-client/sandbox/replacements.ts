/** Takes the lines of `console`, for the log of the running task. */
export interface ConsoleSink {
  log(...parts: unknown[]): void;
}

/** Harmless replacements of globals that kernels may expect. */
export function makeReplacements(sink: ConsoleSink): Record<string, unknown> {
  const { freeze } = Object;
  return {
    console: quietConsole(sink),
    performance: freeze({ now: performance.now.bind(performance), timeOrigin: performance.timeOrigin }),
    crypto: freeze({ getRandomValues: crypto.getRandomValues.bind(crypto), randomUUID: makeRandomUuid() }),
  };
}

/** Replaces `crypto.randomUUID`, which browsers lack on plain HTTP: kernels must not depend on the page's address. */
function makeRandomUuid(): () => string {
  const getRandomValues = crypto.getRandomValues.bind(crypto);
  return () => {
    const bytes = getRandomValues(new Uint8Array(16));
    // RFC 9562 §5.4: version 4, variant 10.
    bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  };
}

function quietConsole(sink: ConsoleSink): object {
  const log = (...parts: unknown[]): void => sink.log(...parts);
  const nothing = (): void => undefined;
  const methods = (names: string, method: () => void) => names.split(" ").map((name) => [name, method]);
  return Object.fromEntries([
    ...methods("log info warn error debug trace", log),
    ...methods("assert dir table group groupEnd count time timeEnd timeLog", nothing),
  ]) as object;
}
