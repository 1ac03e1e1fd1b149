#!/bin/sh
# pause and resume: the freezer as the kernel shows it (v1 freezer.state, v2
# cgroup.freeze and cgroup.events), the status paused, what each command does
# to a paused container, and hosts with one freezer or none. Needs root.
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

# says 'sentence' STATUS TEXT ARGS...: it fails so, in these very words
says()
{
	says_what=$1 says_rc=$2 says_text=$3
	shift 3
	run "$@"
	is "$says_what" "$rc:$out:$err" "$says_rc::ocirt: $1 $ID: $says_text"
}

# freezer: the file of the container's freezer, v1's where there are both
freezer()
{
	cgroups | while read -r d; do
		[ ! -e "$d/freezer.state" ] || echo "1 $d"
		[ ! -e "$d/cgroup.freeze" ] || echo "2 $d"
	done | sort | sed -n 1p
}

# frozen: the kernel says that all of the container stands still
frozen()
{
	f=$(freezer)
	case $f in
	1*) [ "$(cat "${f#* }/freezer.state")" = FROZEN ] ;;
	2*) grep -q '^frozen 1$' "${f#* }/cgroup.events" ;;
	*) return 1 ;;
	esac
}

# counts: the program's counter goes on (it writes ten times a second)
counts()
{
	wait_for 3 differs "$(cat "$B/rootfs/tmp/n")"
}

differs()
{
	differs_now=$(cat "$B/rootfs/tmp/n")
	[ -n "$differs_now" ] && [ "$differs_now" != "$1" ]
}

stands()
{
	stands_was=$(cat "$B/rootfs/tmp/n")
	sleep 0.4
	[ "$(cat "$B/rootfs/tmp/n")" = "$stands_was" ]
}

bundle
edit '.root.readonly = false'
script 'trap "echo hup >/tmp/hup" HUP
sleep 1000 & n=0
while :; do n=$((n + 1)); echo $n >/tmp/n; sleep 0.1; done'
run run -d -b "$B" "$ID"
if [ -z "$(freezer)" ]; then
	says 'G9: without a freezer pause names what is missing' 1 'the container has no cgroup with a freezer (hint: CONFIG_CGROUP_FREEZER and its v1 hierarchy, or cgroup v2 of Linux 5.2, must be there)' pause "$ID"
	done_testing
fi
wait_for 5 test -s "$B/rootfs/tmp/n"
p=$(pid "$ID")

# ---- there and back ----

run pause "$ID"
is 'OP-pause: pause succeeds and says nothing' "$rc:$out$err" 0:
check 'OP-pause: all of it is frozen when pause returns' frozen
check 'it does nothing any more' stands
is 'L16: its status is paused' "$(status "$ID")" paused
is 'and its pid is that of init' "$(pid "$ID")" "$p"
run list
like 'OP-list: list says so too' "$out" "^$ID +$p +paused "
run ps -f json "$ID"
like 'OP-ps: ps lists what is frozen' "$out" "[[,]${p}[],]"
run resume "$ID"
is 'OP-resume: resume succeeds and says nothing' "$rc:$out$err" 0:
check 'OP-resume: nothing is frozen then' eval '! frozen'
check 'it goes on' counts
is 'its status is running' "$(status "$ID")" running
says 'OP-resume: resume of a running one is refused' 1 'container not paused' resume "$ID"
for i in 1 2 3 4 5 6 7 8 9 10; do
	run pause "$ID"
	frozen || break
	run resume "$ID"
	[ "$rc" = 0 ] || break
done
is 'ten times pause and resume' "$i:$rc" 10:0
check 'it still goes on' counts

# ---- what a paused container lets do (the table of operations) ----

run pause "$ID"
says 'OP-pause: pause of a paused one is refused' 1 'container not running' pause "$ID"
says 'OP-start L9: start of a paused one is refused' 1 \
	'cannot start a container in the paused state' start "$ID"
