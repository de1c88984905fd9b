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

/** The first place of a stack outside the library. The innermost frame is the library's own, in dist/ or in src/base/. */
export function placeOf(stack = ""): string {
  const frames = stack.split("\n").filter((line) => /:\d+:\d+/.test(line));
  const folderOf = (frame: string): string => /[^\s(@]*[\\/]/.exec(frame.replace(/^.*?@/, ""))?.[0] ?? frame;
  const own = frames.length > 0 ? folderOf(frames[0]).replace(/(src[\\/])base[\\/]$/, "$1") : "";
  const outside = frames.find((frame) => !folderOf(frame).startsWith(own)) ?? frames.at(-1);
  return asInV8((outside ?? "at a place that the runtime does not tell").trim());
}
