// A token by its hash: the token itself does not leave this machine.

import { existsSync } from 'node:fs';
import { tokenSha256 } from '../shared/core/grant/id.ts';
import { readInput } from './standard-input.ts';
import { EXIT, fail } from './terminal.ts';

/** Letters of an access token: those of a bearer token. Source: RFC 6750, section 2.1. */
const TOKEN = /^[\w.~+/-]{16,}=*$/;

/** The one token in a text; undefined where it has something else, too. */
export function tokenAlone(text: string): string | undefined {
  const token = text.trim();
  return TOKEN.test(token) && !/^\w+=./.test(token) ? token : undefined;
}

/** The SHA-256 of the one token in a file, in hex. No message repeats what was given. @param file `-` for standard input */
export function readTokenSha256(file: string): string {
  if (file !== '-' && !existsSync(file))
    fail(
      EXIT.usage,
      '--token takes the name of a file that exists, or - for standard input. A token itself is not an argument: other programs on this machine could read it there.',
    );
  const token = tokenAlone(readInput(file));
  if (token !== undefined) return tokenSha256(token);
  return fail(
    EXIT.usage,
    `${file === '-' ? 'Standard input' : 'The file of --token'} is not one access token. Give the token alone: without quotes, a name in front, commas or other text.`,
  );
}
