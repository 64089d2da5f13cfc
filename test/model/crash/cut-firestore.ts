// A Firestore whose every request goes through a process that can be cut off. Whatever it does not know it refuses, so
// that no request gets past it unseen.

import type { Database } from '../../../shared/firestore/database.ts';
import type { CutProcess } from './cut-process.ts';

type Call = { readonly target: object; readonly name: string; readonly parameters: readonly unknown[] };

const READS = ['get', 'getAll'];
const WRITES = ['create', 'set', 'update', 'delete'];
const STEPS = ['collection', 'doc', 'batch', 'where', 'orderBy', 'limit', 'startAfter', 'count'];

const originals = new WeakMap<object, object>();

/** @param afterWrite called when a write was carried out, whether or not its answer arrives */
export function cutFirestore(database: Database, process: CutProcess, afterWrite: () => Promise<void>): Database {
  return wrap(database, process, afterWrite);
}

function wrap<T extends object>(target: T, process: CutProcess, afterWrite: () => Promise<void>): T {
  /** What a batch will write. */
  const writes: string[] = [];
  const isBatch = 'commit' in target;
  const proxy: T = new Proxy(target, {
    get: (_, property) => {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== 'function') return value;
      const name = String(property);
      return (...given: unknown[]) => {
        const parameters = given.map(toOriginal);
        const call = () => Reflect.apply(value, target, parameters) as unknown;
        const promised = () => call() as Promise<unknown>;
        const writing = () => promised().finally(afterWrite);
        if (isBatch && WRITES.includes(name)) {
          call();
          writes.push(toWrite({ target, name, parameters }));
          return proxy;
        }
        if (isBatch && name === 'commit') return process.operation(`commit(${writes.join(', ')})`, writing);
        if (isDocument(target) && WRITES.includes(name))
          return process.operation(toWrite({ target, name, parameters }), writing);
        if (READS.includes(name)) return process.read(promised);
        if (STEPS.includes(name)) return wrap(call() as object, process, afterWrite);
        throw new Error(`the crash tests do not know what ${name} of a ${target.constructor.name} does`);
      };
    },
  });
  originals.set(proxy, target);
  return proxy;
}

function toOriginal(parameter: unknown): unknown {
  return typeof parameter === 'object' && parameter !== null ? (originals.get(parameter) ?? parameter) : parameter;
}

function isDocument(target: unknown): target is { readonly path: string } {
  return typeof target === 'object' && target !== null && 'path' in target && 'create' in target;
}

/** As it stands in the names of operations: the verb and the collection, never an id. */
function toWrite({ target, name, parameters }: Call): string {
  const document = isDocument(target) ? target : parameters[0];
  if (!isDocument(document)) throw new Error(`${name} of something else than a document`);
  return `${name} ${document.path.split('/')[0]}`;
}
