// `keydesk explain`: why one request was refused, from its audit lines; or why Firestore refused a request, from the grant.

import { Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import { projectIdSchema } from '../../shared/core/policy/google-names.ts';
import { ACCESS_VERBS } from '../../shared/core/security-rules/explain-access.ts';
import { explainGrant } from '../explain-grant.ts';
import { explainRequest } from '../explain-request.ts';
import { impersonateOption, readerOption, reportFailures } from '../operator-api.ts';
import { defaultPolicy, examples } from '../options.ts';
import { EXIT, fail } from '../terminal.ts';

const LOG_VIEW =
  /^(?:projects|folders|organizations|billingAccounts)\/[^/\s]+\/locations\/[^/\s]+\/buckets\/[^/\s]+\/views\/[^/\s]+$/;

export const explainCommand = new Command('explain')
  .summary('explain why a request was refused')
  .description(
    `Explain why Keydesk refused a request, and what would have to change. The request ID is in the job's log. The command reads the audit lines of the request from Cloud Logging, with your application default credentials (gcloud auth application-default login) or the access token in GOOGLE_OAUTH_ACCESS_TOKEN (gcloud auth print-access-token). You need roles/logging.viewer on Keydesk's project, or roles/logging.viewAccessor on the log view.

With --grant, explain why Firestore refused a request with a token of Keydesk. Give the id of the grant, which the function reader looks up, or a file with Keydesk's response of /introspect.

With the policy file, it also shows what the policy could change. To explain the claims of a job without a request, use keydesk policy explain.`,
  )
  .argument('[request-id]', 'the ID after "Request id:" in the message')
  .option('--project <id>', "Keydesk's own project (default: GOOGLE_CLOUD_PROJECT)", parseProject)
  .option('--view <name>', 'a log view to read in place of the logs of --project, by its whole name', parseView)
  .option(
    '--quota-project <id>',
    'the project whose quota the request to Google uses (default: --project)',
    parseProject,
  )
  .option('--log <file>', 'audit lines or exported entries in place of Cloud Logging; - reads standard input')
  .option(
    '--grant <id-or-file>',
    'explain a 403 of Firestore: the id of the grant, or the response of /introspect; - reads standard input',
  )
  .option(
    '--path <path>',
    'with --grant: the document, or the collection of a query, such as config/app; or its resource name',
  )
  .addOption(new Option('--verb <verb>', 'with --grant: what the request does').choices(ACCESS_VERBS))
  .option('--rules <file>', 'with --grant: the rules file (default: the rules that follow from the policy)')
  .addOption(readerOption())
  .addOption(impersonateOption())
  .option('--policy <file>', `policy file (default: KEYDESK_POLICY, else policy.yaml, if it exists)`)
  .option('--json', 'the explanation as JSON')
  .addHelpText(
    'after',
    examples(
      'explain 9ce301f0-b882-4f5c-ad01-0770feacb771 --project acme-keydesk --policy policy.yaml',
      'explain 9ce301f0-b882-4f5c-ad01-0770feacb771 --log entries.json',
      'explain --grant 5f1d7a84f8f5a2c6e0b9c3d4e5f60718 --path config/app --verb update',
      'explain --grant grant.json --path config/app --verb update --policy policy.yaml',
    ),
  )
  .action(async (written, options) => {
    const policyFile = options.policy ?? defaultPolicy();
    const json = options.json === true;
    if (options.grant !== undefined) {
      const { grant, path, verb, rules: rulesFile } = options;
      if (written !== undefined || options.log !== undefined)
        fail(EXIT.usage, 'Give a request or --grant, and not both.');
      if (path === undefined || verb === undefined) return fail(EXIT.usage, '--grant needs --path and --verb.');
      const { reader, impersonate } = options;
      return reportFailures(() =>
        explainGrant({ grant, path, verb, policyFile, rulesFile, json, reader, impersonate }),
      );
    }
    if (options.path !== undefined || options.verb !== undefined || options.rules !== undefined)
      fail(EXIT.usage, '--path, --verb and --rules need --grant.');
    const requestId = written === undefined ? undefined : parseRequestId(written);
    if (requestId === undefined && options.log === undefined)
      fail(
        EXIT.usage,
        'Give the request ID that is in the message. To explain a job by its claims, run keydesk policy explain.',
      );
    await explainRequest({
      ...{ requestId, log: options.log, json },
      ...{ project: options.project ?? (process.env.GOOGLE_CLOUD_PROJECT || undefined), view: options.view },
      ...{ quotaProject: options.quotaProject, policyFile },
      policyDemanded: options.policy !== undefined || Boolean(process.env.KEYDESK_POLICY),
    });
  });

function parseRequestId(written: string): string {
  const found = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/i.exec(written)?.[0];
  if (found !== undefined && /^(?:request id: ?)?[0-9a-f-]{36}$/i.test(written.trim())) return found.toLowerCase();
  return fail(
    EXIT.usage,
    `${JSON.stringify(written)} is not a request ID. Copy the ID after "Request id:" in the message.`,
  );
}

function parseProject(written: string): string {
  if (projectIdSchema.safeParse(written).success) return written;
  throw new InvalidArgumentError('it takes the ID of a Google Cloud project');
}

function parseView(written: string): string {
  if (LOG_VIEW.test(written)) return written;
  throw new InvalidArgumentError('it takes projects/PROJECT/locations/LOCATION/buckets/BUCKET/views/VIEW');
}
