// Guards of the Buildkite plugin: what a container or the next job on the agent could do, and what the log reports.

import type { Mutation } from '../mutation.ts';

const EXPORT = 'plugin/lib/export.bash';

const MOUNTED_TEST = 'test/system/plugin/mounted.deep.ts';
const CLIENT_FOLDERS_TEST = 'test/system/plugin/client-folders.deep.ts';

export const PLUGIN: readonly Mutation[] = [
  {
    id: 'host-reads-mounted-files',
    breaks: 'verification',
    means: 'After the command, variables of the host go on to name files that a container can write.',
    edits: [
      {
        file: 'plugin/lib/step.bash',
        find: `\${!KEYDESK_NAME//$KEYDESK_MOUNTED/$KEYDESK_HOST}`,
        replace: `\${!KEYDESK_NAME}`,
      },
    ],
    killers: [MOUNTED_TEST],
  },
  {
    id: 'executable-mounted',
    breaks: 'verification',
    means: 'A folder is mounted although no container can use an executable.',
    edits: [
      {
        file: EXPORT,
        find: 'if [[ "$KEYDESK_JOB_TOKEN_AS" == file && -z',
        replace: 'if [[ -z',
      },
    ],
    killers: [MOUNTED_TEST, 'test/system/plugin/credentials.test.ts'],
  },
  {
    id: 'executables-allowed-with-mounted-files',
    breaks: 'verification',
    means: "Google's libraries may run what a mounted credential file names.",
    edits: [{ file: EXPORT, find: 'if [[ ! -f "$mounted" ]]; then', replace: 'if true; then' }],
    killers: [MOUNTED_TEST],
  },
  {
    id: 'secrets-removed-last',
    breaks: 'I7',
    means: 'What a container left is removed before what is secret, and may take all the time there is.',
    edits: [
      {
        file: 'plugin/lib/private-folder.bash',
        find: 'rm -rf -- "$1/private" "$1/host" "$1/clients" 2>/dev/null\n',
        replace: ':\n',
      },
    ],
    killers: [MOUNTED_TEST],
  },
  {
    id: 'release-not-confirmed',
    breaks: 'answers',
    means: 'A response that is not from Keydesk counts as a confirmed release.',
    edits: [
      {
        file: 'plugin/lib/release.bash',
        find: '    *) keydesk_not_released "$name" \'200, but not a response of Keydesk\' "$1" ;;\n',
        replace: '    *) printf \'%s: released\\n\' "$name" ;;\n',
      },
    ],
    killers: ['test/system/plugin/release.deep.ts', 'test/system/plugin/own-tests.deep.ts'],
  },
  {
    id: 'permanent-failure-retried',
    breaks: 'answers',
    means: 'A request that fails permanently is sent again.',
    edits: [
      {
        file: 'plugin/lib/api.bash',
        find: ' || keydesk_is_permanent "$folder/answer"',
        replace: '',
      },
    ],
    killers: ['test/system/plugin/refusal.deep.ts'],
  },
  {
    id: 'tokens-of-other-jobs-copied',
    breaks: 'I7',
    means: "gcloud's tokens of other jobs are copied from the shared home into the job's folder.",
    edits: [
      {
        file: 'plugin/lib/client-folders.bash',
        find: '"$1"/{active_config,',
        replace: '"$1"/{access_tokens.db,active_config,',
      },
    ],
    killers: [CLIENT_FOLDERS_TEST],
  },
  {
    id: 'living-job-folder-removed',
    breaks: 'verification',
    means: 'The folder of a job that runs on the same agent is removed.',
    edits: [
      {
        file: 'plugin/lib/private-folder.bash',
        find: `      ! kill -0 "\${process%% *}" 2>/dev/null; then\n`,
        replace: '      true; then\n',
      },
    ],
    killers: ['test/system/plugin/own-tests.deep.ts'],
  },
];
