#!/bin/sh
# tty.t - terminals: one of our own in the foreground (tests/ptyrun.c is the
# person in front of it), one handed to a console socket (tests/consock.c is
# who listens there), and what the container sees of them. Needs root.
# shellcheck disable=SC2119,SC2317,SC2016
. tests/lib.sh
need_root
PTY=$TOP/tests/bin/ptyrun
SOCK=$TOP/tests/bin/consock

fresh()
{
	bundle
	config 's/"terminal": false/"terminal": true/'
}

process()
{
	config "s~^\t\t\"cwd\": \"/\",\$~&$1,~"
}

# on_pty STEP... -- COMMAND: ptyrun; its output without CR is in $out, what it
# says about the settings in $termios, its status in $rc
on_pty()
{
	"$PTY" "$@" >"$T/pty.out" 2>"$T/termios"
	rc=$?
	# Notes are for those at a terminal; which, depends on the host.
	out=$(tr -d '\r' <"$T/pty.out" | grep -v ': note: ')
	termios=$(tail -n 1 "$T/termios")
}

# run_on_pty STEP...: $B
run_on_pty()
{
	on_pty "$@" -- "$OCIRT" --root "$ROOT" run -b "$B" "$ID"
}

foreground()
{
	fresh
	script 'tty; readlink /proc/self/fd/0; readlink /proc/self/fd/1
		readlink /proc/self/fd/2
		stat -c "console %F %t:%T" /dev/console
		stat -c "tty %t:%T %u" /dev/pts/0
		sed -n "s/.* \/dev\/console .* - /console is /p" /proc/self/mountinfo
		awk "{ print \"ids\", \$5, \$6, \$7, \$8 }" /proc/$$/stat
		stty size; stty -a | tr " " "\n" | grep -x -e "-*icanon" -e "-*opost"
		echo hello >/dev/tty'
	run_on_pty -w 33x77
	is 'run with a terminal succeeds' $rc 0
	is 'P1: the streams are /dev/pts/0' "$(printf '%s\n' "$out" |
		head -n 4 | tr '\n' ' ')" \
		'/dev/pts/0 /dev/pts/0 /dev/pts/0 /dev/pts/0 '
	like 'D6 P1: /dev/console is that terminal' "$out" \
		'^console character special file 88:0$'
	like 'by a mount of the devpts' "$out" '^console is devpts '
	like 'P1: its owner is the user' "$out" '^tty 88:0 0$'
	like 'P1: it is the controlling terminal' "$out" '^ids 1 1 34816 [0-9]+$'
	like 'the window has our size' "$out" '^33 77$'
	like 'it is cooked' "$out" '^icanon$'
	like 'and gives \r\n for \n' "$out" '^opost$'
	like '/dev/tty can be written' "$out" '^hello$'
	is 'the settings of our terminal are restored' "$termios" 'termios: same'
	check 'nothing is left' nothing_left

	script 'echo ready; read -r line; echo "got $line"
		read -r line; echo "status $?"; exit 9'
	run_on_pty -e ready -t 'type me\n' -e 'got type me' -t '\d' -e 'status 1'
	is 'what is typed arrives, ^D is its end, the status comes back' $rc 9
	is 'and what was typed is echoed once' \
		"$(printf '%s\n' "$out" | grep -c '^type me$')" 1
	is 'the settings are restored after a failure' "$termios" 'termios: same'

	script 'trap "echo int; exit 4" INT; echo ready
		while :; do sleep 0.1; done'
	run_on_pty -e ready -t '\c' -e int
	is '^C goes to the program, not to us' $rc 4

	script 'trap "echo term; exit 5" TERM; echo ready
		while :; do sleep 0.1; done'
	run_on_pty -e ready -s 15 -e term
	is 'SIGTERM is passed on' $rc 5
	is 'and the settings are restored' "$termios" 'termios: same'

	script 'trap "stty size; exit 6" WINCH; echo ready
		while :; do sleep 0.1; done'
	run_on_pty -w 10x20 -e ready -w 44x55 -e '44 55'
	is 'a new size of the window is passed on' $rc 6

	args '"/nowhere"'
	run_on_pty
	like 'an error comes out' "$out" 'no such file or directory'
	is 'and the settings are as before' "$rc $termios" '1 termios: same'

	# The program may ask for a key at once: our terminal is ready then.
	# A poststart hook looks, for run returns to its relay only after it.
	script 'echo ready; read -r line; echo "got $line"'
	cat >"$T/look" <<END
