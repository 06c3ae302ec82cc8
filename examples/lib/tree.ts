/** A branch of a rooted tree, and what grows on it. */
export interface Branch {
  /** Name of a tip; empty inside the tree. */
  readonly name: string;
  readonly length: number;
  readonly children: readonly Branch[];
}

/** Reads a tree in the Newick format; labels of inner nodes are left away. @throws SyntaxError */
export function parseNewick(text: string): Branch {
  const tokens = text.match(/[(),;]|[^(),;\s]+/g) ?? [];
  let at = 0;
  const branch = (): Branch => {
    const children: Branch[] = [];
    if (tokens[at] === "(") {
      do {
        at++;
        children.push(branch());
      } while (tokens[at] === ",");
      if (tokens[at++] !== ")") throw new SyntaxError(`a ) was expected as token ${at} of the tree`);
    }
    const [name = "", length = "0"] = /^[(),;]$/.test(tokens[at] ?? ";") ? [] : tokens[at++]!.split(":");
    return { name: children.length > 0 ? "" : name, length: Number(length), children };
  };
  return branch();
}

/** Names of the tips of a branch, from top to bottom. */
export function tipsOf({ name, children }: Branch): string[] {
  return children.length > 0 ? children.flatMap(tipsOf) : [name];
}

/** The split of the tips by a branch as a text, which is the same from both sides of the branch. */
export function splitOf(tips: readonly string[], all: readonly string[]): string {
  const side = new Set(tips);
  const first = all.toSorted()[0]!;
  return (side.has(first) ? all.filter((tip) => !side.has(tip)) : [...side]).toSorted().join(" ");
}

/** The splits of all inner branches of a tree. */
export function splitsOf(tree: Branch): Set<string> {
  const all = tipsOf(tree);
  const inner = (branch: Branch): Branch[] =>
    branch.children.flatMap((child) => (child.children.length > 0 ? [child, ...inner(child)] : []));
  return new Set(inner(tree).map((branch) => splitOf(tipsOf(branch), all)));
}

/** The same tree with its root on the branch that divides these tips from the others. @throws RangeError when there is none */
export function rootedBeside(tree: Branch, outgroup: readonly string[]): Branch {
  const all = tipsOf(tree);
  const wanted = splitOf(outgroup, all);
  /** Looks below a node; `above` is the rest of the tree as seen from the node. */
  const search = (node: Branch, above: readonly Branch[]): Branch | undefined => {
    for (const child of node.children) {
      const others = [...above, ...node.children.filter((other) => other !== child)];
      const rest = others.length === 1 ? others[0]! : { name: "", length: 0, children: others };
      const half = child.length / 2;
      if (splitOf(tipsOf(child), all) === wanted)
        return { name: "", length: 0, children: [child, rest].map((side) => ({ ...side, length: half })) };
      const found = search(child, [{ ...rest, length: child.length }]);
      if (found) return found;
    }
    return undefined;
  };
  const rooted = search(tree, []);
  if (!rooted) throw new RangeError(`no branch divides ${outgroup.join(", ")} from the others`);
  return rooted;
}
