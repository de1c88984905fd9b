/** Where in the caller's code something was made. */

const MOST_FRAMES = 40;

/**
 * The stack, deep enough for the caller's frames: V8 gives ten by default, and a call of the library may take more. It is the
 * text: an error that nobody has looked at refers to the objects of its frames.
 */
export function stackHere(): string | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = MOST_FRAMES;
  const { stack } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return stack;
}

/** A line of a stack as V8 writes it: Firefox and Safari have "run@https://..." for "at run (https://...)". */
const asInV8 = (line: string): string =>
  line.startsWith("at ") ? line : `at ${line.replace(/^([^@]+)@(.+)$/, "$1 ($2)").replace(/^@/, "")}`;

const folderOf = (frame: string): string => /[^\s(@]*[\\/]/.exec(frame.replace(/^.*?@/, ""))?.[0] ?? frame;

/** The first place of a stack outside the library. The innermost frame is the library's own. */
export function placeOf(stack = ""): string {
  const frames = stack.split("\n").filter((line) => /:\d+:\d+/.test(line));
  const own = frames.length > 0 ? folderOf(frames[0]) : "";
  // In the package some frames are in src/, by source maps, and some in dist/. In a bundle all of it is in one folder.
  const root = /^(.*?)(?:src[\\/]base|dist)[\\/]/.exec(own)?.[1];
  const isOwn = (folder: string): boolean =>
    root === undefined
      ? folder.startsWith(own)
      : folder.startsWith(root) && /^(src|dist)[\\/]/.test(folder.slice(root.length));
  const outside = frames.find((frame) => !isOwn(folderOf(frame))) ?? frames.at(-1);
  return asInV8((outside ?? "at a place that the runtime does not tell").trim());
}
