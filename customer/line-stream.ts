/**
 * The lines of a reply as JSON values, without blank lines (signs of life). Ends with the reply.
 * @throws the error of a broken connection; SyntaxError
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
    // An abandoned stream would otherwise go on filling its buffer.
    await reader.cancel().catch(() => undefined);
  }
}
