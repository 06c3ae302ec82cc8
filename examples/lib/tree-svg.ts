import { splitOf, tipsOf, type Branch } from "./tree.ts";

/** Title, labels and groups of a tree, and the support of its branches, for a drawing. */
interface TreeDrawing {
  readonly title: string;
  /** Share of the replicates, 0 … 1, that have a branch with this split. */
  readonly support: (split: string) => number;
  readonly label: (tip: string) => string;
  /** Group of a tip; each has a colour. */
  readonly group: (tip: string) => string;
  readonly groups: readonly string[];
}

const [width, left, right, top, rowHeight] = [900, 20, 640, 66, 13];
const colours = ["#b3541e", "#0a7c5a", "#7a4fa3", "#2f6fb0", "#8a6d00", "#a3345c"];

/** A tree as an SVG picture: lengths of branches to the right, support values of at least a half on the branches. */
export function drawTree(root: Branch, { title, support, label, group, groups }: TreeDrawing): string {
  const all = tipsOf(root);
  const scale = (right - left) / depthOf(root);
  const colour = (tips: readonly string[]): string => {
    const kinds = new Set(tips.map(group));
    return kinds.size > 1 ? "#868e99" : colours[groups.indexOf([...kinds][0]!) % colours.length]!;
  };
  const parts: string[] = [];
  let row = 0;
  /** Draws a branch that begins at `from`. @returns how far down it lies */
  const draw = (branch: Branch, from: number, isRoot = false): number => {
    const [to, tips] = [from + branch.length * scale, tipsOf(branch)];
    const ends = branch.children.map((child) => draw(child, to));
    const y = branch.children.length > 0 ? (ends[0]! + ends.at(-1)!) / 2 : top + rowHeight * row++;
    const [x0, x1, down] = [from, to, y].map((at) => at.toFixed(1));
    const stroke = `stroke="${colour(tips)}"`;
    if (!isRoot) parts.push(`<line ${stroke} x1="${x0}" x2="${x1}" y1="${down}" y2="${down}"/>`);
    if (branch.children.length === 0) {
      parts.push(
        `<text x="${right + 12}" y="${(y + 4).toFixed(1)}" fill="${colour(tips)}">${escape(label(branch.name))}</text>`,
        `<line class="lead" x1="${(to + 4).toFixed(1)}" x2="${right + 6}" y1="${down}" y2="${down}"/>`,
      );
      return y;
    }
    parts.push(
      `<line ${stroke} x1="${x1}" x2="${x1}" y1="${ends[0]!.toFixed(1)}" y2="${ends.at(-1)!.toFixed(1)}"/>`,
    );
    const share = isRoot ? 0 : support(splitOf(tips, all));
    if (share >= 0.5)
      parts.push(
        `<text class="support" x="${(to - 2).toFixed(1)}" y="${(y - 3).toFixed(1)}">${Math.round(100 * share)}</text>`,
      );
    return y;
  };
  draw(root, left, true);
  const height = top + rowHeight * all.length + 34;
  const legend = groups.map(
    (name, i) =>
      `<tspan dx="${i === 0 ? 0 : 16}" fill="${colours[i % colours.length]}">${escape(name)}</tspan>`,
  );
  const unit = 10 ** Math.floor(Math.log10(depthOf(root) / 3));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<style>
  .page { fill: #ffffff; } text { font: 11px system-ui, sans-serif; } .head { font-size: 15px; font-weight: 600; fill: #1f2328; }
  line { stroke-width: 1.5; stroke-linecap: round; } .lead { stroke: #e3e7ec; stroke-width: 1; stroke-dasharray: 1 3; }
  .support { font-size: 9px; fill: #59636e; text-anchor: end; } .minor { fill: #59636e; }
</style>
<rect class="page" width="100%" height="100%" rx="6"/>
<text class="head" x="${left}" y="26">${escape(title)}</text>
<text x="${left}" y="46">${legend.join("")}</text>
${parts.join("\n")}
<line stroke="#59636e" x1="${left}" x2="${(left + unit * scale).toFixed(1)}" y1="${height - 24}" y2="${height - 24}"/>
<text class="minor" x="${left}" y="${height - 8}">${unit} substitutions a site</text>
</svg>
`;
}

/** Length from the root to the farthest tip. */
function depthOf({ length, children }: Branch): number {
  return length + Math.max(0, ...children.map(depthOf));
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
