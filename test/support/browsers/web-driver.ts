/** Longer than the driver's own limits, which have the better messages. */
const patienceMs = 60_000;

/** A session of a driver by WebDriver (https://www.w3.org/TR/webdriver2/): commands one after the other. */
export class WebDriverSession {
  readonly #url: string;
  readonly capabilities: Readonly<Record<string, unknown>>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(url: string, capabilities: Record<string, unknown>) {
    this.#url = url;
    this.capabilities = capabilities;
  }

  /** @param driver - the driver's address */
  static async start(driver: string, wanted: object, withinMs: number): Promise<WebDriverSession> {
    const body = { capabilities: { alwaysMatch: wanted } };
    const made = (await send(`${driver}/session`, "POST", body, withinMs)) as {
      sessionId: string;
      capabilities: Record<string, unknown>;
    };
    return new WebDriverSession(`${driver}/session/${made.sessionId}`, made.capabilities);
  }

  /** Sends commands that no others come between, the first of which may choose a window. */
  together<T>(commands: () => Promise<T>): Promise<T> {
    const done = this.#last.then(commands);
    this.#last = done.catch(() => undefined);
    return done;
  }

  get<T>(path: string): Promise<T> {
    return send(this.#url + path, "GET") as Promise<T>;
  }

  post<T>(path: string, body: object = {}): Promise<T> {
    return send(this.#url + path, "POST", body) as Promise<T>;
  }

  /** Deletes what the path names; the session itself without one. */
  async delete(path = ""): Promise<void> {
    await send(this.#url + path, "DELETE");
  }
}

async function send(url: string, method: string, body?: object, withinMs = patienceMs): Promise<unknown> {
  const response = await fetch(url, {
    method,
    signal: AbortSignal.timeout(withinMs),
    ...(body && { body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as { value: unknown };
  if (!response.ok) throw new Error(`WebDriver ${method} ${url}: ${JSON.stringify(value)}`);
  return value;
}
