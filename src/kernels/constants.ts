/** Evaluates the integer constant expressions of a shader: names, literals, + - * / % and parentheses. */
import { ConvError } from "../base/errors.js";

const TOKEN = /\s*(?:(\d+)u?(?!\w)|([A-Za-z_]\w*)|([-+*/%()]))/y;

/** The value of `text`, where `lookUp` gives the values of names. Throws on anything that it does not know. */
export function evaluateInteger(text: string, lookUp: (name: string) => number): number {
  const fail = (): never => {
    throw new ConvError(`cannot evaluate the shader constant "${text}"`);
  };
  const tokens = tokenize(text) ?? fail();
  let next = 0;
  const expect = (token: string): void => {
    if (tokens[next++] !== token) fail();
  };
  const factor = (): number => {
    const token = tokens.at(next++) ?? fail();
    if (token === "(") {
      const value = sum();
      expect(")");
      return value;
    }
    if (/^\d/.test(token)) return Number(token);
    return /^\w/.test(token) ? lookUp(token) : fail();
  };
  const term = (): number => {
    let value = factor();
    while (tokens[next] === "*" || tokens[next] === "/" || tokens[next] === "%") {
      const operator = tokens[next++];
      const right = factor();
      if (operator === "*") value *= right;
      else if (operator === "/") value = Math.trunc(value / right);
      else value %= right;
    }
    return value;
  };
  const sum = (): number => {
    let value = term();
    while (tokens[next] === "+" || tokens[next] === "-") value += tokens[next++] === "+" ? term() : -term();
    return value;
  };
  const value = sum();
  return next === tokens.length ? value : fail();
}

/** Literals without their suffix, names and operators; undefined where the text has anything else. */
function tokenize(text: string): string[] | undefined {
  const tokens: string[] = [];
  const end = text.trimEnd().length;
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < end) {
    const match = TOKEN.exec(text);
    if (!match) return undefined;
    tokens.push(...match.slice(1).filter(Boolean));
  }
  return tokens;
}

const INTEGER_CONSTANT = /^const (\w+): [ui]32 = ([^;]+);/gm;

/** Integer constants of a shader, evaluated when first asked for, whatever their order in the file. */
export function integerConstants(code: string): (name: string) => number {
  const expressions = new Map([...code.matchAll(INTEGER_CONSTANT)].map(([, name, text]) => [name, text]));
  const values = new Map<string, number>();
  const lookUp = (name: string): number => {
    const known = values.get(name);
    if (known !== undefined) return known;
    const text = expressions.get(name);
    if (text === undefined) throw new ConvError(`the shader has no integer constant named ${name}`);
    const value = evaluateInteger(text, lookUp);
    values.set(name, value);
    return value;
  };
  return lookUp;
}
