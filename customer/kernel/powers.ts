import { PlatformError } from "../../shared/errors.ts";

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}
interface Power extends Node {
  readonly left: Node;
  readonly right: Node;
  readonly operator: string;
}
interface Edit {
  readonly from: number;
  readonly to: number;
  readonly text: string;
}

const helper = "__manyhandsPower";
/** A function declaration, which code of the module's top level may call. BigInts keep the operator: it is exact, and `Math.pow` refuses them. */
const helperSource = `function ${helper}(x, y) { return typeof x === "bigint" ? x ** y : Math.pow(x, y); }\n`;

/**
 * Writes `x ** y` of a kernel as `Math.pow`, because a sandbox can replace the function but not the operator, whose last bits depend on
 * the engine (SPEC.md [BITS-1]). Line numbers do not change.
 * @throws PlatformError BAD_ARGUMENT for a `**=` whose left side would have to be computed twice
 */
export async function portablePowers(source: string): Promise<string> {
  // Most kernels have no `**` except in the delimiters of comments, and are not parsed.
  if (!/(?<!\/)\*\*(?!\/)/.test(source)) return source;
  const { parseAst } = await import("rolldown/parseAst");
  const edits: Edit[] = [];
  collect(parseAst(source) as unknown as Node, source, edits);
  if (edits.length === 0) return source;
  return apply(source, edits) + helperSource;
}

function collect(node: Node, source: string, edits: Edit[]): void {
  if (node.type === "BinaryExpression" && node["operator"] === "**") {
    const { start, end, left, right } = node as Power;
    const at = operatorIn(source, left.end, right.start);
    edits.push({ from: start, to: start, text: `${helper}(` }, { from: at, to: at + 2, text: "," });
    edits.push({ from: end, to: end, text: ")" });
  }
  if (node.type === "AssignmentExpression" && node["operator"] === "**=") {
    const { end, left, right } = node as Power;
    const target = source.slice(left.start, left.end);
    if (!isRepeatable(left))
      throw new PlatformError(
        "BAD_ARGUMENT",
        `The kernel has \`${target} **= …\`; expected a name or a property of one before \`**=\`, or Math.pow.`,
      );
    const at = operatorIn(source, left.end, right.start);
    edits.push({ from: at, to: at + 3, text: `= ${helper}(${target},` }, { from: end, to: end, text: ")" });
  }
  for (const child of Object.values(node)) {
    if (Array.isArray(child)) for (const each of child) if (isNode(each)) collect(each, source, edits);
    if (isNode(child)) collect(child, source, edits);
  }
}

/** Position of the operator between two operands; comments between them may contain `**` as well. */
function operatorIn(source: string, from: number, to: number): number {
  const between = source
    .slice(from, to)
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, (comment) => " ".repeat(comment.length));
  return from + between.indexOf("**");
}

/** Whether the target of an assignment can be evaluated twice: names, and properties of names. */
function isRepeatable(node: Node): boolean {
  if (node.type === "Identifier" || node.type === "ThisExpression" || node.type === "Literal") return true;
  if (node.type !== "MemberExpression") return false;
  const { object, property, computed } = node as Node & { object: Node; property: Node; computed: boolean };
  return isRepeatable(object) && (!computed || isRepeatable(property));
}

function isNode(value: unknown): value is Node {
  return (
    typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string"
  );
}

function apply(source: string, edits: Edit[]): string {
  let text = "";
  let at = 0;
  for (const { from, to, text: put } of edits.sort((a, b) => a.from - b.from || a.to - b.to)) {
    text += source.slice(at, from) + put;
    at = to;
  }
  return text + source.slice(at) + (source.endsWith("\n") ? "" : "\n");
}
