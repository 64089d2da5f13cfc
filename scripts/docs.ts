// `npm run docs`: writes what is generated in the documentation and the examples.

import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './docs/pages.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

for (const [path, text] of generatedFiles(ROOT)) writeFileSync(`${ROOT}${path}`, text());
