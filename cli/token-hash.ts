// A token by its hash: the token itself does not leave this machine.

import { tokenSha256 } from '../shared/core/grant/id.ts';
import { readInput } from './standard-input.ts';
import { EXIT, fail } from './terminal.ts';

/** The SHA-256 of the one token in a file, in hex. @param file `-` for standard input */
export function readTokenSha256(file: string): string {
  const token = readInput(file).trim();
  if (token === '' || /\s/.test(token)) fail(EXIT.usage, '--token takes one access token and nothing else.');
  return tokenSha256(token);
}
