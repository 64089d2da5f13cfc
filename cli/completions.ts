// What may come next on a command line. Knows the commands by what they declare, so that a new one is completed too.

import { type CommandUnknownOpts, Help } from '@commander-js/extra-typings';

/**
 * @param words the words after `keydesk`; the last one is being written, and may be empty
 * @returns the candidates; none where a file name or free text is expected
 */
export function completions(
  root: CommandUnknownOpts,
  words: readonly string[],
  credentialNames: () => readonly string[],
): string[] {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const command = before.reduce(
    (found, word) => found.commands.find((subcommand) => subcommand.name() === word) ?? found,
    root,
  );
  const previous = command.options.find(({ long, short }) => [long, short].includes(before.at(-1)));
  return candidates().filter((candidate) => candidate.startsWith(current));

  function candidates(): readonly string[] {
    if (previous?.required) return previous.long === '--credential' ? credentialNames() : (previous.argChoices ?? []);
    const help = command.createHelp();
    if (current.startsWith('-'))
      return Help.prototype.visibleOptions.call(help, command).flatMap(({ long }) => long ?? []);
    if (command.commands.length > 0) return help.visibleCommands(command).map((subcommand) => subcommand.name());
    return command.registeredArguments.flatMap((argument) =>
      argument.name() === 'credential' ? credentialNames() : (argument.argChoices ?? []),
    );
  }
}
