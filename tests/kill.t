#!/bin/sh
# Signals, ends and exit codes: kill by number and name, --all, containers
# without a pid namespace, what run forwards and returns, delete. Needs root.
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

all_gone()
{
	for q; do
		gone "$q" || return 1
	done
}

# procs: host pids in the container's cgroup, from the kernel
procs()
{
	cgroups | while read -r d; do
		cat "$d/cgroup.procs" 2>/dev/null
	done | sort -un
}

nprocs()
{
	[ "$(procs | grep -c .)" = "$1" ]
}

has()
{
	grep -q "$1" "$T/bundle/rootfs/tmp/got"
}

bundle
config 's/"readonly": true/"readonly": false/'

# ---- signals reach init ----

script 'for s in HUP INT QUIT USR1 USR2 TERM WINCH CONT 34 40; do
	trap "echo $s >>/tmp/got" $s
done
: >/tmp/got
echo up >>/tmp/got
while :; do sleep 1000 & wait; done'
run run -d -b "$B" "$ID"
p=$(pid "$ID")
wait_for 5 has up
for s in HUP:1 INT:2 sigquit:QUIT:3 USR1:SIGUSR1:usr1:10 12:USR2 15:TERM \
	WINCH:28 CONT:18 RTMIN:34 RTMIN+6:40; do
	: >"$B/rootfs/tmp/got"
	for n in $(echo "$s" | tr : ' '); do
		case $n in
		sigquit | QUIT | 3) want=QUIT ;;
		*USR1 | usr1 | 10) want=USR1 ;;
		12 | USR2) want=USR2 ;;
		15 | TERM) want=TERM ;;
		1 | HUP) want=HUP ;;
		2 | INT) want=INT ;;
		28 | WINCH) want=WINCH ;;
		18 | CONT) want=CONT ;;
		RTMIN | 34) want=34 ;;
		*) want=40 ;;
		esac
		: >"$B/rootfs/tmp/got"
		run kill "$ID" "$n"
		check "OP-kill: kill $n reaches init" wait_for 5 has "^$want\$"
		is "kill $n is silent" "$rc:$out$err" 0:
	done
done
: >"$B/rootfs/tmp/got"
run kill "$ID"
check 'OP-kill: kill without a signal is TERM' wait_for 5 has '^TERM$'
: >"$B/rootfs/tmp/got"
run kill --all "$ID" USR1
check 'OP-kill: kill --all reaches init' wait_for 5 has '^USR1$'
run kill "$ID" KILL
check 'kill KILL ends it' wait_for 5 gone "$p"
is 'kill KILL: stopped' "$(status "$ID")" stopped
for s in 15 9 KILL 0; do
	run kill "$ID" $s
	is "L11 X5: kill $s of a stopped one" "$rc:$err" \
		"1:ocirt: kill $ID: container not running"
done
run delete "$ID"
check 'it leaves nothing' nothing_left

# A zombie init counts as stopped. Its parent, which does not wait, is a
# shell that became sleep.
args '"sleep", "1000"'
sh -c '"$@" </dev/null >/dev/null 2>&1; exec sleep 1000' - \
	"$OCIRT" --root "$ROOT" run -d -b "$B" "$ID" &
sleeper=$!
pids="$pids $sleeper"
wait_for 5 is_status "$ID" running
p=$(pid "$ID")
run kill "$ID" 9
check 'a dead init that nobody waits for: stopped' \
	wait_for 5 is_status "$ID" stopped
run delete "$ID"
is 'and can be deleted' "$rc:$err" 0:

# ---- ends ----

args '"sleep", "1000"'
run create -b "$B" "$ID"
p=$(pid "$ID")
run kill "$ID" KILL
check 'kill KILL of a created one' wait_for 5 gone "$p"
check 'it is stopped' wait_for 5 is_status "$ID" stopped
run start "$ID"
is 'it does not start' "$rc:$err" \
	"1:ocirt: start $ID: cannot start a container that has stopped"
run delete "$ID"
check 'its delete leaves nothing' nothing_left

run create -b "$B" "$ID"
p=$(pid "$ID")
run delete "$ID"
check 'L12: delete of a created one kills it' all_gone "$p"
run run -d -b "$B" "$ID"
p=$(pid "$ID")
run delete "$ID"
is 'L12: delete of a running one is refused' "$rc" 1
check 'and does nothing to it' test -d "/proc/$p/fd"
run delete -f "$ID"
is 'OP-delete-force: delete -f of a running one' "$rc:$out$err" 0:
check 'kills it' all_gone "$p"
check 'and leaves nothing' nothing_left
run delete -f "$ID"
is 'X15: delete -f a second time' "$rc:$out$err" 0:
run delete "$ID"
is 'X5: delete of none' "$rc:$err" \
	"1:ocirt: delete $ID: container does not exist"

