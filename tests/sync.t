#!/bin/sh
# Parent and child while a container is made: either may die, or be told to
# stop, at any moment. A hook that waits gives the moments. Needs root.
# shellcheck disable=SC2013,SC2119,SC2317
. tests/lib.sh
need_root

run()
{
	timeout 20 "$OCIRT" --root "$ROOT" "$@" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	err=$(cat "$T/err")
}

all_gone()
{
	for q; do
		gone "$q" || return 1
	done
}

# children PID: host pids of its children
children()
{
	grep -l "^PPid:[^0-9]*$1\$" /proc/[0-9]*/status 2>/dev/null |
		cut -d/ -f3
}

# family PID: all below it
family()
{
	for c in $(children "$1"); do
		echo "$c"
		family "$c"
	done
}

# procs: what is in the container's cgroups
procs()
{
	cgroups | while read -r d; do
		cat "$d/cgroup.procs" 2>/dev/null
	done | sort -un
}

# strangers: no process of $T/hook is left
strangers()
{
	! grep -qF -f "$T/pattern" /proc/[0-9]*/cmdline 2>/dev/null
}

mkfifo "$T/gate"
echo "$T/hook" >"$T/pattern"
cat >"$T/hook" <<END
echo up >"$T/up"
read -r x <"$T/gate"
END

# hang COMMAND MOMENT: COMMAND (create, run) waits in a hook; its pid is in
# $parent, those below it in $below, the container's first process in $child
hang()
{
	bundle
	config 's/"readonly": true/"readonly": false/'
	script ': >/canary; sleep 1000'
	config "s|^$(printf '\t')\"linux\": {|\"hooks\": { \"$2\": [ { \"path\": \
\"$BUSYBOX\", \"args\": [\"sh\", \"$T/hook\"] } ] }, &|"
	rm -f "$T/up" "$T/cmd.err"
	"$OCIRT" --root "$ROOT" "$1" -b "$B" --pid-file "$T/pid" "$ID" \
		>"$T/cmd.out" 2>"$T/cmd.err" </dev/null &
	parent=$!
	pids="$pids $parent"
	wait_for 5 test -s "$T/up" || not_ok "the $2 hook runs"
	below=$(family $parent)
	pids="$pids $below"
	child=$(for c in $(children $parent); do
		tr '\0' ' ' <"/proc/$c/cmdline" | grep -qF "$T/hook" || echo "$c"
	done)
}

# ---- the parent is killed: the child may not live on ----

for m in prestart createRuntime createContainer; do
	for c in create run; do
		hang $c $m
		like "$c, $m hook: there is a child" "$child" '^[0-9]+$'
		kill -9 "$parent"
		wait "$parent" 2>/dev/null
		check "$c, $m hook, parent killed: the child dies" \
			wait_for 5 gone "$child"
		run delete -f "$ID"
		is "$c, $m hook, parent killed: delete -f" "$rc:$err" 0:
		check "$c, $m hook, parent killed: nothing is left" \
			wait_for 5 nothing_left
		check "$c, $m hook, parent killed: the program never ran" \
			test ! -e "$B/rootfs/canary"
		for p in $below; do
			[ "$p" = "$child" ] || kill -9 "$p" 2>/dev/null
		done
		check "$c, $m hook, parent killed: no pid file" \
			test ! -e "$T/pid"
		rm -f "$T/pid"
	done
done

# ---- the parent is told to stop: it undoes all ----

for s in TERM INT HUP QUIT; do
	for m in createRuntime createContainer; do
		c=create
		[ $s = INT ] && c=run
		hang $c $m
		# A shell starts what it puts in the background with INT and QUIT
		# ignored; a signal that is waited for by descriptor still comes.
		kill -$s "$parent"
		await "$parent"
		rc=$?
		is "$s in $m hook: $c exits 1" "$rc" 1
		is "$s in $m hook: one line" \
			"$(wc -l <"$T/cmd.err" | tr -d ' ')" 1
		like "$s in $m hook: it says why" "$(cat "$T/cmd.err")" \
			'^ocirt: .*interrupted'
		check "$s in $m hook: nothing is left" wait_for 5 nothing_left
		# shellcheck disable=SC2086
		check "$s in $m hook: no process is left" \
			wait_for 5 all_gone $below
		check "$s in $m hook: no pid file, no program" \
			test ! -e "$T/pid" -a ! -e "$B/rootfs/canary"
	done