says 'OP-exec: exec in a paused one is refused' 255 \
	'cannot exec in a paused container (use --ignore-paused to override)' \
	exec "$ID" true
says 'OP-delete L12: delete of a paused one is refused' 1 \
	"cannot delete container $ID that is not stopped: paused" delete "$ID"
says 'OP-create L3: create of the same id is refused' 1 \
	'container with given ID already exists' create -b "$B" "$ID"
check 'and all this left it frozen' frozen

# --ignore-paused: it waits in the cgroup until resume
"$OCIRT" --root "$ROOT" exec --ignore-paused "$ID" \
	sh -c 'echo exec >/tmp/exec; exit 7' </dev/null >"$T/null" 2>&1 &
e=$!
pids="$pids $e"
n=$(o ps -f json "$ID" | tr , '\n' | grep -c .)
check '--ignore-paused: the process enters the frozen cgroup' \
	wait_for 5 eval '[ "$(o ps -f json "$ID" | tr , "\n" | grep -c .)" -ge 4 ]'
check 'and nothing of it runs yet' test ! -e "$B/rootfs/tmp/exec"
run resume "$ID"
await $e
is 'OP-exec: after resume it runs' "$?:$(cat "$B/rootfs/tmp/exec")" 7:exec

# one that is told to stop while it waits leaves the container frozen
run pause "$ID"
n=$(o ps -f json "$ID" | tr , '\n' | grep -c .)
"$OCIRT" --root "$ROOT" exec --ignore-paused "$ID" true \
	</dev/null >"$T/null" 2>"$T/err" &
e=$!
pids="$pids $e"
wait_for 5 eval '[ "$(o ps -f json "$ID" | tr , "\n" | grep -c .)" -gt "$n" ]'
kill -TERM $e
await $e
is 'a waiting exec that is told to stop does' "$?:$(cat "$T/err")" \
	"255:ocirt: exec $ID: interrupted by a signal"
check 'and the container stays as frozen as it was' frozen
is 'without the process' \
	"$(o ps -f json "$ID" | tr , '\n' | grep -c .)" "$n"

# signals
run kill "$ID" HUP
is 'OP-kill: kill of a paused one succeeds' "$rc:$err" 0:
check 'and leaves it frozen' frozen
check 'so that the signal waits' test ! -e "$B/rootfs/tmp/hup"
run resume "$ID"
check 'until resume' wait_for 5 test -e "$B/rootfs/tmp/hup"
run pause "$ID"
run kill "$ID" KILL
is 'OP-kill L11: kill KILL of a paused one' "$rc:$err" 0:
check 'kills it: it is thawed' wait_for 5 gone "$p"
is 'it is stopped' "$(status "$ID")" stopped
says 'OP-pause: pause of a stopped one is refused' 1 'container not running' pause "$ID"
says 'OP-resume: resume too' 1 'container not paused' resume "$ID"
run delete "$ID"
is 'and can be deleted' "$rc:$err" 0:
check 'nothing is left' nothing_left
says 'OP-pause: pause of none' 1 'container does not exist' pause "$ID"
says 'OP-resume: resume of none' 1 'container does not exist' resume "$ID"

run run -d -b "$B" "$ID"
run pause "$ID"
all=$(o ps -f json "$ID" | tr -d '[]' | tr , ' ')
run delete -f "$ID"
is 'OP-delete-force L12: delete -f of a paused one' "$rc:$err" 0:
miss=
for q in $all; do
	gone "$q" || miss="$miss $q"
done
is 'no process of it is left' "$miss" ''
check 'nothing is left of it' nothing_left

# ---- created ----

run create -b "$B" "$ID"
run pause "$ID"
is 'OP-pause L16: a created one can be paused' "$rc:$err:$(status "$ID")" 0::paused
says 'and is not started then' 1 \
	'cannot start a container in the paused state' start "$ID"
