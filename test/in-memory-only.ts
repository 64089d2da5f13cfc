// The files of test/http that run in memory only in check. All others run on the emulator too, where Firestore's transactions, queries and
// indexes are Google's own. test/unit/in-memory-only.test.ts keeps these lists right.

/** They open no ledger, or have one in memory in every project: on the emulator each would be the same test again. */
export const WITHOUT_EMULATOR = [
  'audit-entries',
  'busy-grant',
  'caller-address',
  'cost-of-a-grant',
  'first-grant',
  'issue-guards',
  'ledger/firebase-users',
  'ledger/stored-fields',
  'ledger/unreadable',
  'preflight-tokens',
  'preflight',
  'request-bodies',
  'webhook-install',
  'webhook-rotation',
].map(fileOf);

/** They are about what a function does before it reads the ledger, or about text that it writes. */
export const BEFORE_THE_LEDGER = [
  'audit-hostile',
  'bad-agent-tokens',
  'bad-job-tokens',
  'bad-webhooks',
  'log-volume',
  'rfc/rfc6749',
  'rfc/rfc8414',
  'token-http',
  'token-paths',
].map(fileOf);

/**
 * The ledger gets no request from them that it does not get on the emulator in another file: the same query, or a commit with the same
 * collections and preconditions. Whole collections that a test itself reads are left out of account. This was compared once, from
 * recorded requests; no test compares it. `npm run test:deep` has these files on the emulator.
 */
export const SAME_REQUESTS = [
  'agent-token',
  'audit',
  'google-refusals',
  'private-functions',
  'recorded-requests',
  'rfc/rfc8693',
  'secrets',
  'token-leaked',
  'token-narrowing',
  'token-unavailable',
  'unknown-tokens',
  'webhook-failures',
].map(fileOf);

/** They take seconds on the emulator, for what others do there in less. `npm run test:deep` has them. */
export const LONG_ON_EMULATOR = [
  'ledger/grant-pages',
  'policy-changes',
  'reconcile-jobs',
  'restore-rehearsal',
  'teams-down',
  'verified-webhooks',
].map(fileOf);

function fileOf(name: string): string {
  return `test/http/${name}.test.ts`;
}
