// Resident memory of one instance of `token`, on the unpacked archive and with the deployed NODE_OPTIONS, after many tokens of distinct jobs. The ledger is emptied on the way,
// because the emulator scans; the function is not restarted.

import { heapSetting } from '../cli/doctor/functions.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { withFunction } from './load.ts';
import { row, type Surroundings, title } from './measure.ts';

const EMPTY_EVERY = 2_000;
const FIRST = 10_000;
/** The emulator stops for seconds now and then, longer than a call may take. A client repeats such a request, and so does this. */
const MOST_TRIES = 10;
const PAUSE_MS = 2_000;
const AIM_MIB = 160;
const GROWTH_AIM = 1.05;

/** @param folder of the archive @param tokens at least 10,000 */
export async function benchMemory(
  { buildkite, settings }: Surroundings,
  { folder, tokens }: { readonly folder: string; readonly tokens: number },
): Promise<void> {
  title('Resident memory of token, on the unpacked archive');
  const emulator = `http://${settings.FIRESTORE_EMULATOR_HOST}/emulator/v1/projects/${settings.GOOGLE_CLOUD_PROJECT}`;
  await withFunction(
    'token',
    { ...settings, ...heapSetting('512Mi') },
    async ({ post, load, resident }) => {
      row('at its start', resident(), 'MiB');
      let repeated = 0;
      const issue = async (credential: string) => {
        const authorization = `Bearer ${await buildkite.jobToken(buildkite.startJob())}`;
        for (let tries = 1; ; tries += 1) {
          const status = await post(`/token/${credential}`, { authorization });
          if (status === 200) return;
          if (status !== 503 || tries === MOST_TRIES) throw new Error(`a token request returned ${status}`);
          repeated += 1;
          await systemClock.sleep(PAUSE_MS);
        }
      };
      const kinds = ['staging-export', 'staging-config'];
      let most = 0;
      let first = Number.NaN;
      for (let issued = 0; issued < tokens; issued += EMPTY_EVERY) {
        await load(
          16,
          Array.from({ length: EMPTY_EVERY }, (_, nth) => kinds[nth % 2] as string),
          issue,
        );
        most = Math.max(most, resident());
        if (issued + EMPTY_EVERY === FIRST) first = resident();
        await fetch(`${emulator}/databases/${settings.KEYDESK_DATABASE}/documents`, { method: 'DELETE' });
      }
      row(`after ${FIRST} tokens`, first, 'MiB');
      row(`after ${tokens} tokens`, resident(), 'MiB', '', { aim: AIM_MIB });
      row('requests repeated after a 503', repeated, '');
      row('the most between', most, 'MiB');
      row('growth after the first', resident() / first, '×', '', { aim: GROWTH_AIM });
    },
    { folder },
  );
}
