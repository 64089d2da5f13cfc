// The order of test files: those that take longest begin first, so that the workers end at the same time. The rest is in Vitest's order.

import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Above fifteen seconds on two cores. A file that is not here begins later, and that is all. */
const SLOWEST = [
  'test/system/deploy/terraform-plan.test.ts',
  'test/system/sandbox/shell.test.ts',
  'test/model/lifecycle.test.ts',
  'test/emulator/kill-switch.test.ts',
  'test/system/deploy/package.test.ts',
  'test/emulator/memory-firestore.test.ts',
  'test/system/deploy/terraform-apply.deep.ts',
  'test/system/deploy/terraform-apply-again.deep.ts',
  'test/system/docs/clients.deep.ts',
  'test/system/deploy/terraform-variants.deep.ts',
  'test/system/cli/doctor-live.deep.ts',
  'test/system/sandbox/run.deep.ts',
  'test/system/sandbox/shell-clients.deep.ts',
  'test/system/plugin/own-tests.deep.ts',
  'test/system/deploy/package-start.deep.ts',
  'test/system/plugin/client-folders.deep.ts',
  'test/system/plugin/hostile-environment.deep.ts',
  'test/system/clients/java-libraries.deep.ts',
  'test/system/plugin/refusal.deep.ts',
  'test/system/plugin/release.deep.ts',
  'test/system/deploy/terraform-people.deep.ts',
  'test/system/plugin/mounted.deep.ts',
  'test/system/clients/firestore-sdk.deep.ts',
];

export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = SLOWEST.indexOf(relative(ROOT, moduleId));
      return at === -1 ? SLOWEST.length : at;
    };
    return (await super.sort(files)).sort((left, right) => place(left) - place(right));
  }
}
