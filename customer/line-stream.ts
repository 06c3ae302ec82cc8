/** A stream that says nothing for this long is taken for dead: neither side of a connection that broke need know. */
const silenceMs = 60_000;

/**
 * The lines of a reply as JSON values, blank lines (signs of life) left out. Ends with the reply.
 * @throws whatever breaks the connection; Error when nothing comes for a minute; SyntaxError
 */
export async function* jsonLines(response: Response): AsyncGenerator<unknown, void, undefined> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  const silence = setTimeout(
    () => void reader.cancel(new Error("silence")).catch(() => undefined),
    silenceMs,
  );
  silence.unref();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      silence.refresh();
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield JSON.parse(line) as unknown;
    }
  } finally {
    clearTimeout(silence);
    // Without this an abandoned stream would go on filling its buffer.
    await reader.cancel().catch(() => undefined);
  }
}