# All that it started goes too.
script 'i=0
while [ $i -lt 8 ]; do i=$((i + 1)); (trap "" HUP TERM; sleep 1000 & wait) & done
wait'
run run -d -b "$B" "$ID"
check 'a container with children' wait_for 5 nprocs 17
all=$(procs)
run delete -f "$ID"
# shellcheck disable=SC2086
check 'OP-delete-force: delete -f: no process of it is left' all_gone $all
check 'delete -f: nothing is left' nothing_left

# ---- without a pid namespace of its own ----

config '/{$/{N;/"type": "pid"/{N;d;};}'
if [ "$(host_kind)" = none ]; then
	skip 'no pid namespace' 'no cgroup to find the processes by'
else
	script 'trap "" TERM; sleep 1000 & sleep 1000 & sleep 1000 & wait; wait'
	run run -d -b "$B" "$ID"
	is 'no pid namespace: it runs' "$rc:$err" 0:
	p=$(pid "$ID")
	is 'no pid namespace: it is in ours' \
		"$(readlink "/proc/$p/ns/pid")" "$(readlink /proc/self/ns/pid)"
	check 'no pid namespace: four processes' wait_for 5 nprocs 4
	all=$(procs)
	run kill "$ID" KILL
	is 'kill KILL' "$rc:$out$err" 0:
	# shellcheck disable=SC2086
	check 'OP-kill: no pid namespace: KILL kills the whole cgroup' \
		wait_for 5 all_gone $all
	run delete "$ID"
	check 'no pid namespace: delete leaves nothing' nothing_left

	# Only init is dead: what is left dies with --all, and by delete.
	for how in 'kill --all' 'delete' 'delete -f'; do
		run run -d -b "$B" "$ID"
		p=$(pid "$ID")
		wait_for 5 nprocs 4
		all=$(procs)
		[ "${p:-0}" -gt 1 ] && kill -9 "$p"
		check "$how: init is dead, three live on" wait_for 5 nprocs 3
		case $how in
		kill*) run kill --all "$ID" 9 ;;
		*) # shellcheck disable=SC2086
			run $how "$ID" ;;
		esac
		is "$how ends with 0" "$rc:$out$err" 0:
		# shellcheck disable=SC2086
		check "$how kills them" wait_for 5 all_gone $all
		o delete -f "$ID"
		check "$how: nothing is left" nothing_left
	done

	script 'for i in 1 2 3; do
		sh -c "trap \"echo x >>/tmp/got\" USR1; while :; do sleep 1000 & wait; done" &
	done
	trap "echo x >>/tmp/got" USR1
	: >/tmp/got
	while :; do sleep 1000 & wait; done'
	run run -d -b "$B" "$ID"
	wait_for 5 nprocs 8
	# their traps are set when they have started what they wait for
	run kill -a "$ID" USR1
	is '--all: signals all' "$rc:$err" 0:
	check '--all: all four have got it' wait_for 5 eval \
		'[ "$(grep -c x "$B/rootfs/tmp/got")" = 4 ]'
	all=$(procs)
	run delete -f "$ID"
	# shellcheck disable=SC2086
	check '--all: delete -f kills all' all_gone $all
fi
bundle
config 's/"readonly": true/"readonly": false/'

# ---- on a host without cgroups: by pid namespace ----

bare()
{
	hidden 1 timeout 20 "$OCIRT" --root "$ROOT" "$@" >"$T/out" 2>"$T/err" \
		</dev/null
	rc=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
}

script 'trap "echo x >>/tmp/got" USR1
for i in 1 2 3; do
	sh -c "trap \"echo x >>/tmp/got\" USR1; echo up >>/tmp/up
		while :; do sleep 1000 & wait; done" &
done
: >/tmp/got
while :; do sleep 1000 & wait; done'
rm -f "$B/rootfs/tmp/up"
edit 'del(.linux.resources)'
bare run -d -b "$B" "$ID"
is 'G9: it runs without cgroups' "$rc:$err" 0:
# four shells and four sleeps
check 'G9: ps lists what is in the pid namespace' wait_for 5 eval '
	bare ps -f json "$ID"; [ "$(echo "$out" | tr , "\n" | grep -c .)" = 8 ]'
wait_for 5 eval '[ "$(grep -c up "$B/rootfs/tmp/up")" = 3 ]'
all=$(echo "$out" | tr -d '[]' | tr , ' ')
bare kill --all "$ID" USR1
check 'G9: kill --all reaches all of it' wait_for 5 eval \
	'[ "$(grep -c x "$B/rootfs/tmp/got")" = 4 ]'
bare kill "$ID" KILL
# shellcheck disable=SC2086
check 'G9: kill KILL ends all of it' wait_for 5 all_gone $all
bare ps -f json "$ID"
is 'OP-ps: ps of a stopped one lists none' "$rc:$out:$err" '0:[]:'
bare ps "$ID"
is 'OP-ps: its table is a header' "$rc:$(wc -l <"$T/out" | tr -d ' '):$err" 0:1:
like 'OP-ps: with a column PID' "$out" '(^| )PID( |$)'
bare delete "$ID"
check 'nothing is left of it' nothing_left
bundle
config 's/"readonly": true/"readonly": false/'

