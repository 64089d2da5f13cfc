// Keys and values of a YAML document that would not be what a reader takes them for: a key twice, a merge key, `no` and `1.0` without
// quotes. YAML 1.1 counts as well, because other tools read a policy by it.

import { isMap, isScalar, isSeq, type Scalar, type YAMLMap } from 'yaml';
import type { PolicyProblem } from './problems.ts';

type Path = PolicyProblem['path'];

/** A problem of a key, with the node: another one of its map may have the same name. */
export interface KeyProblem extends PolicyProblem {
  readonly key: Scalar;
  /** An earlier key of the map has the name. */
  readonly repeated?: true;
}

/** A value without quotes that YAML reads as something else than text. */
interface UnclearValue extends PolicyProblem {
  readonly scalar: Scalar;
}

export interface Findings {
  readonly keys: readonly KeyProblem[];
  readonly unclear: readonly UnclearValue[];
  /** Values that are null: as they are written, or empty. */
  readonly nulls: readonly { readonly path: Path; readonly scalar: Scalar }[];
}

/** @param lineOf of an offset */
export function inspectValues(contents: unknown, lineOf: (offset: number) => number): Findings {
  const keys: KeyProblem[] = [];
  const unclear: UnclearValue[] = [];
  const nulls: { path: Path; scalar: Scalar }[] = [];
  const visit = (node: unknown, path: Path): void => {
    if (isMap(node)) {
      keys.push(...keyProblems(node, path, lineOf));
      for (const { key, value } of node.items) {
        const name = isScalar(key) ? String(key.value) : '';
        if (isScalar(key)) {
          const message = key.type === 'PLAIN' ? unclearMessage(key, name) : undefined;
          if (message !== undefined) keys.push({ path: [...path, name], message, at: 'key', key });
        }
        visit(value, [...path, name]);
      }
    } else if (isSeq(node)) for (const [index, item] of node.items.entries()) visit(item, [...path, index]);
    else if (isScalar(node) && node.value === null) nulls.push({ path, scalar: node });
    else if (isScalar(node) && node.type === 'PLAIN') {
      const message = unclearMessage(node, node.value);
      if (message !== undefined) unclear.push({ path, message, scalar: node });
    }
  };
  visit(contents, []);
  return { keys, unclear, nulls };
}

function keyProblems({ items }: YAMLMap, path: Path, lineOf: (offset: number) => number): KeyProblem[] {
  const seen = new Map<string, Scalar>();
  return items.flatMap(({ key }) => {
    if (!isScalar(key)) return [];
    const name = String(key.value);
    const problem = (message: string): KeyProblem[] => [{ path: [...path, name], message, at: 'key', key }];
    if (name === '__proto__') return problem('Keydesk has no key "__proto__". Remove it.');
    if (name === '<<' && key.type === 'PLAIN')
      return problem(
        'Keydesk reads no merge keys (<<). Write the keys, or use an alias for a whole value: grants: *name.',
      );
    const first = seen.get(name);
    if (!first) seen.set(name, key);
    if (!first) return [];
    const [found] = problem(
      `"${name}" is in this map twice. The first is in line ${lineOf(first.range?.[0] ?? 0)}. Remove or rename one.`,
    );
    return found ? [{ ...found, repeated: true }] : [];
  });
}

const BOOLEAN_OF_YAML_1_1 = /^(?:y|n|yes|no|on|off)$/i;
/** With underscores, in base 2, 8, 16 and 60. Source: yaml.org/type/int.html, yaml.org/type/float.html. */
const NUMBER_OF_YAML_1_1 =
  /^[-+]?(?:0b[01_]+|0x[\da-f_]+|\d[\d_]*_[\d_]*(?:\.[\d_]*)?|[1-9][\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?)$/i;
/** Source: yaml.org/type/timestamp.html. */
const DATE_OF_YAML_1_1 = /^\d{4}-\d\d?-\d\d?(?:[Tt \t].*)?$/;

function unclearMessage({ source = '' }: Scalar, value: unknown): string | undefined {
  const quoted = `Write ${JSON.stringify(source)} if it is text.`;
  if (typeof value === 'boolean') return `YAML reads ${source} as a boolean. ${quoted}`;
  if (typeof value === 'number' && !(Number.isInteger(value) && source === String(value)))
    return `YAML reads ${source} as the number ${value}. ${quoted}`;
  if (BOOLEAN_OF_YAML_1_1.test(source)) return `YAML 1.1 reads ${source} as a boolean. ${quoted}`;
  if (NUMBER_OF_YAML_1_1.test(source)) return `YAML 1.1 reads ${source} as a number. ${quoted}`;
  if (DATE_OF_YAML_1_1.test(source)) return `YAML 1.1 reads ${source} as a date. ${quoted}`;
  return undefined;
}
