// Options with a UUID.

import { InvalidArgumentError } from '@commander-js/extra-typings';

/** @returns it in lower case */
export function parseUuid(written: string): string {
  const id = uuidIn(written);
  if (id !== undefined) return id;
  throw new InvalidArgumentError(`${TAKES_UUID}.`);
}

/** Of a Buildkite user, whose name is not unique. @returns it in lower case */
export function parseUserUuid(written: string): string {
  const id = uuidIn(written);
  if (id !== undefined) return id;
  throw new InvalidArgumentError(`${TAKES_UUID}, and no name: "keydesk grants show GRANT" has it.`);
}

const TAKES_UUID = 'it takes a UUID, such as 0184990a-477b-4fa8-9968-496074483cee';

function uuidIn(written: string): string | undefined {
  const id = written.trim().toLowerCase();
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) ? id : undefined;
}
