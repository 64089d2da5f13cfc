// The questions of `keydesk init` on a terminal: one for each flag that is missing.

import { createInterface } from 'node:readline';
import {
  defaultUrl,
  environmentNames,
  type Flag,
  listProblems,
  missingFlags,
  pipelineNames,
  problemOf,
  type Written,
} from '../shared/core/starter/answers.ts';

/** Shows a question and resolves to the line that is entered; undefined at the end of the input. */
export type Ask = (question: string) => Promise<string | undefined>;

const QUESTIONS: Readonly<Partial<Record<Flag, string>>> = {
  organization: 'Slug of your Buildkite organization',
  organizationId: 'UUID of the organization (keydesk ids prints it)',
  pipeline: 'Pipelines as NAME=UUID, with spaces between (keydesk ids prints them)',
  firestore:
    'Firestore databases that jobs use, as ENVIRONMENT=PROJECT or ENVIRONMENT=PROJECT/DATABASE, with spaces between (empty: none)',
  pool: 'Projects for pooled service accounts, as ENVIRONMENT=PROJECT, with spaces between (empty: none)',
  deploys: 'Which pipeline deploys which environment, as ENVIRONMENT=PIPELINE, with spaces between',
  contact: 'Whom developers ask when Keydesk refuses a request',
  project: 'Google Cloud project for Keydesk itself, and nothing else',
  projectNumber: 'Number of that project (gcloud projects describe PROJECT; empty: not known yet)',
  region: 'Region of the functions, such as europe-west1',
  url: 'URL of Keydesk',
};

const LISTS: readonly Flag[] = ['pipeline', 'firestore', 'pool', 'deploys', 'projectNumber'];
const ORDER: readonly Flag[] = [
  'organization',
  'organizationId',
  'pipeline',
  'firestore',
  'pool',
  'deploys',
  'contact',
  'project',
  'region',
  'projectNumber',
  'url',
];

/** @returns also what was entered; undefined when the input ended before the last question */
export async function completeByQuestions(
  given: Written,
  ask: Ask,
  show: (line: string) => void,
): Promise<Written | undefined> {
  let written = given;
  for (const flag of ORDER) {
    if (!isAsked(flag, given, written)) continue;
    for (;;) {
      const line = await ask(questionFor(flag, written));
      if (line === undefined) return undefined;
      const values = toValues(flag, line.trim(), written);
      const problem = problemIn(flag, values, written);
      if (problem === undefined) {
        written = values.length === 0 ? written : { ...written, [flag]: LISTS.includes(flag) ? values : values[0] };
        break;
      }
      show(problem);
    }
  }
  return written;
}

/** Either of --firestore and --pool is enough on a command line. Questions are about both if there is neither. */
function isAsked(flag: Flag, given: Written, written: Written): boolean {
  if (flag === 'firestore' || flag === 'pool') return missingFlags(given).includes('firestore');
  if (flag === 'projectNumber') return given.url === undefined && defaultUrl(written) === undefined;
  if (flag === 'url') return given.url === undefined && defaultUrl(given) === undefined;
  return missingFlags(written).includes(flag);
}

function questionFor(flag: Flag, written: Written): string {
  const suggested = flag === 'url' ? defaultUrl(written) : undefined;
  const known =
    flag === 'deploys'
      ? ` (environments: ${environmentNames(written).join(', ')}; pipelines: ${pipelineNames(written).join(', ')})`
      : '';
  return `${QUESTIONS[flag]}${known}${suggested === undefined ? '' : ` [${suggested}]`}: `;
}

function toValues(flag: Flag, line: string, written: Written): string[] {
  if (line === '') return flag === 'url' ? [defaultUrl(written) ?? []].flat() : [];
  if (flag === 'projectNumber') return [line.includes('=') ? line : `${written.project}=${line}`];
  return LISTS.includes(flag) ? line.split(/[\s,]+/) : [line];
}

function problemIn(flag: Flag, values: readonly string[], written: Written): string | undefined {
  for (const value of values) {
    const problem = problemOf(flag, value);
    if (problem !== undefined) return `"${value}" ${problem}.`;
  }
  const [ofList] = listProblems({ ...written, [flag]: values }).filter(([about]) => about === flag);
  if (ofList && values.length > 0) return ofList[1];
  if (values.length > 0 || flag === 'projectNumber' || flag === 'firestore') return undefined;
  if (flag === 'pool')
    return written.firestore
      ? undefined
      : 'Name a project for pooled accounts, because there is no database. Press Ctrl-C to start again.';
  return 'An answer is required.';
}

/** Questions go to standard error, and answers come from standard input: also lines that are pasted before their questions. */
export function createAsk(): { readonly ask: Ask; close(): void } {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const lines = terminal[Symbol.asyncIterator]();
  const ask: Ask = async (question) => {
    terminal.setPrompt(question);
    terminal.prompt();
    const { done, value } = await lines.next();
    return done ? undefined : value;
  };
  return { ask, close: () => terminal.close() };
}
