// The reference of the command, from what its commands declare: the same texts as --help.

import type { EventEmitter } from 'node:events';
import type { CommandUnknownOpts } from '@commander-js/extra-typings';
import { createProgram } from '../../cli/program.ts';
import { EXIT_CODES } from '../../cli/terminal.ts';
import { type Blocks, name, sections, table } from './markdown.ts';

type Rows = readonly (readonly string[])[];

export function commandTables(): Blocks {
  const program = createProgram();
  const commands = commandsUnder(program);
  return {
    overview: table(
      ['command', 'what it does'],
      commands.map((command) => [`[${name(pathOf(command))}](#${anchorOf(command)})`, command.summary()]),
    ),
    'exit codes': table(
      ['exit code', 'means'],
      Object.entries(EXIT_CODES).map(([code, meaning]) => [code, meaning]),
    ),
    commands: sections(...commands.map(section)),
  };
}

/** Those that do something, in the order of the help. */
function commandsUnder(parent: CommandUnknownOpts): CommandUnknownOpts[] {
  const visible = parent.createHelp().visibleCommands(parent);
  return parent.commands
    .filter((command) => visible.includes(command))
    .flatMap((command) => (command.commands.length > 0 ? commandsUnder(command) : [command]));
}

function pathOf(command: CommandUnknownOpts): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}

/** As GitHub makes it of the heading. */
function anchorOf(command: CommandUnknownOpts): string {
  return pathOf(command).replaceAll(' ', '-');
}

function section(command: CommandUnknownOpts): string {
  const help = command.createHelp();
  if (command.summary() === '') throw new Error(`${pathOf(command)} has no summary`);
  const args: Rows = help
    .visibleArguments(command)
    .map((argument) => [name(help.argumentTerm(argument)), help.argumentDescription(argument)]);
  return sections(
    `### ${pathOf(command)}`,
    help.commandDescription(command),
    codeBlock(help.commandUsage(command)),
    ...(args.length > 0 ? [table(['argument', 'meaning'], args)] : []),
    optionTables(command),
    codeBlock(afterHelp(command)),
  );
}

/** A table for each group of options, without --help, which every command has. */
function optionTables(command: CommandUnknownOpts): string {
  const help = command.createHelp();
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  const groups = [...new Set(options.map(({ helpGroupHeading }) => helpGroupHeading ?? 'Options:'))];
  return sections(
    ...groups.map((group) =>
      table(
        [group === 'Options:' ? 'option' : group.replace(/s:$/, '').toLowerCase(), 'meaning'],
        options
          .filter(({ helpGroupHeading }) => (helpGroupHeading ?? 'Options:') === group)
          .map((option) => [name(help.optionTerm(option)), help.optionDescription(option)]),
      ),
    ),
  );
}

/** What the help has after the options: examples, and what else there is to say. */
function afterHelp(command: CommandUnknownOpts): string {
  let text = '';
  const write = (part: string) => {
    text += part;
  };
  // A command is an emitter, which its types do not say: addHelpText listens to this event.
  (command as unknown as EventEmitter).emit('afterHelp', { error: false, command, write });
  if (!text.includes('Examples:')) throw new Error(`${pathOf(command)} has no examples`);
  return text.trim();
}

function codeBlock(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\``;
}