#!/bin/sh
stty -a <"/proc/\$PPID/fd/0" >"$T/stty" 2>&1
END
	chmod 755 "$T/look"
	edit ".hooks = {poststart: [{path: \"$T/look\"}]}"
	run_on_pty -e ready -t 'key\n' -e 'got key'
	like 'our terminal is raw before the program can run' \
		"$rc $(tr '\n' ' ' <"$T/stty")" '^0 .*-icanon.* -echo '
	edit 'del(.hooks)'

	# Found by execve only, when it is raw already.
	printf '#!/nowhere\n' >"$B/rootfs/bad"
	chmod 755 "$B/rootfs/bad"
	args '"/bad"'
	run_on_pty
	like 'an error behind that is a line of its own' \
		"$rc $(sed '/: note: /d; s/\r$/ CR/' "$T/pty.out")" \
		'^1 ocirt: .*no such file or directory CR$'
	is 'on a terminal that is as before' "$termios" 'termios: same'

	# Much output, the last of it written just before the end.
	script 'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i + 1)); done'
	run_on_pty
	is 'all of a long output arrives, in order' \
		"$(printf '%s\n' "$out" | awk '$1 == "line" && $2 == n { n++ }
			END { print n }') $(printf '%s\n' "$out" | tail -n 1)" \
		'3000 line 2999'

	process '"consoleSize":{"height":12,"width":34}'
	script 'stty size'
	run_on_pty
	is 'P2: consoleSize counts where we have no size' "$out" '12 34'

	# Our stdin need not be a terminal.
	script 'read -r a; echo "got $a"; cat >/dev/null; echo end'
	out=$(echo piped | timeout 10 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" |
		tr -d '\r')
	is 'a pipe can be relayed too, and its end is an end' \
		"$(printf '%s\n' "$out" | grep -v '^piped' | tr '\n' ' ')" \
		'got piped end '

	config 's/"uid": 0/"uid": 1000/'
	script 'stat -c "%u" /dev/pts/0; id -u; echo x >/dev/tty && echo yes
		echo via-stdout >/dev/stdout'
	run_on_pty
	is 'another user owns its terminal and can open it' \
		"$(printf '%s\n' "$out" | tr '\n' ' ')" \
		'1000 1000 x yes via-stdout '
	check 'nothing is left' nothing_left

	fresh
	config '/"destination": "\/dev\/pts",/,/^\t\t},/{/"type"/s/devpts/tmpfs/;/"options"/,/\]/d;s/"source": "devpts",/"source": "tmpfs"/;}'
	run_on_pty
	like 'a terminal without a devpts is refused' "$rc $out" '^1 .*devpts'
	check 'nothing is left' nothing_left
}

# listen [TEXT]: consock at $T/sock, in the background; wait for its socket
listen()
{
	rm -f "$T/sock"
	"$SOCK" "$T/sock" "$@" >"$T/sock.out" 2>&1 &
	pids=$!
	wait_for 5 test -S "$T/sock"
}

# said: all that the listener has to say, when the terminal is closed
said()
{
	wait "$pids"
	pids=
	out=$(tr -d '\r' <"$T/sock.out")
}

typed='typed
'

console_socket()
{
	fresh
	script 'tty; read -r line; echo "got $line"; stty size'
	process '"consoleSize":{"height":21,"width":43}'
	listen "$typed"
	o create -b "$B" --console-socket "$T/sock" "$ID" </dev/null \
		>"$T/out" 2>&1
	is 'create with a console socket succeeds and says nothing' \
		"$? $(cat "$T/out")" '0 '
	wait_for 5 grep -q terminal: "$T/sock.out"
	is 'nothing of it runs before start' "$(grep -c got "$T/sock.out")" 0
	o start "$ID"
	said
	like 'X10: the message is the name of the terminal' "$out" \
		'^message: /dev/pts/[0-9]+$'
	like 'X10: with one descriptor' "$out" '^descriptors: 1$'
	like 'and then the socket is closed' "$out" '^end: yes$'
	like 'the descriptor is a terminal, the master of one' "$out" \
		'^terminal: yes 5:2$'
	like 'what is typed there arrives' "$out" '^got typed$'
	like 'P2: consoleSize is its size' "$out" '^21 43$'
	wait_for 5 is_status "$ID" stopped
	o delete "$ID"

	listen
	script 'echo detached'
	o run -d -b "$B" --console-socket "$T/sock" "$ID" </dev/null \
		>"$T/out" 2>&1
	is 'run -d with a console socket succeeds' "$? $(cat "$T/out")" '0 '
	said
	like 'and its output goes there' "$out" '^detached$'
	wait_for 5 is_status "$ID" stopped
	o delete "$ID"

	out=$(run_b -d 2>&1)
	like 'E4: run -d with a terminal and no socket is refused' "$? $out" \
		'^1 .*cannot allocate tty.*console socket'
	o create -b "$B" "$ID" >"$T/out" 2>&1 </dev/null
	like 'E4: create too' "$? $(cat "$T/out")" \
		'^1 .*cannot allocate tty.*console socket'
	out=$(run_b --console-socket "$T/sock" 2>&1)
	like 'E4: a socket in the foreground is refused' "$? $out" \
		'^1 .*cannot use console socket'
	o create -b "$B" --console-socket "$T/not-there" "$ID" >"$T/out" 2>&1 \
		</dev/null
	like 'a socket that nobody made is named' "$? $(cat "$T/out")" \
		'^1 .*not-there.*no such file'
	check 'nothing is left of these' nothing_left
	config 's/"terminal": true/"terminal": false/'
	o create -b "$B" --console-socket "$T/sock" "$ID" >"$T/out" 2>&1 \
		</dev/null
	like 'E4: a socket without a terminal is refused' "$? $(cat "$T/out")" \
		'^1 .*cannot use console socket'
	check 'nothing is left of it' nothing_left
}

