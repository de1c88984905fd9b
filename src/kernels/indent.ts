/** Shader text as devices are given it: laid out for people, who meet it in errors, in explanations and in tools. */

/** Indents by the brackets that are open, drops empty lines, and sets functions and structs apart. */
export function indent(code: string): string {
  const lines: string[] = [];
  let depth = 0;
  for (const line of code.split("\n")) {
    const bare = line.trim();
    if (bare === "") continue;
    const closes = /^[})]/.test(bare);
    lines.push("  ".repeat(Math.max(0, closes ? depth - 1 : depth)) + bare);
    depth += bare.split(/[{(]/).length - bare.split(/[})]/).length;
    if (closes && depth === 0) lines.push("");
  }
  return lines.join("\n");
}
