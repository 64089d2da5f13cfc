# What the plugin prints: to standard error, which the job's log shows as it shows the rest, since standard output is
# how its parts speak to each other.

keydesk_log() {
  printf '%s\n' "$@" >&2
}

# Opens the log group this stands in, so that what went wrong is seen.
keydesk_error() {
  keydesk_log '^^^ +++' "$@"
}

# Text from outside, made fit for one line of a log: nothing that moves a cursor, opens a log group or goes on for
# pages. In octal, since the tr of busybox knows no [:print:].
keydesk_printable() {
  tr -c '\40-\176' ' ' | cut -b 1-600 | sed 's/   */ /g; s/ *$//'
}
