#!/bin/sh
# run.t - create, run, start and delete from outside: signals, reaping, exit
# status, the pid file, pidfd and console sockets, descriptors, sd_notify.
# Needs root.
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_root

# run ARGS...: ocirt on the test's state root; rc, out, err
run()
{
	timeout 20 "$OCIRT" --root "$ROOT" "$@" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
}

# ---- pidfd socket ----

# listen NAME: the other end of a socket; what it says goes to $T/NAME.said
listen()
{
	rm -f "$T/$1"
	tests/bin/consock "$T/$1" >"$T/$1.said" 2>&1 &
	listener=$!
	pids="$pids $listener"
	wait_for 5 test -S "$T/$1"
}

pidfds()
{
	bundle
	args '"sleep", "1000"'
	listen pidfd
	run create -b "$B" --pidfd-socket "$T/pidfd" --pid-file "$T/pid" "$ID"
	is 'V6: create with a pidfd socket succeeds' "$rc:$err" 0:
	wait_for 5 grep -q '^process' "$T/pidfd.said"
	is 'V6: the socket gets "standard" and one handle on init' \
		"$(tr '\n' ' ' <"$T/pidfd.said")" \
		"message: standard descriptors: 1 end: yes process: $(cat "$T/pid") "
	o delete "$ID"
	await $listener
	like 'V6: it is a handle on that process: it tells its end' \
		"$(cat "$T/pidfd.said")" '^ended$'

	listen pidfd
	run run -d -b "$B" --pidfd-socket "$T/pidfd" "$ID"
	wait_for 5 grep -q '^process' "$T/pidfd.said"
	like 'V6: run sends it, too' "$(tr '\n' ' ' <"$T/pidfd.said")" \
		"message: standard .* process: $(pid "$ID") "
	listen pidfd2
	run exec -d --pidfd-socket "$T/pidfd2" --pid-file "$T/pid" "$ID" \
		sleep 1000
	wait_for 5 grep -q '^process' "$T/pidfd2.said"
	is 'V6: exec sends "setns" and its own process' \
		"$rc $(tr '\n' ' ' <"$T/pidfd2.said")" \
		"0 message: setns descriptors: 1 end: yes process: $(cat "$T/pid") "
	o delete -f "$ID"
	await $listener

	# A relative path is the bundle's.
	rm -f "$B/pidfd"
	tests/bin/consock "$B/pidfd" >"$T/pidfd.said" 2>&1 &
	listener=$!
	pids="$pids $listener"
	wait_for 5 test -S "$B/pidfd"
	run run -d -b "$B" --pidfd-socket pidfd "$ID"
	is 'V6: a relative socket lies in the bundle' "$rc:$err" 0:
	o delete -f "$ID"
	await $listener

	refused 'V6: a socket that nobody listens at: nothing is left' \
		"connect to pidfd socket $T/nosuch: no such file" \
		o run -d -b "$B" --pidfd-socket "$T/nosuch" "$ID"
	refused 'V6: the same for create, and no pid file' \
		'connect to pidfd socket' \
		o create -b "$B" --pidfd-socket "$T/nosuch" \
		--pid-file "$T/nopid" "$ID"
	check 'V6: no pid file is left' test ! -e "$T/nopid"
}

# ---- sd_notify ----

# manager SOCKET: a service manager; what it hears goes to $T/heard
manager()
{
	rm -f "$T/heard"
	tests/bin/notify listen "$1" 20 >"$T/heard" 2>&1 &
	manager=$!
	pids="$pids $manager"
	wait_for 5 listening "$1"
}

listening()
{
	grep -qF " $1" /proc/net/unix
}

heard()
{
	grep -q "$1" "$T/heard"
}

