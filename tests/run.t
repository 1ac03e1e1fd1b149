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

pidfds
done_testing
