/** Whether a path matches a pattern: `*` is any text without a slash, `**` any text, `?` any character but a slash. */
export function matches(path: string, pattern: string): boolean {
  const text = pattern.replaceAll(/\*\*\/|\*\*|\*|\?|[^*?]+/g, (part) => {
    if (part === "**/") return "(?:.*/)?";
    if (part === "**") return ".*";
    if (part === "*") return "[^/]*";
    if (part === "?") return "[^/]";
    return part.replaceAll(/[\\^$.|+()[\]{}]/g, "\\$&");
  });
  return new RegExp(`^${text}$`, "su").test(path);
}
