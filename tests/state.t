#!/bin/sh
# A container's life as its state tells it: which operation works in which
# status, what state and list print, what a killed creator or a damaged
# state.json leaves, state roots. Needs root.
# shellcheck disable=SC2013,SC2119,SC2317
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

# does 'sentence' STATUS TEXT ARGS...: exits so, stderr is exactly
# "ocirt: COMMAND ID: TEXT", or nothing
does()
{
	what=$1 want=$2 text=$3
	shift 3
	run "$@"
	[ -z "$text" ] || text="ocirt: $1 $ID: $text"
	is "$what" "$rc:$err" "$want:$text"
}

# hook MOMENT FILE: a hook of $B that runs the shell script FILE
hook()
{
	config "s|^$(printf '\t')\"linux\": {|\"hooks\": { \"$1\": [ { \"path\": \
\"$BUSYBOX\", \"args\": [\"sh\", \"$2\"] } ] }, &|"
}

# kill9 PID: never a group, never what is not a number
kill9()
{
	[ "$1" -gt 1 ] 2>/dev/null && kill -9 "$1" 2>/dev/null
}

# hooks: host pids of the hooks that run $T/hook
hooks()
{
	grep -lF -f "$T/pattern" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3
}

no_hooks()
{
	[ -z "$(hooks)" ]
}

# creating MOMENT: a create that hangs in a hook of this moment; its pid is
# $creator
creating()
{
	bundle
	args '"sleep", "1000"'
	hook "$1" "$T/hook"
	rm -f "$T/up"
	"$OCIRT" --root "$ROOT" create -b "$B" "$ID" >"$T/create.out" 2>&1 \
		</dev/null &
	creator=$!
	pids="$pids $creator"
	wait_for 5 test -s "$T/up"
	pids="$pids $(hooks)"
}

# program PID: what it runs, as the kernel says
program()
{
	tr '\0' ' ' <"/proc/$1/cmdline"
}

bundle
# What the state says is compared in full: nothing in it may be degraded.
grep -q ' - cgroup .*devices' /proc/self/mountinfo ||
	config '/"resources": {/,/^\t\t},$/d'
args '"sleep", "1000"'
unset OCIRT_ROOT

# ---- operation and status ----

mkdir -m 700 "$ROOT"
for c in state start kill delete ps; do
	does "L14: none: $c" 1 'container does not exist' "$c" "$ID"
done
does 'none: exec' 255 'container does not exist' exec "$ID" true
does 'none: delete -f' 0 '' delete -f "$ID"
does 'none: kill -a' 1 'container does not exist' kill -a "$ID" KILL
run list
is 'OP-list: none: list has the header only' "$rc:$(printf '%s\n' "$out" | wc -l)" 0:1
run list -f json
is 'OP-list: none: list in JSON is null' "$rc:$out" 0:null
run list -q
is 'none: list -q is empty' "$rc:$out" 0:

does 'OP-create: none: create' 0 '' create -b "$B" "$ID"
is 'create prints nothing' "$out" ''
p=$(pid "$ID")
check 'created: its process is there' test -d "/proc/$p"
unlike 'L5: created: its program does not run' "$(program "$p")" sleep
run state "$ID"
is 'OP-state L2: created: state' "$rc $(printf '%s\n' "$out" |
	sed -n 's/.*"status": "\(.*\)".*/\1/p')" '0 created'
does 'created: create' 1 'container with given ID already exists' \
	create -b "$B" "$ID"
does 'created: run' 1 'container with given ID already exists' \
	run -b "$B" "$ID"
is 'created: it is still the same process' "$(pid "$ID")" "$p"
does 'created: exec' 0 '' exec "$ID" true
does 'created: kill' 0 '' kill "$ID" CONT
run ps -f json "$ID"
is 'OP-ps: created: ps' "$rc:$out" "0:[$p]"
run list
like 'OP-list: created: list' "$out" "^$ID  *$p  *created  *$B  *20[0-9T:.-]*Z  *root\$"
does 'created: delete' 0 '' delete "$ID"
check 'L12 OP-delete: created: delete has killed it' gone "$p"
check 'L13: created: delete leaves nothing' nothing_left

