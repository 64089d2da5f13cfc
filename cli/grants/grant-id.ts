// The id of a grant, as people give it.

import { EXIT, fail } from '../terminal.ts';

const GRANT_ID = /^[0-9a-f]{32}$/;

export function isGrantId(text: string): boolean {
  return GRANT_ID.test(text);
}

export function parseGrantId(written: string): string {
  const id = written.trim().toLowerCase();
  if (isGrantId(id)) return id;
  const advice = /^[0-9a-f-]{36}$/.test(id)
    ? ` For the grants of a job: keydesk grants list --job-id ${id} --state all.`
    : '';
  const shown = written.length > 64 ? 'It' : JSON.stringify(written);
  return fail(EXIT.usage, `${shown} is not the id of a grant, which has 32 hex digits.${advice}`);
}
