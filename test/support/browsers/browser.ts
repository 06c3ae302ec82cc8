/** A browser of any engine, with a fresh profile. */
export interface TestBrowser {
  /** As the browser tells it. */
  readonly version: string;
  /** Opens an empty tab; all tabs share the profile. */
  newTab(): Promise<Tab>;
  /** Ends every process of the browser, and removes the profile. */
  close(): Promise<void>;
}

/** A tab. Each call ends within a minute, with an error when the browser does not answer. */
export interface Tab {
  /** Navigates, and waits for the page's `load` event. */
  open(url: string): Promise<void>;
  /** The value of an expression, awaited; JSON only. */
  evaluate<T>(expression: string): Promise<T>;
  /** Clicks the middle of the element with the mouse. @param selector - CSS or XPath */
  click(selector: string): Promise<void>;
  /** Types into an element by the keyboard. @param selector - CSS or XPath */
  type(selector: string, text: string): Promise<void>;
  /** The visible text of the page. */
  text(): Promise<string>;
  /** Brings the tab to the front, where the browser paints it. */
  show(): Promise<void>;
  /** Sets the size of the page in CSS pixels. */
  resize(width: number, height: number): Promise<void>;
  /** Writes the visible part of the page as a PNG. */
  screenshot(path: `${string}.png`): Promise<void>;
  /** Closes the tab as its cross does; a second time nothing happens. */
  close(): Promise<void>;
}

export interface LaunchOptions {
  /** Private windows, which keep nothing. WebKit under WebDriver has no others. */
  readonly private?: boolean;
  /** Dark pages (`prefers-color-scheme`). */
  readonly dark?: boolean;
  /** Language that the person reads, such as `de`; WebKit has that of the system. */
  readonly language?: string | undefined;
}

/** XPath of a button with a label. */
export const button = (label: string): string => `//button[normalize-space()='${label}']`;