run create -b "$B" "$ID"
p=$(pid "$ID")
does 'created: start' 0 '' start "$ID"
check 'OP-start: started: the program runs' wait_for 5 \
	grep -q sleep "/proc/$p/cmdline"
run state "$ID"
like 'OP-state L2: running: state' "$rc $out" '"status": "running"'
does 'running: start' 1 'cannot start an already running container' start "$ID"
does 'running: create' 1 'container with given ID already exists' \
	create -b "$B" "$ID"
does 'running: run' 1 'container with given ID already exists' \
	run -b "$B" "$ID"
does 'running: delete' 1 \
	"cannot delete container $ID that is not stopped: running" delete "$ID"
does 'running: kill' 0 '' kill "$ID" CONT
does 'running: kill -a' 0 '' kill -a "$ID" CONT
does 'running: exec' 7 '' exec "$ID" sh -c 'exit 7'
run ps -f json "$ID"
is 'OP-ps: running: ps' "$rc:$out" "0:[$p]"
run list
like 'OP-list: running: list' "$out" "^$ID  *$p  *running  *$B "
check 'running: none of that has touched it' test -d "/proc/$p/fd/0" -o \
	-d "/proc/$p/fd"

# The shape of what is printed, as runc has it.
run state "$ID"
is 'L1: state: its members in their order' \
	"$(sed -n 's/^  "\([a-zA-Z]*\)": .*/\1/p' "$T/out" | tr '\n' ' ')" \
	'ociVersion id pid status bundle rootfs created owner '
is 'L1: state: its values' \
	"$(sed 's/20[0-9T:.-]*Z/TIME/' "$T/out")" "{
  \"ociVersion\": \"1.3.0\",
  \"id\": \"$ID\",
  \"pid\": $p,
  \"status\": \"running\",
  \"bundle\": \"$B\",
  \"rootfs\": \"$B/rootfs\",
  \"created\": \"TIME\",
  \"owner\": \"\"
}"
created=$(sed -n 's/.*"created": "\(.*\)".*/\1/p' "$T/out")
like 'state: created is a time to the nanosecond' "$created" \
	'^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{9}Z$'
is 'X13: state: it ends without a newline' "$(tail -c 1 "$T/out")" '}'
run list -f json
is 'OP-list: list in JSON is one line with the same' "$out" \
"[{\"ociVersion\":\"1.3.0\",\"id\":\"$ID\",\"pid\":$p,\"status\":\"running\",\
\"bundle\":\"$B\",\"rootfs\":\"$B/rootfs\",\"created\":\"$created\",\
\"owner\":\"root\"}]"
run list -q
is 'OP-list: list -q is the id' "$out" "$ID"
run list
is 'list: columns are 12 wide at least, and 3 apart' "$out" \
"$(printf '%-12s%-12s%-12s%-*sCREATED                          OWNER\n' \
	ID PID STATUS $((${#B} + 3)) BUNDLE)
$(printf '%-12s%-12s%-12s%s   %s   root' "$ID" "$p" running "$B" "$created")"

kill9 "$p"
check 'L2: killed: it is stopped' wait_for 5 is_status "$ID" stopped
run state "$ID"
like 'L1 OP-state: stopped: state has pid 0' "$out" '"pid": 0,'
does 'stopped: start' 1 'cannot start a container that has stopped' start "$ID"
does 'stopped: kill' 1 'container not running' kill "$ID" KILL
does 'stopped: kill -a' 0 '' kill -a "$ID" KILL
does 'stopped: create' 1 'container with given ID already exists' \
	create -b "$B" "$ID"
does 'stopped: exec' 255 'cannot exec in a stopped container' exec "$ID" true
run ps -f json "$ID"
like 'OP-ps: stopped: ps in JSON' "$rc:$out" '^0:(null|\[\])$'
run list
like 'OP-list: stopped: list' "$out" "^$ID  *0  *stopped  *$B "
does 'stopped: delete' 0 '' delete "$ID"
check 'L13 OP-delete: stopped: delete leaves nothing' nothing_left
does 'deleted: delete' 1 'container does not exist' delete "$ID"
does 'deleted: the id is free again' 0 '' create -b "$B" "$ID"
does 'created: delete -f' 0 '' delete -f "$ID"

