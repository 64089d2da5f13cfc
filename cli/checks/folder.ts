// Responses of Google's APIs from a folder, for somebody without access: each file is what gcloud printed with --format=json, or what curl
// received. Nothing is sent.

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { shellQuote } from '../../shared/core/shell-quote.ts';
import { type Call, CouldNotLook, type Response, type Transport, urlOf } from './google.ts';

/** Query parameters that do not select what is read. */
const NOT_IN_NAMES = new Set(['fields', 'filter', 'keyTypes', 'names', 'pageToken']);

type Named = Omit<Call<unknown>, 'shape'>;

/** Such as `iam.projects.acme.serviceAccounts.ci@acme.iam.gserviceaccount.com.getIamPolicy.json`: the API, and the path below its version. */
export function fileNameOf({ api, path, query = [] }: Named): string {
  const host = api.endsWith('.googleapis.com') ? api.replace('.googleapis.com', '') : api;
  const below = path.replace(/^((storage|bigquery)\/)?v\d+\//, '');
  const selecting = query.filter(([name]) => !NOT_IN_NAMES.has(name) && !/requestedPolicyVersion$/i.test(name));
  const parts = [host, ...below.split(/[/:]/), ...selecting.map(([, value]) => value)];
  return `${parts.join('.').replaceAll('/', '.')}.json`;
}

/** A shell command that writes the file. @param options.file its path */
function exportCommand(call: Named, { quotaProject, file }: { quotaProject: string; file: string }): string {
  if (call.gcloud) return `${call.gcloud.command} --format=json > ${shellQuote(file)}`;
  const { unauthenticated, json, post } = call;
  // The shell fills in the secret: these two alone are in double quotes.
  const headers = unauthenticated
    ? Object.keys(unauthenticated.headers ?? {}).map((name) => ` -H ${shellQuote(name)}": Bearer $BUILDKITE_API_TOKEN"`)
    : [
        ' -H "authorization: Bearer $(gcloud auth print-access-token)"',
        ` -H ${shellQuote(`x-goog-user-project: ${quotaProject}`)}`,
      ];
  const body = json === undefined ? '' : ` --json ${shellQuote(JSON.stringify(json))}`;
  return `curl -sS${post ? ' -X POST' : ''}${headers.join('')}${body} ${shellQuote(urlOf(call))} > ${shellQuote(file)}`;
}

const errorShape = z.object({ error: z.object({ code: z.number() }) });

/** @param options.onRead takes when each file that is read was last written, in milliseconds since the epoch */
export function createFolderTransport(
  folder: string,
  options: { readonly quotaProject: string; readonly onRead?: (writtenAt: number) => void },
): Transport {
  const { quotaProject, onRead } = options;
  return async (call): Promise<Response> => {
    const name = fileNameOf(call);
    const command = exportCommand(call, { quotaProject, file: join(folder, name) });
    if (call.query?.some(([parameter]) => parameter === 'pageToken'))
      throw new CouldNotLook(`${name} has the first page only`, `Get all pages into one file: ${command}`);
    const text = readExport(folder, name, command);
    onRead?.(statSync(join(folder, name)).mtimeMs);
    const json = parseExport(text, name, command);
    if (Array.isArray(json)) return { status: 200, json: { [call.gcloud?.list ?? '']: json } };
    const refused = errorShape.safeParse(json);
    return { status: refused.success ? refused.data.error.code : 200, json };
  };
}

function readExport(folder: string, name: string, command: string): string {
  let text: string;
  try {
    text = readFileSync(join(folder, name), 'utf8');
  } catch {
    throw new CouldNotLook(`${name} is not in ${folder}`, command);
  }
  if (text.trim() !== '') return text;
  throw new CouldNotLook(
    `${name} is empty: its command failed`,
    `${command}. If the error is NOT_FOUND, write this into the file: {"error":{"code":404}}`,
  );
}

function parseExport(text: string, name: string, command: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new CouldNotLook(`${name} is not JSON`, command);
  }
}