done

# ---- the child is killed: the parent says so and undoes all ----

for m in createRuntime createContainer; do
	hang create $m
	kill -9 "$child"
	wait_for 5 gone "$child"
	# a createRuntime hook is not disturbed by that; let it end
	[ $m = createContainer ] || echo >"$T/gate"
	await "$parent"
	rc=$?
	is "child killed in $m hook: exit 1" "$rc" 1
	is "child killed in $m hook: one line" \
		"$(wc -l <"$T/cmd.err" | tr -d ' ')" 1
	like "child killed in $m hook: it says so" "$(cat "$T/cmd.err")" \
		'killed by signal 9'
	check "child killed in $m hook: nothing is left" wait_for 5 nothing_left
	# shellcheck disable=SC2086
	check "child killed in $m hook: no process is left" \
		wait_for 5 all_gone $below
	check "child killed in $m hook: no pid file" test ! -e "$T/pid"
done

# ---- a failure and a signal at once: the failure is told ----

hang create createContainer
kill -STOP "$parent"
for p in $below; do
	[ "$p" = "$child" ] || kill -9 "$p"
done
# The hook is reaped by the container's first process, which then fails.
wait_for 5 gone "$child"
kill -TERM "$parent"
kill -CONT "$parent"
await "$parent"
is 'a failure and a signal at once: exit 1' $? 1
like 'a failure and a signal at once: the failure is told' \
	"$(cat "$T/cmd.err")" 'error running createContainer hook #0: signal: 9'
check 'a failure and a signal at once: nothing is left' wait_for 5 nothing_left

# ---- created, and its init dies before start ----

bundle
args '"sleep", "1000"'
run create -b "$B" "$ID"
p=$(pid "$ID")
kill -9 "$p"
wait_for 5 gone "$p"
run start "$ID"
is 'init killed before start: start ends at once' "$rc:$err" \
	"1:ocirt: start $ID: cannot start a container that has stopped"
run delete "$ID"
check 'init killed before start: delete leaves nothing' nothing_left

# A hook that fails, one that talks too much, one that does not read.
for m in prestart createRuntime createContainer startContainer poststart; do
	for c in create run; do
		[ "$c" = run ] || case $m in
		startContainer | poststart) continue ;;
		esac
		hook_text='echo no luck; exit 3'
		echo "$hook_text" >"$T/fail"
		mkdir -p "$B/rootfs/x"
		bundle
		config 's/"readonly": true/"readonly": false/'
		script ': >/canary; sleep 1000'
		cp "$T/fail" "$B/rootfs/fail"
		f=$T/fail
		b=$BUSYBOX
		[ $m = startContainer ] && f=/fail && b=/bin/busybox
		config "s|^$(printf '\t')\"linux\": {|\"hooks\": { \"$m\": [ { \
\"path\": \"$b\", \"args\": [\"sh\", \"$f\"] } ] }, &|"
		run $c -b "$B" "$ID"
		is "$c, failing $m hook: exit 1, one line" \
			"$rc $(wc -l <"$T/err" | tr -d ' ')" '1 1'
		like "$c, failing $m hook: it is named" "$err" \
			"error running $m hook #0: exit status 3, output: no luck"
		check "$c, failing $m hook: nothing is left" \
			wait_for 5 nothing_left
		[ $m = poststart ] ||
			check "$c, failing $m hook: the program never ran" \
				test ! -e "$B/rootfs/canary"
	done
done
check 'no hook of this test is left' wait_for 5 strangers

done_testing
