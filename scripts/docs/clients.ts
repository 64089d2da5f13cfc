// The table of the variables that the sandbox's shell sets for clients.

import { CLIENT_SETTINGS } from '../../sandbox/client-settings.ts';
import { type Blocks, name, table } from './markdown.ts';

export function clientTables(): Blocks {
  const rows = CLIENT_SETTINGS.map(({ client, variable, meaning }) => [name(variable), client, meaning]);
  return { 'sandbox variables': table(['variable', 'client', 'meaning'], rows) };
}
