# What the plugin prints. It goes to standard error, which is in the job's log too: functions return text on standard output.

keydesk_log() {
  printf '%s\n' "$@" >&2
}

# Opens the current group of the log, so that the error is visible.
keydesk_error() {
  keydesk_log '^^^ +++' "$@"
}

# Makes text from outside fit for one line of a log: printable ASCII, which moves no cursor and opens no group, 600 bytes
# at most. In octal, since the tr of busybox knows no [:print:].
keydesk_printable() {
  tr -c '\40-\176' ' ' | cut -b 1-600 | sed 's/   */ /g; s/ *$//'
}