# ---- ps as a table ----

args '"sleep", "1000"'
run run -d -b "$B" "$ID"
p=$(pid "$ID")
run ps "$ID"
is 'OP-ps: a header and a row' "$rc:$(wc -l <"$T/out" | tr -d ' '):$err" 0:2:
like 'OP-ps: the row is about the process' "$out" "(^| )$p .*sleep"
mkdir "$T/none"
out=$(PATH=$T/none o ps "$ID" 2>&1)
like 'OP-ps: also on a host without a program ps' \
	"$(echo "$out" | tr '\n' ' ')" "^PID +CMD +$p +sleep"
out=$(PATH=$T/none o ps "$ID" -o pid 2>&1)
like 'OP-ps: which cannot have arguments' "$out" 'no ps program'
out=$(o ps "$ID" -o comm 2>&1)
like 'OP-ps: a table without pids is of no use' "$out" \
	"couldn't find PID field in ps output"
run ps "$ID" -o comm,pid
is 'C4: options behind the id are those of ps' \
	"$rc $(printf '%s\n' "$out" | sed 1d | tr -s ' ')" "0 sleep $p"
run delete -f "$ID"

# ---- frozen from outside ----

args '"sleep", "1000"'
run run -d -b "$B" "$ID"
p=$(pid "$ID")
frozen=
for d in $(cgroups); do
	if [ -e "$d/cgroup.freeze" ] && [ "$(host_kind)" = v2 ]; then
		echo 1 >"$d/cgroup.freeze" && frozen=$d
	elif [ -e "$d/freezer.state" ]; then
		echo FROZEN >"$d/freezer.state" && frozen=$d
	fi
done
if [ -n "$frozen" ]; then
	run delete -f "$ID"
	is 'delete -f of a frozen one' "$rc:$err" 0:
	check 'it is dead' gone "$p"
	if [ -e "$frozen/freezer.state" ]; then
		echo THAWED >"$frozen/freezer.state"
		wait_for 5 gone "$p"
	fi
else
	skip 'delete -f of a frozen one' 'no freezer here'
fi
run delete -f "$ID"
check 'nothing of it is left' nothing_left

# ---- what run returns ----

cat >"$B/rootfs/code" <<'END'
read -r n
exit "$n"
END
args '"sh", "/code"'
miss=
for n in 0 1 2 3 42 63 64 100 125 126 127 128 129 130 137 143 200 254 255; do
	echo $n | timeout 20 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" >/dev/null 2>&1
	rc=$?
	[ $rc = $n ] || miss="$miss $n:$rc"
done
is "OP-run C9: run returns the program's status" "$miss" ''
cat >"$B/rootfs/code" <<'END'
read -r n
# not pid 1, which the kernel protects from its own signals
sh -c 'kill -$0 $$' "$n"
exit $?
END
miss=
for n in 1 2 6 9 15; do
	echo $n | timeout 20 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" >/dev/null 2>&1
	rc=$?
	[ $rc = $((128 + n)) ] || miss="$miss $n:$rc"
done
is 'and 128+n through a shell' "$miss" ''

# run forwards what it gets
script 'for s in HUP INT QUIT USR1 USR2 TERM; do trap "echo $s >>/tmp/got" $s; done
trap "exit 33" 40
: >/tmp/got
echo up >>/tmp/got
while :; do sleep 1000 & wait; done'
rm -f "$B/rootfs/tmp/got"
"$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 &
runner=$!
pids="$pids $runner"
wait_for 5 has up
for s in HUP INT QUIT USR1 USR2 TERM; do
	kill -$s $runner
	check "OP-run: run forwards $s" wait_for 5 has "^$s\$"
done
kill -WINCH $runner
kill -CHLD $runner
kill -URG $runner
check 'run still runs' kill -0 $runner
kill -40 $runner
await $runner
is 'run ends with the status of the program' $? 33
check 'nothing is left' nothing_left

args '"sleep", "1000"'
for s in 9 15; do
	"$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 &
	runner=$!
	pids="$pids $runner"
	wait_for 5 is_status "$ID" running
	p=$(pid "$ID")
	# sleep is pid 1: TERM has no effect on it from inside, KILL has
	run kill "$ID" 9
	await $runner
	is "run of a killed program is 137" $? 137
	check 'nothing is left' nothing_left
done
"$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null >/dev/null 2>&1 &
runner=$!
pids="$pids $runner"
wait_for 5 is_status "$ID" running
run delete -f "$ID"
is 'delete -f of a foreground run' "$rc:$err" 0:
await $runner
is 'the run ends with 137' $? 137
check 'nothing is left' nothing_left

done_testing