# annotations, and an object of them in the state
config 's|"hostname"|"annotations": { "b": "2", "a": "x\\"y" }, &|'
run create -b "$B" "$ID"
run state "$ID"
like 'annotations stand before the owner' "$(tr -d '\n' <"$T/out")" \
	'"created": "[^"]*",  "annotations": \{ .*"a": "x\\"y".*\},  "owner"'
o delete "$ID"
bundle
args '"sleep", "1000"'

# ---- creating ----

mkfifo "$T/gate"
echo "$T/hook" >"$T/pattern"
cat >"$T/hook" <<END
echo up >"$T/up"
read -r x <"$T/gate"
END
for moment in prestart createRuntime createContainer; do
	creating $moment
	is "L2 H8: $moment hook: the status is creating" "$(status "$ID")" creating
	if [ $moment = createRuntime ]; then
		for c in start kill delete; do
			does "creating: $c" 1 'container is being created' \
				"$c" "$ID"
		done
		does 'creating: exec' 255 'container is being created' \
			exec "$ID" true
		does 'creating: create' 1 \
			'container with given ID already exists' \
			create -b "$B" "$ID"
		run list
		like 'creating: list' "$out" "^$ID .* creating "
		check 'creating: none of that has stopped it' \
			kill -0 "$creator"
	fi
	does "$moment hook: delete -f stops it" 0 '' delete -f "$ID"
	await "$creator"
	is "$moment hook: create has failed" $? 1
	is "$moment hook: and said so in one line" \
		"$(wc -l <"$T/create.out" | tr -d ' ')" 1
	check "$moment hook: nothing is left" nothing_left
	check "$moment hook: the hook is gone" wait_for 5 no_hooks
done

# A creator that is killed cannot undo anything; delete can.
for moment in createRuntime createContainer; do
	creating $moment
	kill -9 "$creator"
	wait "$creator" 2>/dev/null
	is "creator killed in its $moment hook: stopped" "$(status "$ID")" stopped
	does 'its start' 1 'cannot start a container that has stopped' \
		start "$ID"
	does 'its kill' 1 'container not running' kill "$ID"
	does 'delete works without -f' 0 '' delete "$ID"
	check 'delete leaves nothing' wait_for 5 nothing_left
	for p in $(hooks); do
		kill9 "$p"
	done
done

# ---- many at once ----

bundle
args '"sleep", "1000"'
i=0
while [ $i -lt 16 ]; do
	i=$((i + 1))
	{
		timeout 20 "$OCIRT" --root "$ROOT" create -b "$B" "$ID" >"$T/many.$i" 2>&1 </dev/null
		echo $? >"$T/rc.$i"
	} &
done
wait
is 'L3: of 16 creates of one id one wins' "$(cat "$T"/rc.* | grep -cx 0)" 1
is 'the others say that it exists' "$(cat "$T"/many.* | sort -u)" \
	"ocirt: create $ID: container with given ID already exists"
is 'L3: the winner is created' "$(status "$ID")" created
run ps -f json "$ID"
is 'there is one process' "$out" "[$(pid "$ID")]"
o delete "$ID"
check 'after its delete there is nothing' nothing_left

i=0
while [ $i -lt 8 ]; do
	i=$((i + 1))
	o create -b "$B" "$ID.$i" >/dev/null 2>&1 </dev/null &
done
wait
run list -q
is 'eight ids at once: all are there, sorted' "$out" \
	"$(for i in 1 2 3 4 5 6 7 8; do echo "$ID.$i"; done)"
i=0
while [ $i -lt 8 ]; do
	i=$((i + 1))
	o delete "$ID.$i" &
	o delete -f "$ID.$i" &
done
wait
check 'eight deleted twice at once: nothing is left' nothing_left

# ---- state.json damaged ----

