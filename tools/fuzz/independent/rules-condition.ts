// Decides a condition of security rules for one signed-in user, for the few operators that this file knows, by evaluating it.
// Source: firebase.google.com/docs/rules/rules-language: what is absent is an error, which only the other side of || outweighs.

type Result = { readonly value: unknown } | 'error';

/** Text that this file does not know. */
class Unknown extends Error {}

/** Whether the condition is true of the request; undefined for a text that is not known here. */
export function isTrueOf(condition: string, request: object): boolean | undefined {
  const tokens = condition.match(/'[^'\\\n]*'|\w+|&&|\|\||[=!]=|\S/g) ?? [];
  let at = 0;
  const skip = (text: string) => tokens[at] === text && ++at > 0;
  const either = (): Result => {
    let left = both();
    while (skip('||')) {
      const right = both();
      left = isTrue(left) || isTrue(right) ? { value: true } : left === 'error' || right === 'error' ? 'error' : left;
    }
    return left;
  };
  const both = (): Result => {
    let left = equal();
    while (skip('&&')) {
      const right = equal();
      const values = [left, right];
      const isFalse = values.some((one) => one !== 'error' && one.value === false);
      left = isFalse ? { value: false } : values.every(isTrue) ? { value: true } : 'error';
    }
    return left;
  };
  const equal = (): Result => {
    const left = unary();
    const isEqual = skip('==');
    if (!isEqual && !skip('!=')) return left;
    const right = unary();
    if (left === 'error' || right === 'error') return 'error';
    if ([left, right].some(({ value }) => typeof value === 'object' && value !== null && left.value === right.value))
      throw new Unknown();
    return { value: (left.value === right.value) === isEqual };
  };
  const unary = (): Result => {
    if (!skip('!')) return primary();
    const operand = unary();
    return operand === 'error' || typeof operand.value !== 'boolean' ? 'error' : { value: !operand.value };
  };
  const primary = (): Result => {
    const token = tokens[at] ?? '';
    at += 1;
    if (token === '(') {
      const inner = either();
      if (!skip(')')) throw new Unknown();
      return inner;
    }
    if (token.startsWith("'") && token.length > 1) return { value: token.slice(1, -1) };
    if (token === 'true' || token === 'false') return { value: token === 'true' };
    if (token === 'null') return { value: null };
    if (token !== 'request') throw new Unknown();
    let value: Result = { value: request };
    while (skip('.')) {
      const name = tokens[at] ?? '';
      at += 1;
      if (!/^[a-z_]\w*$/.test(name) || tokens[at] === '(') throw new Unknown();
      value = memberOf(value, name);
    }
    return value;
  };
  try {
    const result = either();
    return at === tokens.length ? isTrue(result) : undefined;
  } catch (error) {
    if (error instanceof Unknown || error instanceof RangeError) return undefined;
    throw error;
  }
}

function isTrue(result: Result): boolean {
  return result !== 'error' && result.value === true;
}

function memberOf(of: Result, name: string): Result {
  if (of === 'error' || typeof of.value !== 'object' || of.value === null) return 'error';
  return Object.hasOwn(of.value, name) ? { value: (of.value as Record<string, unknown>)[name] } : 'error';
}
