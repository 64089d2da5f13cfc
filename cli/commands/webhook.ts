// `keydesk webhook`: the notification service at Buildkite and its key.

import { Command } from '@commander-js/extra-typings';
import { checkCommand } from './webhook/check.ts';
import { installCommand } from './webhook/install.ts';
import { rotateCommand } from './webhook/rotate.ts';

export const webhookCommand = new Command('webhook')
  .description('create the webhook at Buildkite, rotate its key, check both')
  .addCommand(installCommand)
  .addCommand(rotateCommand)
  .addCommand(checkCommand);
