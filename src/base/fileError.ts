/** What is wrong with a file, apart from other errors: only readers of files need it. */
import { ConvError } from "./errors.js";

/** A file is torn, damaged or of another kind. The message has the file's name, the rule and the values. */
export class FileError extends ConvError {
  override readonly name = "FileError";
  /** The file, as the caller named it. */
  readonly file: string;
  /** The byte at which it is wrong, or at which it ends too early. */
  readonly offset: number;

  constructor(file: string, offset: number, explanation: string, options?: { readonly cause?: unknown }) {
    super(`${file}: ${explanation}`, options);
    this.file = file;
    this.offset = offset;
  }
}

/** A whole number with commas between thousands, for messages: 47,040,016. */
export const grouped = (count: number): string => count.toLocaleString("en");
