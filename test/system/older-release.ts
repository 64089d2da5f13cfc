// The functions of a release before this one: their records lack one field, `job_finished_at` of a grant, and one state,
// `shared` of a service account. Made from today's sources by the edits below.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Plugin } from 'esbuild';
import { ROOT } from '../../sandbox/functions.ts';
import { bundle } from '../../scripts/bundle.ts';
import { applyEdits, type Edit } from '../../tools/mutation/mutation.ts';

const GRANT = 'shared/core/grant/grant.ts';
const RESERVE = 'shared/core/grant/reserve.ts';
const END = 'shared/core/grant/end.ts';
const EVENTS = 'shared/audit/result-events.ts';
const ISSUANCE = 'shared/ledger/issuance.ts';

const EDITS: readonly Edit[] = [
  { file: 'shared/core/schema-version.ts', find: 'SCHEMA_VERSION = 1', replace: 'SCHEMA_VERSION = 0' },
  { file: GRANT, find: '  job_finished_at: time.nullable().default(null),\n', replace: '' },
  { file: RESERVE, find: '    job_finished_at: null,\n', replace: '' },
  {
    file: END,
    find: '    job_finished_at: plausibleFinishTime(cause.finished_at, existing.created_at, now),\n',
    replace: '',
  },
  {
    file: EVENTS,
    find: '    ...(job_finished_at === null ? {} : { access_after_job_end_s: since(job_finished_at) }),\n',
    replace: '',
  },
  { file: 'shared/core/pool/account.ts', find: ", 'cooling_down', 'shared']", replace: ", 'cooling_down']" },
  {
    file: 'shared/core/pool/lifecycle.ts',
    find: "state === 'free' || (state === 'shared' && reusable_at <= now)",
    replace: "state === 'free'",
  },
  {
    file: ISSUANCE,
    find: 'shared === undefined ? candidates.slice(0, EAGER_READS) : [shared]',
    replace: 'candidates.slice(0, EAGER_READS)',
  },
  {
    file: ISSUANCE,
    find: 'const [account] = sharedAccountOf(request.credential) === undefined ? [] : accounts;',
    replace: 'const account = undefined;',
  },
];

/** Builds them into `folder`, each function so that functions-framework finds it: the folder of each, by its name. */
export async function buildOlderRelease(folder: string): Promise<Record<'token' | 'webhook' | 'sweep', string>> {
  const edited = new Set<string>();
  const older: Plugin = {
    name: 'older-release',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const file = relative(ROOT, path);
        const edits = EDITS.filter((edit) => edit.file === file);
        if (edits.length === 0) return undefined;
        edited.add(file);
        return { contents: applyEdits(readFileSync(path, 'utf8'), edits), loader: 'ts' };
      });
    },
  };
  const { files } = await bundle([older]);
  const unused = EDITS.filter(({ file }) => !edited.has(file));
  if (unused.length > 0) throw new Error(`not in any bundle: ${unused.map(({ file }) => file).join(', ')}`);
  const dist = join(folder, 'dist');
  mkdirSync(dist, { recursive: true });
  for (const [name, contents] of files) writeFileSync(join(dist, name), contents);
  const folderOf = (target: string) => {
    const own = join(folder, target);
    mkdirSync(own);
    writeFileSync(join(own, 'package.json'), JSON.stringify({ main: `../dist/${target}.cjs` }));
    return own;
  };
  return { token: folderOf('token'), webhook: folderOf('webhook'), sweep: folderOf('sweep') };
}
