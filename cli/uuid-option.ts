// Options with a UUID.

import { InvalidArgumentError } from '@commander-js/extra-typings';

/** @returns it in lower case */
export function parseUuid(written: string): string {
  const id = written.trim().toLowerCase();
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return id;
  throw new InvalidArgumentError('it takes a UUID, such as 0184990a-477b-4fa8-9968-496074483cee.');
}
