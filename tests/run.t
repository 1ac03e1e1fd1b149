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
	# root of a user namespace cannot reach the state directory by its path
	bundle
	cp tests/bin/notify "$B/rootfs/bin/"
	edit '.linux.namespaces += [{type: "user"}] | .linux.uidMappings =
		[{containerID: 0, hostID: 100000, size: 1000}] |
		.linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 "$B/rootfs"
	script 'notify send READY=1 && sleep 1000'
	rm -f "$T/sock"
	manager "$T/sock"
	if [ -e /proc/self/ns/user ]; then
		NOTIFY_SOCKET=$T/sock run run -d -b "$B" "$ID"
		is 'V3: from a user namespace, too' \
			"$rc:$err $(sed 's/ from .*//' "$T/heard" | head -n 1)" \
			"0: READY=1;MAINPID=$(pid "$ID")"
		o delete -f "$ID"
	else
		skip 'V3: from a user namespace, too' 'no user namespaces'
	fi
	kill $manager
	like 'V3: plan tells of it' \
		"$(NOTIFY_SOCKET=/x "$OCIRT" plan -b "$B")" \
		'^bind +/run/notify flags '
}

# ---- run in the foreground ----

# ppid PID
ppid()
{
	sed -n 's/^PPid:[^0-9]*//p' "/proc/$1/status" 2>/dev/null
}

vanished()
{
	[ ! -e "/proc/$1" ]
}

# runs [OPTION...]: run in the background; its pid is $runner
runs()
{
	rm -f "$T/up"
	"$OCIRT" --root "$ROOT" run "$@" -b "$B" "$ID" </dev/null \
		>"$T/out" 2>"$T/err" &
	runner=$!
	pids="$pids $runner"
}

orphans()
{
	# Without a pid namespace of its own, who adopts is to be seen.
	bundle
	without pid
	add_mount '{"destination": "/tmp", "type": "bind", "source": "'"$T"'/tmp",
		"options": ["bind"]}'
	mkdir -p "$T/tmp"
	# The middle one ends, its child is an orphan; another ends soon.
	script 'sh -c "sleep 1000 & echo \$! >/tmp/orphan"
sh -c "sh -c \"read x </tmp/go\" & echo \$! >/tmp/short"
echo up >/tmp/up
read x </tmp/end
exit 6'
	mkfifo "$T/tmp/go" "$T/tmp/end"
	for how in '' --no-subreaper; do
		rm -f "$T/tmp/up"
		# shellcheck disable=SC2086
		runs $how
		wait_for 5 test -s "$T/tmp/up"
		q=$(cat "$T/tmp/orphan")
		short=$(cat "$T/tmp/short")
		pids="$pids $q $short"
		if [ -z "$how" ]; then
			is 'OP-run: run adopts the orphans of the container' \
				"$(ppid "$q")" $runner
			echo >"$T/tmp/go"
			check 'OP-run: and reaps them while the program runs' \
				wait_for 5 vanished "$short"
		else
			unlike 'OP-run: with --no-subreaper it does not' \
				"$(ppid "$q")" "^$runner\$"
			echo >"$T/tmp/go"
		fi
		echo >"$T/tmp/end"
		await $runner
		is "OP-run: the program's status counts, not an orphan's" \
			"$?$(cat "$T/out" "$T/err")" 6
		if [ "$(host_kind)" != none ]; then
			check 'L13: what the program left running is dead' \
				wait_for 5 gone "$q"
		fi
		check 'L13: nothing is left' nothing_left
	done
}

signals()
{
	bundle
	add_mount '{"destination": "/tmp", "type": "bind", "source": "'"$T"'/tmp",
		"options": ["bind"]}'
	mkdir -p "$T/tmp"
	script 'for s in WINCH URG CHLD CONT; do trap "echo $s >>/tmp/got" $s; done
trap "echo TERM >>/tmp/got; exit 44" TERM
: >/tmp/got
echo up >/tmp/up
while :; do read x </tmp/never; done'
	mkfifo "$T/tmp/never"
	rm -f "$T/tmp/up"
	runs
	wait_for 5 test -s "$T/tmp/up"
	for s in WINCH URG CHLD CONT; do
		kill -$s $runner
	done
	check 'OP-run: CONT is passed on' wait_for 5 grep -q CONT "$T/tmp/got"
	kill -TERM $runner
	await $runner
	is "OP-run: killed by what run passed on: the program's status" $? 44
	is 'OP-run: WINCH, URG and CHLD are not passed on' \
		"$(tr '\n' ' ' <"$T/tmp/got")" 'CONT TERM '
	check 'OP-run: and the container is deleted' nothing_left

	# 128 + signal, when the kernel lets a signal kill init
	without pid
	args '"sleep", "1000"'
	for s in 1 2 15; do
		runs
		wait_for 5 is_status "$ID" running
		kill -$s $runner
		await $runner
		is "C9 OP-run: ended by signal $s: 128 and that" $? $((128 + s))
		check 'OP-run: and the container is deleted' nothing_left
	done
	runs --keep
	wait_for 5 is_status "$ID" running
	kill -TERM $runner
	await $runner
	is 'OP-run: --keep: the same status' $? 143
	is 'OP-run: --keep: it is stopped' "$(status "$ID")" stopped
	o delete "$ID"
	check 'OP-run: --keep: delete removes it' nothing_left

	# deleted by another while we wait for it
	runs
	wait_for 5 is_status "$ID" running
	o delete -f "$ID"
	await $runner
	is 'OP-run: deleted by another: run ends, too' "$? $(cat "$T/err")" '137 '
	check 'OP-run: nothing is left' nothing_left
}