o create -b "$B" "$ID.good" </dev/null
o create -b "$B" "$ID" </dev/null
p=$(pid "$ID")
is 'state.json is for its owner alone' "$(stat -c %a "$ROOT/$ID/state.json")" 600
is 'and so is its directory' "$(stat -c %a "$ROOT/$ID")" 700
kill9 "$p"
wait_for 5 is_status "$ID" stopped
cp "$ROOT/$ID/state.json" "$T/state.json"
size=$(wc -c <"$T/state.json")
n=0 miss=
while [ $n -lt "$size" ]; do
	[ -d "$ROOT/$ID" ] || mkdir -m 700 "$ROOT/$ID"
	head -c $n "$T/state.json" >"$ROOT/$ID/state.json"
	run list -q
	case $rc:$out in
	"0:$ID.good") ;;
	*) miss="$miss list at $n: $rc $out;" ;;
	esac
	run state "$ID"
	[ $rc = 1 ] || miss="$miss state at $n: $rc;"
	run start "$ID"
	[ $rc = 1 ] || miss="$miss start at $n: $rc;"
	run delete -f "$ID"
	[ $rc = 0 ] || miss="$miss delete -f at $n: $rc $err;"
	[ ! -e "$ROOT/$ID" ] || miss="$miss at $n something is left;"
	n=$((n + 10))
done
is 'state.json cut anywhere: list shows the others, delete -f recovers' \
	"$miss" ''

# The container itself, put back from the copy of its state.
restore()
{
	[ -d "$ROOT/$ID" ] || mkdir -m 700 "$ROOT/$ID"
	cp "$T/state.json" "$ROOT/$ID/state.json"
}
restore
echo '{"ociVersion":"1.3.0"' >"$ROOT/$ID/state.json"
run state "$ID"
like 'a damaged state has a cure' "$rc $err" \
	'^1 .*damaged \(hint: delete --force\)$'
run delete "$ID"
is 'delete without -f refuses what it cannot judge' "$rc" 1
restore
rm "$ROOT/$ID/state.json"
mkfifo "$ROOT/$ID/state.json"
check 'a FIFO in its place: list does not hang' timeout 5 \
	"$OCIRT" --root "$ROOT" list
check 'a FIFO in its place: delete -f removes it' timeout 5 \
	"$OCIRT" --root "$ROOT" delete -f "$ID"
check 'a FIFO in its place: it is removed' test ! -e "$ROOT/$ID"
rm -rf "${ROOT:?}/$ID"
restore
echo canary >"$T/canary"
ln -sf "$T/canary" "$ROOT/$ID/state.json"
o delete -f "$ID" 2>/dev/null
is 'a symlink in its place: what it names stays' "$(cat "$T/canary")" canary
mkdir -p "$T/victim"
cp "$T/state.json" "$T/victim/"
ln -s "$T/victim" "$ROOT/$ID"
run delete -f "$ID"
check 'a symlink in place of its directory is not followed' \
	test -e "$T/victim/state.json"
rm -rf "${ROOT:?}/$ID"

# A journal may name anything. sed SCRIPT on it, then kill and delete -f.
sleep 1000 &
sentinel=$!
pids="$pids $sentinel"
evil()
{
	restore
	sed -i "$2" "$ROOT/$ID/state.json"
	cmp -s "$T/state.json" "$ROOT/$ID/state.json" && not_ok "no change: $2"
	o kill -a "$ID" KILL >/dev/null 2>&1
	timeout 20 "$OCIRT" --root "$ROOT" delete -f "$ID" >/dev/null 2>&1
	check "$1" kill -0 $sentinel
	rm -rf "${ROOT:?}/$ID"
}
run state "$ID.good"
num='[0-9][0-9]*'
evil 'a recycled pid in the journal is not killed' \
	"s/\"pid\": *$num/\"pid\":$sentinel/"
for bad in 1 0 -1 4294967297 -$sentinel; do
	evil "pid $bad in the journal: the test lives" \
		"s/\"pid\": *$num/\"pid\":$bad/"
done
evil 'an owner in the journal is not killed when it is another' \
	"s/\"phase\": *\"[a-z]*\"/\"phase\":\"creating\"/
	s/\"ownerPid\": *$num/\"ownerPid\":$sentinel/"
mkdir -p "$T/notcgroup/sub"
evil 'cgroups outside of any cgroup file system' \
	"s|\"cgroups\": *\[\"[^\"]*\"|\"cgroups\":[\"$T/notcgroup\"|"
