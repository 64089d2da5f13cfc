// Where a trial takes job tokens from: the agent of the step that runs it, a new one for each request, or standard input.
// Source: buildkite.com/docs/agent/cli/reference/oidc.

import { execFile } from 'node:child_process';

/** After which the agent is stopped, in milliseconds. */
const LIMIT_MS = 30_000;
const JOB_TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

/** A job token with these claims in addition to those that each has. @throws Error for people */
export type RequestJobToken = (claims: readonly string[]) => Promise<string>;

/** Asks `buildkite-agent` on the PATH. */
export function jobTokensOfAgent(audience: string): RequestJobToken {
  return async (claims) => {
    const args = ['oidc', 'request-token', '--audience', audience, ...claims.flatMap((claim) => ['--claim', claim])];
    const printed = await run('buildkite-agent', args);
    if (JOB_TOKEN.test(printed)) return printed;
    throw new Error('buildkite-agent oidc request-token printed something other than a token. Check the agent.');
  };
}

/** One job token for all requests. @throws Error when `text` holds none */
export function givenJobToken(text: string): RequestJobToken {
  const jobToken = text.trim();
  if (!JOB_TOKEN.test(jobToken)) throw new Error('Standard input must have one job token and nothing else.');
  return async () => jobToken;
}

function run(file: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, args, { timeout: LIMIT_MS }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout.trim());
      const why = 'code' in error && error.code === 'ENOENT' ? 'it is not on the PATH' : firstLine(stderr);
      reject(
        new Error(
          `${file} gave no job token (${why}). Run this command in a step of a Buildkite job, or give a job token with --token -.`,
        ),
      );
    });
  });
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0]?.slice(0, 300) || 'it failed without a message';
}
