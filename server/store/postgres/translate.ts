/** Words of SQLite, and their counterparts here. */
const words: readonly (readonly [string, string])[] = [
  ["json_extract(options, '$.name')", `"jobName"(options)`],
  ["SELECT value FROM json_each(?)", "SELECT json_array_elements_text(?::json)"],
  ["instr(", "strpos("],
  ["COLLATE BINARY", 'COLLATE "C"'],
];

/** Comments, string literals and quoted names, which stay; values; names in camelCase, and the one name that is a keyword here. */
const tokens = /--[^\n]*|'(?:[^']|'')*'|"[^"]*"|\?(\d*)|\b(?:[a-z]+[A-Z]\w*|window)\b/g;

const translated = new Map<string, string>();

/**
 * A statement of the shared SQL in that of PostgreSQL: values are `$1`, and names keep their capitals. Each text is translated
 * once.
 */
export function translate(sql: string): string {
  let text = translated.get(sql);
  if (text === undefined) {
    let values = 0;
    const here = words.reduce((all, [from, to]) => all.replaceAll(from, to), sql);
    text = here.replace(tokens, (token, number?: string) => {
      if (token.startsWith("?")) return `$${number === "" ? ++values : number}`;
      return /^(?:['"]|--)/.test(token) ? token : `"${token}"`;
    });
    translated.set(sql, text);
  }
  return text;
}
