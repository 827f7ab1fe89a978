/** `$1` the id of the marks, then the command: in a subshell, so that it may be anything. The shell's own words about a killed child go nowhere. */
const RUN = `id=$1; shift; printf '\\036%s pid %s\\036' "$id" $$
exec 3>&2 2>/dev/null; trap : INT QUIT TERM USR1 USR2 ALRM
(exec 2>&3 3>&-; exec "$@"); code=$?`;
const MARK = `printf '\\036%s %s\\036' "$id" "$code"`;

/**
 * Runs a command, and says at the end of its output how it ended. LXD drops what it has not read when a terminal's command ends (LXD 5.0.2, tried),
 * so there the shell stays until it is killed by whoever has read all. A write to the terminal must not stop it, whoever has the foreground.
 */
export const GUARD = {
  terminal: `${RUN}; trap '' TTOU; ${MARK}; while sleep 60; do :; done`,
  pipes: `${RUN}; ${MARK}; ${MARK} >&3; exit "$code"`,
} as const;

/** `$1` the id of the marks, `$2` the guard's process id, which nobody else must have taken meanwhile. */
const FIND = `root=$2
case $(tr '\\0' ' ' < "/proc/$root/cmdline") in *" $1 "*) ;; *) exit 0;; esac
each() {
  for f in /proc/[0-9]*/stat; do
    { read -r stat < "$f"; } 2>/dev/null || continue
    pid=\${stat%% *}; rest=\${stat##*) }; rest=\${rest#* }; parent=\${rest%% *}
    "$1"
  done
}`;

/** Everything that descends from the guard; what made itself a daemon does not. */
const TREE = `${FIND}
join() { case "$tree" in *" $pid "*) ;; *) case "$tree" in *" $parent "*) tree="$tree$pid "; grew=1;; esac;; esac; }
grow() { tree=" $root "; grew=1; while [ -n "$grew" ]; do grew=; each join; done; }`;

/** `$3` a signal's number: sends it to the command itself. */
export const SIGNAL = `${FIND}
number=$3
send() { [ "$parent" = "$root" ] && kill -"$number" "$pid"; }
each send`;

/** Kills the command with all that it has started, also what it starts meanwhile. */
export const KILL = `${TREE}
last=
while grow; [ "$tree" != "$last" ]; do
  last=$tree
  for pid in $tree; do [ "$pid" = "$root" ] || kill -9 "$pid" 2>/dev/null; done
done
kill -9 "$root"`;

/** As a terminal that is closed: SIGHUP to all; a second later SIGKILL to those who did not choose to ignore it, as \`nohup\` does. */
export const HANG_UP = `${TREE}
grow
for pid in $tree; do [ "$pid" = "$root" ] || kill -1 "$pid" 2>/dev/null; done
sleep 1
for pid in $tree; do
  ignored=0
  { while read -r key value; do [ "$key" = SigIgn: ] && ignored=$value; done < "/proc/$pid/status"; } 2>/dev/null
  case $ignored in *[13579bdf]) ;; *) kill -9 "$pid" 2>/dev/null;; esac
done`;

/**
 * `$1` rows, `$2` columns: LXD sets the size of a terminal of its own, which never reaches the console of the container (LXD 5.0.2, source, tried).
 */
export const CONSOLE_SIZE = 'exec stty rows "$1" cols "$2" < /dev/console';
