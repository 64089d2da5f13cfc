// Command lines that Commander refuses in words that say too little: a policy file without --policy, and a subcommand without its command.

import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { closestName, meantOrKnown } from '../shared/core/closest-name.ts';
import { checkOptionValues } from './option-values.ts';

export const TEST_FILE = /\.test\.ya?ml$/i;
export const POLICY_FILE = /\.ya?ml$/i;

/** @param program the whole command, with all of its subcommands */
export function explainMistakes(program: CommandUnknownOpts): void {
  program.on('command:*', ([name]: string[]) =>
    program.error(`error: unknown command '${name}'${suggestion(program, name ?? '')}`),
  );
  for (const command of withSubcommands(program)) {
    explainExcessArguments(command);
    explainUnknownOptions(command);
    checkOptionValues(command);
    if (command === program || command.commands.length === 0) continue;
    command.on('command:*', ([name]: string[]) => {
      const known = command.commands.map((one) => one.name());
      command.error(`error: unknown command '${name}'. ${meantOrKnown(name ?? '', known)}`);
    });
  }
}

/** Commander proposes no option for the beginning of one. */
function explainUnknownOptions(command: CommandUnknownOpts): void {
  const unknownOption = (written: string) => {
    const flag = written.replace(/=.*$/s, '');
    const known = command
      .createHelp()
      .visibleOptions(command)
      .flatMap(({ long }) => long ?? []);
    const near = closestName(flag, known) ?? known.find((long) => flag.length > 3 && long.startsWith(flag));
    command.error(`error: unknown option '${flag}'${near === undefined ? '' : `. Did you mean "${near}"?`}`);
  };
  Object.assign(command, { unknownOption });
}

function explainExcessArguments(command: CommandUnknownOpts): void {
  const { registeredArguments } = command;
  if (command.commands.length > 0 || registeredArguments.some(({ variadic }) => variadic)) return;
  command.allowExcessArguments().hook('preAction', () => {
    const [excess] = command.args.slice(registeredArguments.length);
    if (excess === undefined) return;
    const takesPolicy = command.options.some(({ long }) => long === '--policy');
    const advice = takesPolicy && POLICY_FILE.test(excess) ? `Write --policy ${excess}.` : 'Remove it.';
    command.error(`error: ${command.name()} has no argument '${excess}'. ${advice}`);
  });
}

function suggestion(program: CommandUnknownOpts, name: string): string {
  const nested = program.commands.flatMap((parent) => parent.commands.map((child) => ({ parent, child })));
  const paths = nested.flatMap(({ parent, child }) =>
    child.name() === name ? [`${parent.name()} ${child.name()}`] : [],
  );
  const near = closestName(
    name,
    program
      .createHelp()
      .visibleCommands(program)
      .map((command) => command.name()),
  );
  const meant = paths.length > 0 ? paths : near === undefined ? [] : [near];
  return meant.length > 0 ? `. Did you mean ${meant.map((one) => `"${one}"`).join(' or ')}?` : '';
}

function withSubcommands(command: CommandUnknownOpts): CommandUnknownOpts[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}