check 'are not removed' test -d "$T/notcgroup/sub"
for m in $(awk '$0 ~ / - cgroup2? / { print $5 }' /proc/self/mountinfo); do
	victim=$m
done
if [ -n "$victim" ]; then
	mkdir "$victim/${ID}v"
	evil 'a cgroup named with .. in the journal' \
	"s|\"cgroups\": *\[\"[^\"]*\"|\"cgroups\":[\"$victim/$ID/../${ID}v\"|"
	check 'is not removed' test -d "$victim/${ID}v"
	rmdir "$victim/${ID}v"
fi

# The real one again: what the journal names must go.
restore
does 'the state put back: delete' 0 '' delete "$ID"
o delete -f "$ID.good"
check 'nothing is left of either' nothing_left

# The process lives, but is another one by its start time.
o create -b "$B" "$ID" </dev/null
p=$(pid "$ID")
pids="$pids $p"
sed -i "s/\"startTime\": *$num/\"startTime\":1/" "$ROOT/$ID/state.json"
is 'L15: another start time: stopped' "$(status "$ID")" stopped
does 'another start time: kill' 1 'container not running' kill "$ID" KILL
check 'another start time: the process is not killed' test -d "/proc/$p"
o delete -f "$ID" >/dev/null 2>&1
kill9 "$p"
wait_for 5 gone "$p"
cgroups | while read -r d; do rmdir "$d"; done

# Of a running container whose journal is lost nothing is known; what is left
# then must be said.
o create -b "$B" "$ID" </dev/null
p=$(pid "$ID")
pids="$pids $p"
: >"$ROOT/$ID/state.json"
run delete -f "$ID"
if [ "$rc" = 0 ] && ! gone "$p" && [ -z "$err" ]; then
	not_ok 'delete -f without a journal: the process dies, or it is told'
else
	ok 'delete -f without a journal: the process dies, or it is told'
fi
kill9 "$p"
wait_for 5 gone "$p"
rm -rf "${ROOT:?}/$ID"
cgroups | while read -r d; do rmdir "$d"; done

# ---- the bundle after create; a pid for an id ----

o create -b "$B" "$ID" </dev/null
p=$(pid "$ID")
run state "$p"
is 'a pid for an id: the hint' "$rc:$err" \
"1:ocirt: state $p: container does not exist (hint: $p is the pid of '$ID')"
echo 'no JSON' >"$B/config.json"
does 'config.json changed after create: start' 0 '' start "$ID"
check 'B10: config.json changed after create: the old program runs' \
	wait_for 5 grep -q sleep "/proc/$p/cmdline"
run exec "$ID" env
like 'B10: config.json changed after create: exec has the old environment' \
	"$rc $out" '^TERM=xterm$'
rm "$B/config.json"
does 'no config.json: kill' 0 '' kill "$ID" KILL
wait_for 5 is_status "$ID" stopped
does 'no config.json: delete' 0 '' delete "$ID"
check 'no config.json: nothing is left' nothing_left
bundle

# ---- run in the foreground ----

script 'echo up >/dev/null; read x; exit 5'
mkfifo "$T/in"
o run -b "$B" "$ID" <"$T/in" >/dev/null 2>&1 &
runner=$!
pids="$pids $runner"
exec 9>"$T/in"
check 'a foreground run is running while it runs' \
	wait_for 5 is_status "$ID" running
run list -q
is 'and listed' "$out" "$ID"
does 'and cannot be made twice' 1 'container with given ID already exists' \
	run -b "$B" "$ID"
echo go >&9
exec 9>&-
await $runner
is 'OP-run C9: it ends with the status of the program' $? 5
check 'and leaves nothing' nothing_left