notifies()
{
	bundle
	cp tests/bin/notify "$B/rootfs/bin/"
	mkfifo "$T/gate" "$B/rootfs/gate"
	# What else it says is not for the manager: another pid, a watchdog.
	script 'env >/tmp/env
grep " /run/notify " /proc/self/mountinfo >/tmp/mounts
stat -c "%F %a" /run/notify/notify.sock >/tmp/socket
touch /run/notify/x 2>/tmp/touch
notify send "STATUS=soon" "WATCHDOG=1"
read x </gate
notify send "$(printf "STATUS=up\nMAINPID=1\nREADY=1\nFDSTORE=1")"
notify send STOPPING=1 2>/tmp/late
read x </gate
exit 3'
	add_mount '{"destination": "/tmp", "type": "bind", "source": "'"$T"'/tmp",
		"options": ["bind"]}'
	add_mount '{"destination": "/gate", "type": "bind", "source": "'"$T"'/gate",
		"options": ["bind"]}'
	mkdir -p "$T/tmp"
	rm -f "$T/sock"
	manager "$T/sock"

	# in the foreground
	NOTIFY_SOCKET=$T/sock "$OCIRT" --root "$ROOT" run -b "$B" "$ID" \
		</dev/null >"$T/out" 2>&1 &
	runner=$!
	pids="$pids $runner"
	wait_for 5 test -e "$T/tmp/touch"
	is 'V3: the program is told where to say it' \
		"$(grep ^NOTIFY_SOCKET= "$T/tmp/env")" \
		NOTIFY_SOCKET=/run/notify/notify.sock
	like 'V3: the directory is a read-only mount, nosuid, nodev, noexec' \
		"$(cat "$T/tmp/mounts")" \
		' /run/notify ro,nosuid,nodev,noexec[ ,]'
	is 'V3: anybody may write to the socket' "$(cat "$T/tmp/socket")" \
		'socket 777'
	like 'V3: nothing can be made beside it' "$(cat "$T/tmp/touch")" \
		'[Rr]ead-only file system'
	p=$(pid "$ID")
	echo >"$T/gate"
	check 'V3: the manager hears that it is ready' wait_for 5 heard READY
	is 'V3: READY=1 and the pid on the host, and nothing else' \
		"$(sed 's/ from .*//' "$T/heard")" "READY=1;MAINPID=$p"
	is 'V3: it comes from the runtime, which the manager knows' \
		"$(sed -n 's/^READY.* from //p' "$T/heard")" "$runner"
	echo >"$T/gate"
	await $runner
	is 'V3: run ends with the status of the program' "$? $(cat "$T/out")" '3 '
	is 'V3: the program may go on talking' "$(cat "$T/tmp/late")" ''
	check 'V3: nothing is left of it' nothing_left

	# run -d returns when it is ready, and when the manager knows
	: >"$T/heard"
	NOTIFY_SOCKET=$T/sock "$OCIRT" --root "$ROOT" run -d -b "$B" "$ID" \
		</dev/null >"$T/out" 2>&1 &
	runner=$!
	pids="$pids $runner"
	wait_for 5 is_status "$ID" running
	wait_for 5 test -s "$T/tmp/env"
	check 'V3: run -d waits while the program is not ready' \
		kill -0 $runner
	echo >"$T/gate"
	await $runner
	is 'V3: run -d returns when it is' "$? $(cat "$T/out")" '0 '
	is 'V3: the manager heard before that, and closed the barrier' \
		"$(sed 's/ from .*//' "$T/heard" | tr '\n' ' ')" \
		"READY=1;MAINPID=$(pid "$ID") BARRIER=1 +fd "
	is 'V3: the container runs on' "$(status "$ID")" running
	o delete -f "$ID"
	check 'V3: delete takes the socket away, too' nothing_left

	# create and start
	: >"$T/heard"
	NOTIFY_SOCKET=$T/sock run create -b "$B" "$ID"
	is 'V3: create does not wait' "$rc:$err" 0:
	rm -f "$T/tmp/env"
	NOTIFY_SOCKET=$T/sock "$OCIRT" --root "$ROOT" start "$ID" \
		</dev/null >"$T/out" 2>&1 &
	runner=$!
	pids="$pids $runner"
	wait_for 5 test -s "$T/tmp/env"
	check 'V3: start waits while the program is not ready' kill -0 $runner
	echo >"$T/gate"
	await $runner
	is 'V3: start returns when it is' "$? $(cat "$T/out")" '0 '
	is 'V3: start has told the manager' \
		"$(sed 's/ from .*//' "$T/heard" | tr '\n' ' ')" \
		"READY=1;MAINPID=$(pid "$ID") BARRIER=1 +fd "
	o delete -f "$ID"

	# a program that ends and was never ready
	script 'exit 1'
	: >"$T/heard"
	NOTIFY_SOCKET=$T/sock run run -d -b "$B" "$ID"
	is 'V3: a program that ends unready holds nobody up' "$rc:$err" 0:
	is 'V3: then there is nothing to tell' "$(cat "$T/heard")" ''
	o delete "$ID"
	NOTIFY_SOCKET=$T/sock run create -b "$B" "$ID"
	NOTIFY_SOCKET=$T/sock run start "$ID"
	is 'V3: nor start' "$rc:$err" 0:
	o delete -f "$ID"

	# told to stop before it is ready
	script 'sleep 1000'
	NOTIFY_SOCKET=$T/sock "$OCIRT" --root "$ROOT" run -d -b "$B" "$ID" \
		</dev/null >"$T/out" 2>&1 &
	runner=$!
	wait_for 5 is_status "$ID" running
	kill -TERM $runner
	await $runner
	is 'V3: run -d told to stop before READY=1 is an error' \
		"$? $(cat "$T/out")" \
		"1 ocirt: run $ID: interrupted by a signal before READY=1"
	check 'V3: and leaves nothing' nothing_left

	# an abstract address; a long state directory; nobody there
	kill $manager
	manager "@$T/sock"
	script 'notify send READY=1; sleep 1000'
	long=$T/$(printf '%0120d' 0)
	mkdir -m 700 "$long"
	NOTIFY_SOCKET=@$T/sock run --root "$long" run -d -b "$B" "$ID"
	is 'V3: an abstract socket, a long path' \
		"$rc:$err $(sed 's/ from .*//' "$T/heard" | head -n 1)" \
		"0: READY=1;MAINPID=$("$OCIRT" --root "$long" state "$ID" |
			sed -n 's/.*"pid": \([0-9]*\).*/\1/p')"
	"$OCIRT" --root "$long" delete -f "$ID"
	kill $manager
	NOTIFY_SOCKET=$T/nobody run run -d -b "$B" "$ID"
	is 'V3: a manager that is not there does no harm' "$rc:$err" 0:
	run exec "$ID" env
	unlike 'V3: exec has no NOTIFY_SOCKET' "$out" NOTIFY_SOCKET
	o delete -f "$ID"
	script 'sleep 1000'
	NOTIFY_SOCKET='' run run -d -b "$B" "$ID"
	is 'V3: an empty one is none' "$rc:$err $(status "$ID")" '0: running'
	o delete -f "$ID"
	run run -d -b "$B" "$ID"
	check 'V3: without one there is no such mount' \
		test -z "$(grep notify "/proc/$(pid "$ID")/mountinfo")"
	o delete -f "$ID"
	like 'V3: plan tells of it' \
		"$(NOTIFY_SOCKET=/x "$OCIRT" plan -b "$B")" \
		'^bind +/run/notify flags '
}

pidfds
notifies
check 'nothing is left at the end' nothing_left
done_testing
