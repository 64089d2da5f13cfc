// What is deployed and installed, in kilobytes.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { row, title } from './measure.ts';

const KB = 1000;

/** @param archive the folder of the archive, with its packages */
export function benchSize(archive: string): void {
  title('Sizes');
  for (const name of readdirSync('dist')
    .filter((file) => file.endsWith('.cjs'))
    .sort()) {
    const bytes = readFileSync(join('dist', name));
    row(`dist/${name}`, bytes.length / KB, 'kB', `${Math.round(gzipSync(bytes).length / KB)} kB compressed`);
  }
  row('archive of token with its packages', sizeOf(archive) / KB, 'kB');
  row('package of the command, unpacked', sizeOf('dist/keydesk') / KB, 'kB');
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}
