// When a webhook is refused and what to do about it, for docs/TROUBLESHOOTING.md alone: the functions do not load this. The compiler checks
// that every reason has both. Links are relative to docs/.

import type { Advice } from '../../core/oauth/refusal-advice.ts';
import type { WebhookRefusalReason } from './webhook.ts';

const SWEEP_FINDS_IT = 'If it was the end of a job, the sweep finds it.';

export const WEBHOOK_ADVICE: Readonly<Record<WebhookRefusalReason, Advice>> = {
  unsigned_token_mode: {
    when: 'Buildkite sends the token in a header in place of a signature.',
    whatToDo: 'Set the token mode of the notification service to signature.',
  },
  signature_missing: {
    when: 'There is no signature header.',
    whatToDo: 'The sender is not Buildkite, or a proxy removed the header.',
  },
  signature_malformed: {
    when: 'The signature header has another form than Buildkite gives it.',
    whatToDo: 'The sender is not Buildkite, or a proxy changed the header.',
  },
  signature_wrong: {
    when: 'No token in `KEYDESK_WEBHOOK_TOKENS` made the signature.',
    whatToDo:
      'Compare the token at Buildkite with the setting. If they agree, a proxy changes the body, or somebody forges webhooks.',
  },
  signature_too_old: {
    when: 'The signature is more than five minutes old: the webhook was delayed or sent again, or a clock is wrong.',
    whatToDo: SWEEP_FINDS_IT,
  },
  signature_in_future: {
    when: 'The signature is from more than five minutes ahead: a clock is wrong.',
    whatToDo: SWEEP_FINDS_IT,
  },
  ledger_unavailable: {
    when: "The job's end could not be recorded. `code` in the log says how the ledger failed.",
    whatToDo: 'Nothing: Buildkite may send it again, and otherwise the sweep finds the end.',
  },
  invalid_event: {
    when: 'The body is signed, and it is not an event that Keydesk can read.',
    whatToDo: 'Buildkite sends something new. Report it with the line in the log.',
  },
  not_found: { when: 'The URL at Buildkite has a path.', whatToDo: 'Remove the path.' },
  method_not_allowed: {
    when: 'The request is not a POST: a redirect, or a browser.',
    whatToDo: 'Use the https URL at Buildkite.',
  },
  request_too_large: {
    when: 'The body is larger than Cloud Run delivers over HTTP/1.',
    whatToDo: SWEEP_FINDS_IT,
  },
  body_too_slow: {
    when: 'The body did not arrive in ten seconds, and ten more for each MiB that had arrived.',
    whatToDo: SWEEP_FINDS_IT,
  },
};
