/**
 * Trees of slipper orchids and how sure they are: FastTree, a C program that every browser and machine runs as WebAssembly, and Felsenstein's
 * bootstrap: the sites of the alignment are drawn anew, again and again, and the support of a branch is the share of these
 * alignments whose trees have it, too.
 *
 *     sh examples/programs/fasttree.sh                          # once: builds fasttree.wasm; it says what it needs
 *     npx manyhands run examples/gallery/orchid-trees.ts        # --help tells more
 *
 * The first tree has to be that of Debian's own `fasttree -nt -gtr -nosupport`, byte for byte, and the genera have to be branches of it, as
 * botanists found with these sequences (Cox et al. 1997). The picture is orchid-trees.svg, which is on the job's page, too.
 */
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { Command } from "commander";
import { parallelOption, program } from "../../parallel/index.ts";
import { seededRandom } from "../../shared/random.ts";
import { whole } from "../lib/program.ts";
import { speedUp } from "../lib/speed-up.ts";
import { drawTree } from "../lib/tree-svg.ts";
import { parseNewick, rootedBeside, splitOf, splitsOf, tipsOf } from "../lib/tree.ts";

const command = new Command("orchid-trees")
  .option("--replicates <n>", "alignments of sites that are drawn anew", whole(1), 100)
  .option("--fasttree <file>", "the program", "examples/programs/fasttree.wasm")
  .option("--out <file>", "the picture", "orchid-trees.svg");
const connect = parallelOption(command);
const { replicates, fasttree, out } = command
  .parse()
  .opts<{ replicates: number; fasttree: string; out: string }>();
const ofDebian = "842e951aa661f70794883731f125ba56a15035cc4558d23960d5f97ff1a329df";

const read = async (name: string): Promise<Map<string, string>> => {
  const text = await readFile(new URL(`../../data/${name}`, import.meta.url), "utf8");
  const records = text.split(/^>/m).slice(1);
  return new Map(records.map((record) => [record.split("\n")[0]!, record.replace(/^.*|\s/g, "")]));
};
const alignment = await read("ls_orchid_aligned.fasta");
const titles = [...(await read("ls_orchid.fasta")).keys()];

/** The title of a sequence begins with its names: `gi|2765658|emb|Z78533.1|CIZ78533 C.irapeanum 5.8S rRNA gene …`. */
const species = new Map(
  titles.map((title) => [title.split(" ")[0]!.replaceAll("|", "_"), title.split(/ .\.?| /)[1]!]),
);
const genera = ["Cypripedium", "Mexipedium", "Phragmipedium", "Paphiopedilum"] as const;
/** The sequences are numbered by genus. */
const genusOf = (name: string): string => {
  const number = Number(/Z(\d+)/.exec(name)?.[1]);
  return genera[[78_516, 78_515, 78_500, 0].findIndex((first) => number >= first)]!;
};

/** Alignments as FASTA: the given one, and then others of as many sites, drawn with replacement. */
function* alignments(): Generator<Uint8Array> {
  const random = seededRandom("slipper");
  const length = [...alignment.values()][0]!.length;
  const sites = Array.from({ length }, (_, site) => site);
  for (let i = 0; i <= replicates; i++) {
    const drawn = i === 0 ? sites : sites.map(() => Math.floor(random() * length));
    const lines = [...alignment].map(
      ([name, letters]) => `>${name}\n${drawn.map((site) => letters[site]).join("")}\n`,
    );
    yield new TextEncoder().encode(lines.join(""));
  }
}

await using hands = await connect();
const kernel = program(fasttree, { args: ["-nt", "-gtr", "-nosupport", "{input}"] });
const job = hands.map(kernel, alignments(), { name: "Trees of slipper orchids" });
const [text, ...others] = await job;

const same = createHash("sha256").update(text!).digest("hex") === ofDebian;
console.log(
  `the tree of ${alignment.size} sequences is ${same ? "" : "NOT "}that of Debian's fasttree, byte for byte`,
);

const tree = parseNewick(text!);
const found = others.map((other) => splitsOf(parseNewick(other)));
const support = (split: string): number => found.filter((splits) => splits.has(split)).length / replicates;
const tips = tipsOf(tree);
const splits = splitsOf(tree);
for (const genus of genera) {
  const members = tips.filter((tip) => genusOf(tip) === genus);
  if (members.length === 1) continue;
  const split = splitOf(members, tips);
  const told = splits.has(split)
    ? `one branch, in ${(100 * support(split)).toFixed(0)} % of ${replicates} replicates`
    : "NOT one branch";
  console.log(`${genus.padEnd(13)} ${String(members.length).padStart(2)} sequences: ${told}`);
  if (!splits.has(split)) process.exitCode = 1;
}
const sure = [...splits].filter((split) => support(split) >= 0.95).length;
console.log(`${sure} of ${splits.size} inner branches have a support of 95 % or more`);

const picture = drawTree(
  rootedBeside(
    tree,
    tips.filter((tip) => genusOf(tip) === "Cypripedium"),
  ),
  {
    title: `Slipper orchids: ribosomal spacers of ${tips.length} plants, support by ${replicates} replicates (%)`,
    support,
    label: (tip) => `${genusOf(tip)} ${species.get(tip)}`,
    group: genusOf,
    groups: genera,
  },
);
await writeFile(out, picture);
await job.attach("orchid-trees.svg", picture);
console.log(await speedUp([job]));
if (!same) process.exitCode = 1;
