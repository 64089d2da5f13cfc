// Where a command takes a Buildkite API token from. Never from an argument, which other users of the machine and the shell's history see. It is
// never printed.

import { readFileSync } from 'node:fs';
import { EXIT, fail } from './terminal.ts';

export const API_TOKEN_VARIABLE = 'BUILDKITE_API_TOKEN';

/**
 * @param file path of a file that has the token and nothing else; `-` for standard input; undefined for the environment variable
 * @param option that names the file
 */
export function readApiToken(file: string | undefined, option = '--token-file'): string {
  const source = file === undefined ? API_TOKEN_VARIABLE : file === '-' ? 'standard input' : file;
  const token = (file === undefined ? process.env[API_TOKEN_VARIABLE] : readTokenFile(file, source, option))?.trim();
  if (!token && file === undefined)
    return fail(EXIT.usage, `${API_TOKEN_VARIABLE} is not set. Set it to a Buildkite API token, or use ${option}.`);
  if (!token) return fail(EXIT.usage, `${source} is empty. It must have a Buildkite API token.`);
  if (!/^[\x21-\x7e]+$/.test(token))
    return fail(EXIT.usage, `${source} must have one Buildkite API token and nothing else.`);
  return token;
}

export interface GivenTokens {
  readonly apiToken: string | undefined;
  readonly teamsApiToken: string | undefined;
}

/** The API tokens of the sweep that the options name, or the environment. Undefined where none is given. */
export function givenApiTokens({
  tokenFile,
  teamsTokenFile,
}: {
  readonly tokenFile?: string | undefined;
  readonly teamsTokenFile?: string | undefined;
}): GivenTokens {
  return {
    apiToken: tokenFile === undefined && !process.env[API_TOKEN_VARIABLE] ? undefined : readApiToken(tokenFile),
    teamsApiToken: teamsTokenFile === undefined ? undefined : readApiToken(teamsTokenFile, '--teams-token-file'),
  };
}

function readTokenFile(file: string, source: string, option: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : 'unknown error';
    return fail(EXIT.usage, `${source} cannot be read (${code}). Check ${option}.`);
  }
}
