import { expect, test } from "vitest";
import { parseNewick, rootedBeside, splitOf, splitsOf, tipsOf } from "../../examples/lib/tree.ts";

const tree = parseNewick("(a:1,(b:2,c:3)0.9:4,((d:5,e:6):7,f:8)1:9);\n");

test("a tree is read with its lengths, and without the labels of its branches", () => {
  expect(tipsOf(tree)).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(tree.children[1]).toMatchObject({
    name: "",
    length: 4,
    children: [{ name: "b", length: 2 }, { length: 3 }],
  });
  expect(() => parseNewick("(a,b;")).toThrow(/a \) was expected/);
});

test("splits are the same from either side, and wherever the root is", () => {
  expect(splitOf(["b", "c"], tipsOf(tree))).toBe(splitOf(["a", "d", "e", "f"], tipsOf(tree)));
  expect([...splitsOf(tree)].toSorted()).toEqual(["b c", "d e", "d e f"]);
  expect(splitsOf(rootedBeside(tree, ["d", "e"]))).toEqual(splitsOf(tree));
});

test("a root beside an outgroup keeps all distances between tips", () => {
  const distances = (root: typeof tree): Map<string, number> => {
    const all = new Map<string, number>();
    const depths = (branch: typeof tree): [string, number][] => {
      const sides = branch.children.map(depths);
      for (const [i, side] of sides.entries())
        for (const other of sides.slice(i + 1))
          for (const [a, x] of side) for (const [b, y] of other) all.set([a, b].toSorted().join(), x + y);
      const below = branch.children.length > 0 ? sides.flat() : [[branch.name, 0] as [string, number]];
      return below.map(([name, depth]) => [name, depth + branch.length]);
    };
    depths(root);
    return all;
  };
  for (const outgroup of [["d", "e"], ["a", "b", "c", "f"], ["f"], ["c"]]) {
    const rooted = rootedBeside(tree, outgroup);
    expect(rooted.children).toHaveLength(2);
    expect(tipsOf(rooted.children[0]!).length === outgroup.length || outgroup.length === 4).toBe(true);
    expect(distances(rooted)).toEqual(distances(tree));
  }
  expect(() => rootedBeside(tree, ["a", "f"])).toThrow(/no branch divides a, f/);
});
