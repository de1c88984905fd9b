/** What a part of the page is. */
import type { ComponentChild } from "preact";
import type { Schema, ValuesOf } from "../settings/schema.js";

export interface PartProps<S extends Schema> {
  /** The part's settings. They live in the link, and outlive a lost device. */
  readonly settings: ValuesOf<S>;
  /** Changes some of them. */
  change(this: void, changed: Partial<ValuesOf<S>>): void;
  /** The address that shows what is shown now, settings just changed included. */
  share(this: void): string;
}

export interface Part<S extends Schema = Schema> {
  /** Of the link: `#id`. */
  readonly id: string;
  /** Of the navigation, short. */
  readonly name: string;
  /** Of the part itself. */
  readonly title: string;
  /** What there is to see, in a sentence. */
  readonly summary: string;
  readonly schema: S;
  /** The part's own code, which the page loads when it is first shown. */
  load(this: void): Promise<{ default(this: void, props: PartProps<S>): ComponentChild }>;
}
