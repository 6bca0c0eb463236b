import { type Node, type Options, type Program, parse, type Token } from "acorn";
import { problemAt, SourceError, tooDeepMessage } from "./problems.ts";
import { asExpression, asMethod, type Wrapper, wrap } from "./wrap.ts";

/** A node with what its type brings, for those who look at it without knowing the type. */
export type AnyNode = Node & Readonly<Record<string, unknown>>;

export interface Parsed {
  /** The wrapped JavaScript. */
  readonly text: string;
  readonly program: Program;
  readonly root: AnyNode;
  /** Whether the source is a method: its text lacks the word `function`. */
  readonly isMethod: boolean;
}

const language: Options = { ecmaVersion: 2025, sourceType: "script" };
const wholly = { line: 1, column: 1 };
/** What acorn says, wherever it happens to be. */
const outOfStack = "Not enough stack space to parse input";
const notOneFunction =
  "a preprocessor is one function: (input) => output, or a function that is named or a method";

/** `read` turns the wrapped source into JavaScript. Throws a SourceError. */
export function parseSource(source: string, read: (text: string) => string): Parsed {
  try {
    return parseWrapped(read(wrap(source, asExpression)), asExpression);
  } catch (error) {
    if (error instanceof SourceError && error.problem.isOvertime) throw error;
    // Where neither reading holds, the first one's complaint is about what was meant.
    try {
      return parseWrapped(read(wrap(source, asMethod)), asMethod);
    } catch {
      throw error;
    }
  }
}

/** Only a parser tells where a regular expression begins: so the text is parsed once more. */
export function tokensOf({ text }: Parsed): Token[] {
  const tokens: Token[] = [];
  parse(text, { ...language, onToken: tokens });
  return tokens;
}

function parseWrapped(text: string, wrapper: Wrapper): Parsed {
  const program = parseScript(text);
  const returned = returnedBy(program);
  const isMethod = wrapper === asMethod;
  const root = isMethod ? onlyMethod(returned) : returned;
  const start = wrapper.before.length;
  const end = text.length - wrapper.after.length;
  // A source that closes the wrapper's brackets and opens others stands outside of them.
  if (root === null || root.start < start || root.end > end) {
    throw new SourceError(problemAt(notOneFunction, { line: 2, column: 0 }));
  }
  return { text, program, root, isMethod };
}

function parseScript(text: string): Program {
  try {
    return parse(text, { ...language, locations: true, ranges: true });
  } catch (error) {
    if (error instanceof SyntaxError && "loc" in error) {
      const message = error.message.replace(/ \(\d+:\d+\)$/, "");
      if (message === outOfStack) throw new SourceError({ message: tooDeepMessage, ...wholly });
      throw new SourceError(problemAt(message, error.loc as { line: number; column: number }));
    }
    if (error instanceof RangeError) {
      throw new SourceError({ message: tooDeepMessage, ...wholly });
    }
    throw error;
  }
}

/** What the wrapper's function returns, when the wrapper is still the whole of the program. */
function returnedBy({ body }: Program): AnyNode | null {
  const [statement] = body;
  if (body.length !== 1 || statement?.type !== "ExpressionStatement") return null;
  const { expression } = statement;
  if (expression.type !== "FunctionExpression" || expression.body.body.length !== 2) return null;
  const [, last] = expression.body.body;
  return last?.type === "ReturnStatement" ? ((last.argument ?? null) as AnyNode | null) : null;
}

function onlyMethod(node: AnyNode | null): AnyNode | null {
  if (node?.type !== "ObjectExpression") return null;
  const properties = node["properties"] as AnyNode[];
  const [method] = properties;
  if (properties.length !== 1 || method?.["method"] !== true) return null;
  return method["value"] as AnyNode;
}
