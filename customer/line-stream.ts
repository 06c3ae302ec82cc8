/**
 * The lines of a reply as JSON values, blank lines (signs of life) left out. Ends with the reply.
 * @throws whatever breaks the connection; SyntaxError
 */
export async function* jsonLines(response: Response): AsyncGenerator<unknown, void, undefined> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") yield JSON.parse(line) as unknown;
    }
  } finally {
    // Without this an abandoned stream would go on filling its buffer.
    await reader.cancel().catch(() => undefined);
  }
}
