/** Lines of programs that fetch the results of a job, those of failed tasks included (SPEC.md [LINES-1]). */
export function linesFor(server: string, id: string): [language: string, lines: string][] {
  return [
    [
      "TypeScript",
      `import { connect } from "manyhands";

const hands = await connect("${server}");
for await (const outcome of hands.job("${id}")) console.log(outcome.index, outcome.error ?? outcome.output);
await hands.close();`,
    ],
    [
      "Python",
      `import manyhands

with manyhands.connect("${server}") as hands:
    for outcome in hands.job("${id}"):
        print(outcome.index, outcome.error or outcome.output)`,
    ],
    [
      "curl",
      `curl -H "Authorization: Bearer $MANYHANDS_TOKEN" -H "Accept: application/x-ndjson" \\
  "${server}/api/jobs/${id}/results"`,
    ],
  ];
}
