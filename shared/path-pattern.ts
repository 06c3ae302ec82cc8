/** Whether a path matches a pattern: `*` is any text without a slash, `**` any text, `?` any character but a slash. */
export function matches(path: string, pattern: string): boolean {
  const parts = [...pattern.matchAll(/\*\*\/|\*\*|\*|\?|[^*?]/gsu)].map(([part]) => part);
  // Places in the pattern to which the text so far leads: one pass over the text, whatever the pattern is.
  let places = withSkipped(parts, new Set([0]));
  for (const character of path) {
    const next = new Set<number>();
    for (const place of places) {
      const at = Math.floor(place);
      const part = parts[at];
      if (part === "**/") {
        next.add(at + within);
        if (character === "/") next.add(at + 1);
      } else if (part === "**") next.add(at);
      else if (part === "*" && character !== "/") next.add(at);
      else if (part === character || (part === "?" && character !== "/")) next.add(at + 1);
    }
    places = withSkipped(parts, next);
  }
  return places.has(parts.length);
}

/** Added to the place of two stars and a slash of which some text was read: it has to go on to a slash. */
const within = 0.5;

/** Places with those behind parts that may stand for no text. */
function withSkipped(parts: readonly string[], places: ReadonlySet<number>): Set<number> {
  const all = new Set(places);
  for (const place of all) if (parts[place]?.startsWith("*") === true) all.add(place + 1);
  return all;
}
