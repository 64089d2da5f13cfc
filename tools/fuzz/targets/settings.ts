import { parseWebhookSettings } from '../../../shared/core/settings.ts';
import { demand, type Target } from '../target.ts';

const SETTINGS = `GOOGLE_CLOUD_PROJECT=acme-keydesk
KEYDESK_DATABASE=(default)
KEYDESK_ISSUER=https://agent.buildkite.com
KEYDESK_IAM_URL=http://127.0.0.1:8080/a
KEYDESK_TRUSTED_PROXIES=1
KEYDESK_WEBHOOK_TOKENS=first , second
KEYDESK_BUILDKITE_API_TOKEN=bkua_0123456789`;

export const target: Target = {
  claim:
    'Environment variables, one a line: what is accepted are URLs of https or of this machine and keys that a header can hold; a problem has the name of its variable and never the value.',
  files: ['shared/core/settings.ts'],
  seeds: [SETTINGS, SETTINGS.replace('https://agent', 'https://user:pass@agent'), 'KEYDESK_WEBHOOK_TOKENS=a,b,c'],
  run: (input) => {
    const lines = input
      .toString('utf8')
      .split('\n')
      .map((line) => /^([A-Z_]+)=(.*)$/s.exec(line));
    const environment = Object.fromEntries(lines.flatMap((line) => (line ? [[line[1], line[2]]] : [])));
    const parsed = parseWebhookSettings(environment);
    if ('problems' in parsed) {
      for (const problem of parsed.problems) {
        const [name = ''] = problem.split(' ', 1);
        const value = environment[name]?.trim() ?? '';
        demand(/^(KEYDESK|GOOGLE)_[A-Z_]+$/.test(name), 'a problem begins with the name of a variable');
        // Words may be those of the problem by chance.
        demand(/^[a-z ,:.]*$/i.test(value) || value.length < 6 || !problem.includes(value), 'no value is repeated');
      }
      return;
    }
    const { settings } = parsed;
    for (const [name, value] of Object.entries(settings))
      if (name.endsWith('_URL') || name.endsWith('_ISSUER')) demandUrl(String(value));
    const tokens = settings.KEYDESK_WEBHOOK_TOKENS;
    demand(tokens.length >= 1 && tokens.length <= 2, 'one key or two');
    demand(
      tokens.every((token) => /^[\x21-\x7e]+$/.test(token)),
      'a header can hold each key',
    );
    demand(settings.KEYDESK_TRUSTED_PROXIES >= 0 && settings.KEYDESK_TRUSTED_PROXIES <= 9, '0 to 9 proxies');
  },
};

function demandUrl(text: string): void {
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isLocal = protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname);
  demand(protocol === 'https:' || isLocal, 'a URL is of https, or of this machine');
  demand(`${username}${password}${search}${hash}` === '' && !/\s/.test(text), 'a URL has a host and a path alone');
}
