// What a zod schema takes, in words for a table.

import type * as z from 'zod';
import { name } from './markdown.ts';

/** The parts of a schema's definition that are read here, for every type. */
interface Def {
  readonly type: string;
  readonly format?: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly options?: readonly z.ZodType[];
  readonly discriminator?: string;
  readonly entries?: object;
  readonly values?: readonly unknown[];
}

/** More values are in a table of their own. */
const VALUES_LISTED = 5;

export function defOf(schema: z.ZodType): Def {
  return schema.def as Def;
}

export function typeOf(schema: z.ZodType): string {
  const { type, format, innerType, element, shape = {}, options = [], entries = {}, values = [] } = defOf(schema);
  switch (type) {
    case 'optional':
    case 'readonly':
    case 'default':
      return innerType ? typeOf(innerType) : '';
    case 'nullable':
      return innerType ? `${typeOf(innerType)}, or \`null\`` : '';
    case 'string':
      return format === 'datetime' ? 'time' : 'text';
    case 'number':
      return format === 'safeint' ? 'integer' : 'number';
    case 'boolean':
      return 'true or false';
    case 'literal':
      return values.map((value) => name(String(value))).join(', ');
    case 'enum':
      return Object.keys(entries).length > VALUES_LISTED ? 'text' : Object.values(entries).map(name).join(', ');
    case 'array':
      return element ? `list: ${typeOf(element)}` : '';
    case 'object':
      return `object: ${Object.keys(shape).map(name).join(', ')}`;
    case 'record':
      return 'object';
    // Of all that zod has no type for, only bytes are stored.
    case 'custom':
      return 'bytes';
    case 'union':
      return options.map(typeOf).join(' or ');
    default:
      throw new Error(`no words for a field of the type ${type}`);
  }
}
