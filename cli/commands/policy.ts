// `keydesk policy`: questions about a policy, one command each. They read files and nothing else: no network.

import { Command } from '@commander-js/extra-typings';
import { checkCommand } from './policy/check.ts';
import { diffCommand } from './policy/diff.ts';
import { explainCommand } from './policy/explain.ts';
import { replayCommand } from './policy/replay.ts';
import { schemaCommand } from './policy/schema.ts';
import { suggestCommand } from './policy/suggest.ts';
import { testCommand } from './policy/test.ts';
import { unusedCommand } from './policy/unused.ts';
import { whatCommand } from './policy/what.ts';
import { whoCommand } from './policy/who.ts';

export const policyCommand = new Command('policy')
  .description('check, compare and test a policy; show who gets what, and why')
  .addCommand(checkCommand)
  .addCommand(diffCommand)
  .addCommand(testCommand)
  .addCommand(explainCommand)
  .addCommand(whoCommand)
  .addCommand(whatCommand)
  .addCommand(replayCommand)
  .addCommand(unusedCommand)
  .addCommand(suggestCommand)
  .addCommand(schemaCommand);
