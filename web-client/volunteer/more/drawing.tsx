import { Component, createRef, type JSX } from "preact";
import { shownText } from "../../ui/shown-name.ts";
import type { Shown } from "./shown.ts";

/** Draws what a kernel shows: its pixels reach a canvas and nothing else, its text is text. */
export class Drawing extends Component<{ shown: Shown; label: string }> {
  readonly #canvas = createRef<HTMLCanvasElement>();

  override componentDidMount(): void {
    void this.#draw();
  }

  override componentDidUpdate(before: { shown: Shown }): void {
    if (before.shown !== this.props.shown) void this.#draw();
  }

  async #draw(): Promise<void> {
    const canvas = this.#canvas.current;
    const { shown } = this.props;
    const context = canvas?.getContext("2d");
    if (!canvas || !context || shown.kind === "text") return;
    if (shown.kind === "pixels") {
      [canvas.width, canvas.height] = [shown.width, shown.height];
      context.putImageData(new ImageData(shown.data, shown.width, shown.height), 0, 0);
      return;
    }
    // A PNG that cannot be decoded leaves what was there.
    const bitmap = await createImageBitmap(new Blob([shown.bytes], { type: "image/png" })).catch(
      () => undefined,
    );
    if (!bitmap || this.props.shown !== shown) return;
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    context.drawImage(bitmap, 0, 0);
    bitmap.close();
  }

  override render(): JSX.Element {
    const { shown, label } = this.props;
    return (
      <figure class="drawing">
        {shown.kind === "text" ? (
          <p dir="auto">{shownText(shown.text)}</p>
        ) : (
          <canvas ref={this.#canvas} width="1" height="1" role="img" aria-label={label} />
        )}
        <figcaption class="muted">{label}</figcaption>
      </figure>
    );
  }
}
