// Runs the functions as the platform does: the built artefact under functions-framework, one process each.

import { fileURLToPath } from 'node:url';
import { freePort, headersOf, type Running, run, untilReady } from './process.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FRAMEWORK = fileURLToPath(new URL('../node_modules/.bin/functions-framework', import.meta.url));

export type FunctionName = 'token' | 'webhook' | 'sweep' | 'reader' | 'admin';

export interface RunningFunction {
  readonly url: string;
  readonly running: Running;
}

/** The environment of the functions: these settings and what a process needs, and nothing else of the caller's. */
export function functionEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, HOME: '/nonexistent', NODE_ENV: 'production', ...settings };
}

export async function startFunction(
  target: FunctionName,
  settings: Readonly<Record<string, string>>,
  options: {
    readonly port?: number;
    /** The folder whose package.json names the code. Default: the project's folder. */
    readonly folder?: string;
    readonly onLine?: (line: string) => void;
    /** The request that shows that it is ready, for a function that refuses `GET /health`. */
    readonly readinessRequest?: (url: string) => Request;
  } = {},
): Promise<RunningFunction> {
  for (let tries = 1; ; tries += 1) {
    const port = options.port ?? (await freePort());
    const running = run(FRAMEWORK, [`--target=${target}`, `--port=${port}`], {
      cwd: options.folder ?? ROOT,
      env: functionEnvironment(settings),
      ...(options.onLine ? { onLine: options.onLine } : {}),
    });
    const url = `http://127.0.0.1:${port}`;
    const readinessRequest = options.readinessRequest ?? (() => new Request(`${url}/health`));
    try {
      await untilReady(`the ${target} function`, running, () => isKeydesk(readinessRequest(url)));
      return { url, running };
    } catch (error) {
      // Another process may take the port between its choice and its use.
      const taken = options.port === undefined && running.output().includes('EADDRINUSE');
      if (!taken || tries === 3) throw error;
    }
  }
}

/** Whether one of the functions responds, and not another process on that port. */
async function isKeydesk(request: Request): Promise<boolean> {
  return (await headersOf(request)).has('x-request-id');
}
