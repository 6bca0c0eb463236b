export interface Wrapper {
  readonly before: string;
  readonly after: string;
}

const strict = '(function(){"use strict";return(';

/** The source starts on a line of its own, so that only lines shift. */
export const wrapperLines = 1;
export const asExpression: Wrapper = { before: `${strict}\n`, after: "\n)})" };
/** `reshape(input) { … }`, as a method's toString gives it. */
export const asMethod: Wrapper = { before: `${strict}{\n`, after: "\n})})" };

export function wrap(source: string, { before, after }: Wrapper): string {
  return before + source + after;
}

/**
 * The text that the sandbox runs and the check has parsed, so that the two cannot read one source
 * differently. It evaluates to a function that makes a fresh preprocessor each time.
 */
export function wrapped(code: string): string {
  return wrap(code, asExpression);
}