args '"sh", "-c", "exit 3"'
run run --keep -b "$B" "$ID"
is 'run --keep ends with the status' "$rc:$err" 3:
is 'OP-run: run --keep leaves it stopped' "$(status "$ID")" stopped
does 'run --keep: delete' 0 '' delete "$ID"
check 'run --keep: nothing is left' nothing_left
args '"sleep", "1000"'
does 'run -d returns' 0 '' run -d -b "$B" "$ID"
is 'OP-run: run -d: it is running' "$(status "$ID")" running
does 'run -d: delete -f' 0 '' delete -f "$ID"
check 'run -d: nothing is left' nothing_left
run run --pid-file "$T/no/dir/pid" -d -b "$B" "$ID"
is 'a pid file that cannot be written is an error' "$rc" 1
check 'L8: a pid file that cannot be written: nothing is left' nothing_left
run create --pid-file "$T/pid" -b "$B" "$ID"
is 'X1: the pid file is the pid and no newline' \
	"$(cat "$T/pid"; echo .)" "$(pid "$ID")."
o delete -f "$ID"

# ---- state roots ----

for m in 777 770 720; do
	mkdir -m $m "$T/r$m"
	run --root "$T/r$m" create -b "$B" "$ID"
	is "a root of mode $m is refused" "$rc" 1
	is "a root of mode $m stays empty" "$(ls -A "$T/r$m")" ''
	run --root "$T/r$m" list
	is "a root of mode $m is not listed" "$rc" 1
done
mkdir -m 700 "$T/other"
chown 1000 "$T/other"
run --root "$T/other" create -b "$B" "$ID"
is 'a root of another user is refused' "$rc" 1
mkdir -m 1777 "$T/sticky"
chmod 1777 "$T/sticky"
run --root "$T/sticky" create -b "$B" "$ID"
is 'a root that others can write to is refused, sticky or not' "$rc" 1
mkdir -m 700 "$T/mine" "$T/mine/$ID"
chown 1000 "$T/mine/$ID"
echo '{}' >"$T/mine/$ID/state.json"
run --root "$T/mine" delete -f "$ID"
check 'what another user put into a root is not ours' test -d "$T/mine/$ID"
(
	umask 000
	o --root "$T/deep/er/root" create -b "$B" "$ID" </dev/null
)
is 'a root is made, with all above it, for its owner alone' \
	"$(stat -c %a "$T/deep" "$T/deep/er" "$T/deep/er/root" \
		"$T/deep/er/root/$ID" | tr '\n' ' ')" '700 700 700 700 '
OCIRT_ROOT=$T/deep/er/root "$OCIRT" state "$ID" >"$T/out" 2>&1
like 'OCIRT_ROOT is looked in' "$(cat "$T/out")" '"status": "created"'
OCIRT_ROOT=$T/deep/er/root "$OCIRT" delete -f "$ID"
run --root "$T/deep/er/root" list -q
is 'and deleted from' "$rc:$out" 0:
run list -f xml
is 'list knows no other format' "$rc:$err" '1:ocirt: list: invalid format option'

# Nothing can be written where state goes: a foreground run does not need it.
if unshare -m true 2>/dev/null; then
	args '"sh", "-c", "echo it runs"'
	for d in /run /dev/shm; do
		[ -d $d ] && echo "mount -t tmpfs -o ro tmpfs $d"
	done >"$T/ro"
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount --make-rprivate / 2>/dev/null; . "$1"
		exec "$2" run -b "$3" "$4"' - "$T/ro" "$OCIRT" "$B" "$ID" \
		>"$T/out" 2>"$T/err" </dev/null
	is 'no writable state directory: run works' \
		"$?:$(cat "$T/out")" '0:it runs'
	is 'and says nothing unless asked' "$(cat "$T/err")" ''
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount --make-rprivate / 2>/dev/null; . "$1"
		exec "$2" --debug run -b "$3" "$4"' - "$T/ro" "$OCIRT" "$B" \
		"$ID" >"$T/out" 2>&1 </dev/null
	like 'with --debug it does' "$(cat "$T/out")" 'not listed'
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount --make-rprivate / 2>/dev/null; . "$1"
		exec "$2" create -b "$3" "$4"' - "$T/ro" "$OCIRT" "$B" "$ID" \
		>"$T/out" 2>&1 </dev/null
	is 'create needs one' $? 1
	like 'and says how to give it' "$(cat "$T/out")" 'hint: --root'
	check 'nothing is left' nothing_left
else
	skip 'no writable state directory: run works' 'no unshare -m here'
fi

done_testing