# ---- what goes in: descriptors, cgroups, pivot ----

LAUNCH=tests/bin/launch

handed_on()
{
	bundle
	args '"sh", "-c", "ls /proc/self/fd; echo $LISTEN_FDS/$LISTEN_PID"'
	config 's/; echo \$/; echo $/; s/"TERM=xterm"/&, "LISTEN_FDS=9"/' 
	got=$("$LAUNCH" -f 3-9=/etc/passwd sh -c 'LISTEN_FDS=2 LISTEN_PID=$$ exec \
		"$1" --root "$2" run -b "$3" "$4"' - "$OCIRT" "$ROOT" "$B" "$ID" \
		</dev/null 2>&1 | tr '\n' ' ')
	like 'V1: LISTEN_FDS=2: 3 and 4 go in, the program is their LISTEN_PID' \
		"$got" '^0 1 2 3 4 (5 )?2/1 $'
	got=$("$LAUNCH" -f 3-9=/etc/passwd sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec \
		"$1" --root "$2" run --preserve-fds 2 -b "$3" "$4"' - "$OCIRT" \
		"$ROOT" "$B" "$ID" </dev/null 2>&1 | tr '\n' ' ')
	like 'V1 V2: --preserve-fds counts behind them' "$got" \
		'^0 1 2 3 4 5 (6 )?1/1 $'
	got=$("$LAUNCH" -f 3-9=/etc/passwd sh -c 'LISTEN_FDS=1 LISTEN_PID=1 exec \
		"$1" --root "$2" run -b "$3" "$4"' - "$OCIRT" "$ROOT" "$B" "$ID" \
		</dev/null 2>&1 | tr '\n' ' ')
	like "V1: another's LISTEN_FDS do not" "$got" '^0 1 2 (3 )?9/ $'
	refused 'V2: a descriptor that is not open' \
		'unable to stat preserved-fd 0 \(of 1\): bad file descriptor$' \
		o run -b "$B" --preserve-fds 1 "$ID"
	refused 'V2: no number' '--preserve-fds' \
		o run -b "$B" --preserve-fds x "$ID"

	bundle
	args '"sleep", "1000"'
	run run -d --no-pivot -b "$B" "$ID"
	is 'V8: --no-pivot is taken' "$rc:$err" 0:
	p=$(pid "$ID")
	is 'V8: nothing of the host can be seen' \
		"$(cut -d' ' -f5 "/proc/$p/mountinfo" | grep -cF "$T")" 0
	run exec "$ID" sh -c 'cd /; echo *'
	is "V8: the root is the container's" "$out" \
		"$(cd "$B/rootfs" && echo *)"
	# A way out of a chroot: none here.
	run exec "$ID" sh -c 'cd /proc/1/root/../../..; echo *'
	is 'V8: the way up ends there' "$out" "$(cd "$B/rootfs" && echo *)"
	o delete -f "$ID"

	run --cgroup-manager disabled run -d -b "$B" "$ID"
	is 'OP-global: --cgroup-manager=disabled' "$rc:$err" 0:
	is 'OP-global: it is in our own cgroups' \
		"$(sort "/proc/$(pid "$ID")/cgroup")" "$(sort /proc/self/cgroup)"
	is 'OP-global: none is made' "$(cgroups)" ''
	o delete -f "$ID"
	check 'nothing is left of it' nothing_left
	refused 'OP-global: --cgroup-manager=systemd is refused' \
		'systemd .*hint' o --cgroup-manager systemd run -b "$B" "$ID"
}

# ---- the pid file; the same id again ----

again()
{
	bundle
	args '"sh", "-c", "exit 0"'
	refused 'L8 X1: a pid file that cannot be: create kills what it made' \
		'write pid file .*: no such file or directory' \
		o create -b "$B" --pid-file "$T/no/pid" "$ID"
	refused 'L8 X1: the same for run' 'write pid file' \
		o run -b "$B" --pid-file "$T/no/pid" "$ID"
	refused 'L8 X1: the same for run -d' 'write pid file' \
		o run -d -b "$B" --pid-file "$T/no/pid" "$ID"
	mkdir "$T/rel"
	(cd "$T/rel" && "$OCIRT" --root ../state --log log create -b "$B" \
		--pid-file pid "$ID" </dev/null)
	is 'relative paths count from where the caller is' \
		"$(cat "$T/rel/pid")" "$(pid "$ID")"
	o delete "$ID"
	before=$(mounts)
	for n in 1 2 3; do
		run run -b "$B" "$ID"
		is "L13: the same id, time $n" "$rc:$err" 0:
	done
	is 'L13 L8: no mount of the host has changed' "$(mounts)" "$before"
	check 'L13: nothing is left' nothing_left
}

pidfds
notifies
orphans
signals
handed_on
again
check 'nothing is left at the end' nothing_left
done_testing
