// `keydesk completion`: a script for the shell, which calls the hidden command `complete` for what may come next.

import { readFileSync } from 'node:fs';
import { Argument, Command, type CommandUnknownOpts } from '@commander-js/extra-typings';
import { parsePolicy } from '../../shared/core/policy/parse-yaml.ts';
import { completions } from '../completions.ts';
import { defaultPolicy } from '../options.ts';
import { print } from '../terminal.ts';

const SCRIPTS = {
  bash: `_keydesk() {
  local IFS=$'\\n'
  COMPREPLY=($(keydesk complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _keydesk keydesk`,
  zsh: `#compdef keydesk
_keydesk() {
  local -a found
  found=("\${(@f)$(keydesk complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _keydesk keydesk`,
  fish: `function __keydesk_complete
  set -l before (commandline -opc)
  keydesk complete -- $before[2..-1] (commandline -ct) 2>/dev/null
end
complete -c keydesk -a '(__keydesk_complete)'`,
} as const;

const SHELLS = ['bash', 'zsh', 'fish'] as const;

export const completionCommand = new Command('completion')
  .summary('print the completion script of a shell')
  .description('Print the script that completes commands, options and credential names in a shell.')
  .addArgument(new Argument('<shell>', 'your shell').choices(SHELLS))
  .addHelpText(
    'after',
    `
Examples:
  $ source <(keydesk completion bash)      # in ~/.bashrc
  $ source <(keydesk completion zsh)       # in ~/.zshrc, after compinit
  $ keydesk completion fish | source       # in ~/.config/fish/config.fish`,
  )
  .action((shell) => print(SCRIPTS[shell]));

/** The hidden command that the scripts call, with the words up to the cursor. */
export function completeCommand(root: CommandUnknownOpts) {
  return new Command('complete').argument('[words...]').action((words) => {
    for (const candidate of completions(root, words, () => credentialNames(words))) print(candidate);
  });
}

/** Of the policy that the words name; none when it cannot be read. */
function credentialNames(words: readonly string[]): string[] {
  const at = words.indexOf('--policy');
  try {
    const file = (at < 0 ? undefined : words[at + 1]) ?? defaultPolicy();
    const parsed = parsePolicy(readFileSync(file, 'utf8'), file);
    return 'policy' in parsed ? Object.keys(parsed.policy.credentials) : [];
  } catch {
    return [];
  }
}
