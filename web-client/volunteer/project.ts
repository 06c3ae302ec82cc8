/** The project that asks for help, as the server's administrator describes it (SPEC.md [VOLUNTEER-1]). */
export interface ShownProject {
  readonly title: string;
  readonly text: string;
  readonly link?: string;
  /** Address of the picture. */
  readonly picture?: string;
}

/** The project that the server has put into the page; undefined without one. */
export const project = JSON.parse(
  document.getElementById("project")?.textContent ?? "null",
) as ShownProject | null;
