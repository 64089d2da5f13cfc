// Databases are opened once, and kept for the life of the instance.

import type { Database, OpenDatabase } from './database.ts';

export function openOnce<T extends Database>(open: OpenDatabase<T>): OpenDatabase<T> {
  const opened = new Map<string, T>();
  return (name) => {
    const key = `${name.project}/${name.database}`;
    const known = opened.get(key) ?? open(name);
    opened.set(key, known);
    return known;
  };
}
