// A gcloud for tests: `script` is put on PATH, and asks the world of gcloud-world.ts over a socket, since a Node process for each
// call would take a test file minutes. Records every call, and fails one when it is told to.

import { type AddressInfo, createServer } from 'node:net';
import { type Answer, Refused } from './gcloud-command.ts';
import { createWorld } from './gcloud-world.ts';

export type Gcloud = Awaited<ReturnType<typeof startGcloud>>;

export async function startGcloud() {
  const calls: { readonly args: readonly string[]; readonly failed: boolean }[] = [];
  const world = createWorld();
  /** A call that contains this text fails, so many times. */
  const settings: { failAt?: string; failWith?: string; failTimes?: number } = {};

  function answer(args: readonly string[]): { code: number; out: Answer; error?: string } {
    let error: string | undefined;
    let out: Answer = [];
    try {
      const { failAt, failWith = 'PERMISSION_DENIED: refused', failTimes = Number.POSITIVE_INFINITY } = settings;
      if (failAt !== undefined && failTimes > 0 && args.join(' ').includes(failAt)) {
        settings.failTimes = failTimes - 1;
        throw new Refused(failWith);
      }
      out = world.run(args);
    } catch (thrown) {
      error = thrown instanceof Refused ? thrown.message : `the stand-in does not know that: ${thrown}`;
    }
    calls.push({ args, failed: error !== undefined });
    return error === undefined ? { code: 0, out } : { code: 1, out, error: `ERROR: (gcloud) ${error}` };
  }

  const server = createServer((socket) => {
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      received += chunk;
      const [count = '', ...args] = received.split('\0').slice(0, -1);
      if (count === '' || args.length < Number(count)) return;
      const { code, out, error } = answer(args);
      const lines = [...out.map((line) => `o${line}`), ...(error?.split('\n').map((line) => `e${line}`) ?? []), code];
      socket.end(`${lines.join('\n')}\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    script: `#!/usr/bin/env bash
exec 3<>"/dev/tcp/127.0.0.1/\${GCLOUD_STAND_IN:?}" && printf '%s\\0' "$#" "$@" >&3
while IFS= read -r line <&3; do
  case $line in
    o*) printf '%s\\n' "\${line#o}" ;;
    e*) printf '%s\\n' "\${line#e}" >&2 ;;
    *) exit "$line" ;;
  esac
done
exit 99
`,
    env: { GCLOUD_STAND_IN: String(port) },
    calls,
    settings,
    ...world,
    stop: () => new Promise((resolve) => server.close(resolve)),
  };
}
