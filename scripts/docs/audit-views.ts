// The queries of deploy/audit as views: the same SQL without the days, names and order that a person chooses, which become columns to
// filter by. What is replaced must be there, so that a query cannot change without its view.

const DAYS = /\n {2}WHERE timestamp >= TIMESTAMP_SUB\(.*(?:\n {4}AND timestamp < TIMESTAMP_ADD\(.*)?/;
const ASKED = /^(?:--.*\n)+WITH asked AS \(\n[\s\S]*?\n\),\nentries/;
const ORDER = /\nORDER BY .*\n$/;

interface View {
  readonly about: string;
  readonly changes: readonly (readonly [from: string, to: string])[];
}

export const VIEWS: Readonly<Record<string, View>> = {
  'grant-to-touches': {
    about: 'Everything that grants touched. Filter by grant_id and touched_at.',
    changes: [
      ['\nINNER JOIN asked ON held.grant_id = asked.grant_id', ''],
      ['SELECT\n  CASE held.kind', 'SELECT\n  held.grant_id,\n  CASE held.kind'],
    ],
  },
  'touch-to-job': {
    about: 'From what was touched back to the job. Filter by touched_at, and by resource_name or request.',
    changes: [
      [
        `
  CROSS JOIN asked
  WHERE touches.touched_at >= asked.touched_from AND touches.touched_at < asked.touched_until
    AND touches.resource_name LIKE asked.resource_pattern
    AND (touches.resource_name LIKE asked.document_pattern OR touches.request LIKE asked.document_pattern
      OR touches.request LIKE asked.query_pattern)`,
        '',
      ],
      ['  joined.num_response_items,', '  joined.request, joined.num_response_items,'],
    ],
  },
  'touches-without-lease': {
    about:
      'What accounts did while they were leased to no job. Filter by touched_at, and by principal_email: the accounts of your pools.',
    changes: [
      [
        `
INNER JOIN asked
  ON touches.principal_email LIKE asked.account_pattern
  AND touches.touched_at >= asked.touched_from AND touches.touched_at < asked.touched_until`,
        '',
      ],
    ],
  },
  'who-could-touch': {
    about:
      'Who could touch an environment, and whether that is still so: a row for each token. Filter by environment, token_usable_from and token_usable_until.',
    changes: [
      ['\nINNER JOIN asked ON usable.environment = asked.environment', ''],
      ['\nWHERE usable.usable_from < asked.day_until AND usable.usable_until > asked.day_from', ''],
      [
        'SELECT DISTINCT\n',
        'SELECT DISTINCT\n  usable.environment, usable.usable_from AS token_usable_from, usable.usable_until AS token_usable_until,\n',
      ],
    ],
  },
};

/** @param query the text of the file of that name in deploy/audit */
export function toView(name: string, query: string): string {
  const view = VIEWS[name];
  if (!view) throw new Error(`no view is described for ${name}.sql`);
  const whole = [
    [ASKED, 'WITH entries'],
    [DAYS, ''],
    [ORDER, '\n'],
  ] as const;
  const head = `-- ${view.about}\n-- Made of ${name}.sql (npm run docs). It reads the whole archive, and BigQuery bills what it reads.\n`;
  const replaced = [...whole, ...view.changes].reduce((sql: string, [from, to]) => {
    const result = sql.replace(from, () => to);
    if (result === sql) throw new Error(`${name}.sql does not have what its view replaces: ${from}`);
    return result;
  }, query);
  return head + replaced;
}