# exec_on_pty STEP... -- ARGS: exec -t $ID ARGS
exec_on_pty()
{
	for a in "$@"; do
		shift
		if [ "$a" = -- ]; then
			set -- "$@" -- "$OCIRT" --root "$ROOT" exec -t "$ID"
		else
			set -- "$@" "$a"
		fi
	done
	on_pty "$@"
}

by_exec()
{
	bundle
	args '"sleep","60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/null" 2>&1
	exec_on_pty -w 15x25 -e ready -t 'typed\n' -e 'got typed' -- sh -c '
		tty; stty size
		awk "{ print \"ids\", \$6 == $$, \$7 }" /proc/$$/stat; echo ready
		read -r l; echo "got $l"; exit 8'
	is 'exec -t runs on a terminal and returns the status' $rc 8
	like 'it is one of the container' "$out" '^/dev/pts/0$'
	like 'it has our size' "$out" '^15 25$'
	like 'it is the controlling one, of a session of its own' "$out" \
		'^ids 1 34816$'
	is 'our settings are restored' "$termios" 'termios: same'
	exec_on_pty -e ready -s 15 -- sh -c '
		trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done'
	is 'SIGTERM is passed on' "$rc $termios" '3 termios: same'
	exec_on_pty -- nowhere
	is 'our settings are restored after an error' "$rc $termios" \
		'255 termios: same'
	is 'exec without -t has none' \
		"$(o exec "$ID" tty </dev/null 2>&1)" 'not a tty'

	listen "$typed"
	o exec -d -t --console-socket "$T/sock" "$ID" \
		sh -c 'read -r l; echo "got $l"' </dev/null >"$T/out" 2>&1
	is 'exec -d -t with a socket succeeds' "$? $(cat "$T/out")" '0 '
	said
	like 'one descriptor is sent' "$out" '^descriptors: 1$'
	like 'and what is typed there arrives' "$out" '^got typed$'
	o exec -d -t "$ID" true >"$T/out" 2>&1 </dev/null
	like 'E4: exec -d -t without one is refused' "$? $(cat "$T/out")" \
		'^255 .*cannot allocate tty.*console socket'

	# As conmon calls it: the file says terminal, and how large.
	echo '{"args": ["sh", "-c", "stty size; stat -c own:%u /dev/pts/0"],
"cwd": "/", "env": ["PATH=/bin"], "terminal": true,
"consoleSize": {"height": 19, "width": 83},
"user": {"uid": 1000, "gid": 1000}}' >"$T/process"
	o exec -d -t --console-socket "$T/none" --process "$T/process" "$ID" \
		</dev/null >"$T/out" 2>&1
	like 'a socket that is not there is named' "$? $(cat "$T/out")" \
		'^255 .*connect to console socket .*none: no such file'
	listen
	o exec --pid-file "$T/pid" --process "$T/process" --detach --tty \
		--console-socket "$T/sock" "$ID" </dev/null >"$T/out" 2>&1
	is 'E1 X10: exec --process with a terminal, --tty and a socket' \
		"$? $(cat "$T/out")" '0 '
	said
	like 'P2: it has the size of consoleSize' "$out" '^19 83$'
	like 'P1: the user of the file owns its terminal' "$out" '^own:1000$'
	sed 's/"terminal": true/"terminal": false/; s/stty size.*"\]/tty"]/' \
		"$T/process" >"$T/process2"
	o exec --tty --process "$T/process2" "$ID" </dev/null >"$T/out" 2>&1
	is 'E1: --tty does not count with --process' \
		"$? $(cat "$T/out")" '1 not a tty'

	# The container's own /dev/ptmx and /dev/console are not trusted.
	echo tweet >"$T/canary"
	o exec "$ID" sh -c "rm -f /dev/ptmx; ln -s $T/canary /dev/ptmx
		ln -s $T/canary /dev/console" </dev/null
	exec_on_pty -- tty
	is 'exec -t does not use the /dev/ptmx of the container' \
		"$out $(cat "$T/canary")" '/dev/pts/0 tweet'
	o delete -f "$ID"
	check 'nothing is left at the end' nothing_left
}

: >"$T/null"
foreground
console_socket
by_exec
done_testing