run resume "$ID"
is 'OP-resume: after resume it is created again' "$rc:$(status "$ID")" 0:created
run start "$ID"
is 'and starts' "$rc:$(status "$ID")" 0:running
run delete -f "$ID"

# ---- a container in the foreground ----

script 'sleep 0.3; exit 5'
o run -b "$B" "$ID" </dev/null >"$T/null" 2>&1 &
e=$!
pids="$pids $e"
wait_for 5 is_status "$ID" running
run pause "$ID"
sleep 0.5
is 'a paused one in the foreground does not end' "$rc:$(status "$ID")" 0:paused
run resume "$ID"
await $e
is 'after resume it does' $? 5
check 'nothing is left of that' nothing_left

# ---- frozen by others ----

script 'while :; do sleep 0.1; done'
run run -d -b "$B" "$ID"
f=$(freezer)
case $f in
1*) echo FROZEN >"${f#* }/freezer.state" ;;
2*) echo 1 >"${f#* }/cgroup.freeze" ;;
esac
is 'one that others froze is paused' "$(status "$ID")" paused
run resume "$ID"
is 'and can be resumed' "$rc:$(status "$ID")" 0:running
run delete -f "$ID"

# Its cgroup is taken: create looks before it enters (L17).
d=${f#* }
mkdir "$d"
case $f in
1*) echo FROZEN >"$d/freezer.state" ;;
2*) echo 1 >"$d/cgroup.freeze" ;;
esac
run create -b "$B" "$ID"
like 'L17: a frozen cgroup is refused' "$rc:$err" \
	'^1:.*cgroup unexpectedly frozen'
rmdir "$d"

# ---- hosts with one freezer, and with none ----

# there ARGS...: ocirt on a host that $hide makes of this one
there()
{
	hidden "$hide" timeout 20 "$OCIRT" --root "$ROOT" "$@" \
		>"$T/out" 2>"$T/err" </dev/null
	rc=$?
	err=$(cat "$T/err")
}

both()
{
	there run -d -b "$B" "$ID"
	is "$host: run" "$rc:$err" 0:
	there pause "$ID"
	is "$host: pause" "$rc:$err" 0:
	is "$host: the kernel says so" "$(grep -x "$3" "$(cgroups |
		sed -n "\~$1~p" | sed 1q)/$2")" "$3"
	there state "$ID"
	like "$host: paused" "$(cat "$T/out")" '"status": "paused"'
	there resume "$ID"
	is "$host: resume" "$rc:$err" 0:
	there state "$ID"
	like "$host: running" "$(cat "$T/out")" '"status": "running"'
	there delete -f "$ID"
	is "$host: delete -f" "$rc:$err" 0:
}

v1_freezer=$(awk '/ - cgroup .*[ ,]freezer/ { print $5; exit }' \
	/proc/self/mountinfo)
v2=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
if [ -n "$v1_freezer" ]; then
	hide='t == "cgroup2"' host='v1 only'
	both "^$v1_freezer/" freezer.state FROZEN
else
	skip 'v1 only' 'no v1 freezer here'
fi
if [ -n "$v1_freezer$v2" ] && [ -n "$v2" ]; then
	hide='t == "cgroup" && s ~ /freezer/' host='v2 freezer'
	both "^$v2/" cgroup.events 'frozen 1'
else
	skip 'v2 freezer' 'no cgroup v2 here'
fi
hide='t == "cgroup2" || s ~ /freezer/' host='no freezer'
edit 'del(.linux.resources)'
there run -d -b "$B" "$ID"
there pause "$ID"
like 'G9: without a freezer pause says what is missing' "$rc:$err" \
	'^1:.*no cgroup with a freezer .*CONFIG_CGROUP_FREEZER'
there resume "$ID"
like 'and resume that it is not paused' "$rc:$err" '^1:.*container not paused'
there delete -f "$ID"
check 'nothing is left at the end' nothing_left

done_testing
