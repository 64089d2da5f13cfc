// The whole command: its subcommands, and how all of them report a wrong command line.

import { styleText } from 'node:util';
import { Command, type CommandUnknownOpts, Help } from '@commander-js/extra-typings';

import { VERSION } from '../shared/version.ts';
import { explainMistakes } from './command-mistakes.ts';
import { blocksCommand } from './commands/blocks.ts';
import { completeCommand, completionCommand } from './commands/completion.ts';
import { doctorCommand } from './commands/doctor.ts';
import { explainCommand } from './commands/explain.ts';
import { grantsCommand } from './commands/grants.ts';
import { idsCommand } from './commands/ids.ts';
import { initCommand } from './commands/init.ts';
import { killCommand } from './commands/kill.ts';
import { packageCommand } from './commands/package.ts';
import { policyCommand } from './commands/policy.ts';
import { restoreCommand } from './commands/restore.ts';
import { reviewCommand } from './commands/review.ts';
import { rulesCommand } from './commands/rules.ts';
import { statusCommand } from './commands/status.ts';
import { usersCommand } from './commands/users.ts';
import { versionCommand } from './commands/version.ts';
import { webhookCommand } from './commands/webhook.ts';
import { hideTokens } from './hide-tokens.ts';
import { paint } from './terminal.ts';

export function createProgram(): CommandUnknownOpts {
  const program = new Command('keydesk')
    .usage('COMMAND [options]     keydesk COMMAND --help')
    .description('Short-lived Google Cloud credentials for Buildkite jobs.')
    .version(VERSION, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .configureHelp({
      styleTitle: (title) => styleText('bold', title, { validateStream: false }),
      // Options and arguments are in the help of the command.
      subcommandTerm: (command) => command.name(),
      // One screen: --help says the same as `keydesk help`, which works too.
      visibleCommands(command) {
        const visible = Help.prototype.visibleCommands.call(this, command);
        return command.parent ? visible : visible.filter((one) => one.name() !== 'help');
      },
      // Those of the whole command are --help and --version.
      visibleOptions(command) {
        return command.parent ? Help.prototype.visibleOptions.call(this, command) : [];
      },
    })
    .configureOutput({ outputError: (text, write) => write(paint('red', hideTokens(text), process.stderr)) })
    .exitOverride()
    .addCommand(initCommand)
    .addCommand(idsCommand)
    .addCommand(policyCommand)
    .addCommand(rulesCommand)
    .addCommand(packageCommand)
    .addCommand(statusCommand)
    .addCommand(webhookCommand)
    .addCommand(doctorCommand)
    .addCommand(explainCommand)
    .addCommand(grantsCommand)
    .addCommand(reviewCommand)
    .addCommand(killCommand)
    .addCommand(blocksCommand)
    .addCommand(restoreCommand)
    .addCommand(usersCommand)
    .addCommand(versionCommand)
    .addCommand(completionCommand)
    .addHelpText('after', 'Exit codes: 0 success, 1 problem, 2 wrong usage, 3 different, wider or unknown.');
  program.addCommand(completeCommand(program), { hidden: true });
  inheritSettings(program, 'keydesk');
  explainMistakes(program);
  return program;
}

function inheritSettings(parent: CommandUnknownOpts, path: string): void {
  parent.showHelpAfterError(`Run "${path} --help" for usage.`);
  for (const command of parent.commands) {
    command.copyInheritedSettings(parent);
    inheritSettings(command, `${path} ${command.name()}`);
  }
}
