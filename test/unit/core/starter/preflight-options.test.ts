// The next command that `keydesk init` names is the one that deploy/terraform/README.md shows for the same answers.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { toAnswers } from '../../../../shared/core/starter/answers.ts';
import { preflightOptions } from '../../../../shared/core/starter/terraform-root.ts';

const README = readFileSync(new URL('../../../../deploy/terraform/README.md', import.meta.url), 'utf8');

/** The command with its options, on one line. */
function commandOf(start: string): string {
  const at = README.indexOf(`\n${start}`) < 0 ? README.indexOf(start) : README.indexOf(`\n${start}`);
  return README.slice(at, README.indexOf('```', at)).replaceAll(/\\\n/g, ' ').replaceAll(/\s+/g, ' ').trim();
}

it('is the command of the README', () => {
  const init = commandOf('keydesk init acme --ids');
  const valuesOf = (flag: string) =>
    [...init.matchAll(new RegExp(`--${flag} (\\S+)`, 'g'))].map(([, value = '']) => value);
  const answers = toAnswers({
    organization: 'acme-inc',
    organizationId: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
    pipeline: ['web=0184990a-4782-42b5-afc1-16715b10b1f0', 'web-release=0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31'],
    ...{ deploys: valuesOf('deploys'), firestore: valuesOf('firestore'), pool: valuesOf('pool') },
    ...{ contact: valuesOf('contact')[0], project: valuesOf('project')[0], region: valuesOf('region')[0] },
    ...{ projectNumber: valuesOf('project-number'), stateBucket: valuesOf('state-bucket')[0] },
  });
  if ('problems' in answers) throw new Error(JSON.stringify(answers.problems));
  expect(`keydesk doctor --before-deploy --policy ../policy.yaml ${preflightOptions(answers)}`).toBe(
    commandOf('keydesk doctor --before-deploy --policy ../policy.yaml'),
  );
});
