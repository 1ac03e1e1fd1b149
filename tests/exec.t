#!/bin/sh
# exec: a second process in a container. Namespaces and cgroups as the kernel
# shows them from outside, ids, capabilities, environment, status. Needs root.
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_root

run()
{
	timeout 20 "$OCIRT" --root "$ROOT" "$@" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	out=$(cat "$T/out")
	err=$(cat "$T/err")
}

# fails 'sentence' PATTERN ARGS...: 255, one line that matches
fails()
{
	what=$1 pattern=$2
	shift 2
	run exec "$@"
	like "$what" "$rc $(wc -l <"$T/err" | tr -d ' ') $err" "^255 1 .*$pattern"
}

# field NAME: of /proc/self/status in $out
field()
{
	printf '%s\n' "$out" | sed -n "s/^$1:[^0-9a-f]*//p"
}

written()
{
	test -s "$1"
}

bundle
config 's/"readonly": true/"readonly": false/'
args '"sleep", "1000"'
mkdir "$B/rootfs/home" "$B/rootfs/work"
printf 'root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n' \
	>"$B/rootfs/etc/passwd"
run run -d -b "$B" "$ID"
init=$(pid "$ID")

# ---- where it is ----

run exec -d --pid-file "$T/pid" "$ID" sleep 1000
is 'E9: exec -d returns 0 and says nothing' "$rc:$out$err" 0:
p=$(cat "$T/pid")
like 'X1: its pid file is a pid' "$p" '^[0-9]+$'
is 'X1: without a newline' "$(wc -l <"$T/pid" | tr -d ' ')" 0
check 'it runs the program' wait_for 5 grep -q sleep "/proc/$p/cmdline"
for n in pid net ipc uts mnt user cgroup time; do
	[ -e "/proc/$init/ns/$n" ] || continue
	is "E5: it is in the $n namespace of init" "$(readlink "/proc/$p/ns/$n")" \
		"$(readlink "/proc/$init/ns/$n")"
done
unlike 'which is not ours' "$(readlink "/proc/$p/ns/mnt")" \
	"^$(readlink /proc/self/ns/mnt | sed 's/[][]/./g')\$"
is 'E5: its root is that of init' "$(stat -L -c %d:%i "/proc/$p/root")" \
	"$(stat -L -c %d:%i "/proc/$init/root")"
is 'E5: it is in the cgroups of init' "$(cat "/proc/$p/cgroup")" \
	"$(cat "/proc/$init/cgroup")"
if [ "$(host_kind)" = none ]; then
	skip 'which are not ours' 'no cgroups here'
else
	unlike 'which are not ours' "$(cat "/proc/$p/cgroup")" \
		"$(sed -n '$s/^[0-9]*:[^:]*:/:/p' /proc/self/cgroup)\$"
fi
is 'its session is its own' \
	"$(sed 's/.*) //' "/proc/$p/stat" | cut -d' ' -f4)" "$p"
for f in oom_score_adj limits; do
	is "E5: its $f is that of init" "$(cat "/proc/$p/$f")" \
		"$(cat "/proc/$init/$f")"
done
is 'it is no child of ours that lingers' \
	"$(sed -n 's/^PPid:[^0-9]*//p' "/proc/$p/status" | grep -c "^$$\$")" 0
mask='^(Cap|NoNewPrivs|Seccomp|Uid|Gid|Groups|SigBlk|SigIgn)'
is 'E5: its credentials are those of init' \
	"$(grep -E "$mask" "/proc/$p/status")" \
	"$(grep -E "$mask" "/proc/$init/status")"
run ps -f json "$ID"
like 'OP-ps: ps lists it' "$out" "[[,]${p}[],]"
kill -9 "$p"
check 'its end does not touch the container' is_status "$ID" running

# ---- the program's end ----

miss=
for n in 0 1 2 7 42 126 127 128 254 255; do
	run exec "$ID" sh -c "exit $n"
	[ "$rc:$err" = "$n:" ] || miss="$miss $n:$rc:$err"
done
is "E9 C9: exec returns the program's status" "$miss" ''
for n in 1 9 15; do
	run exec "$ID" sh -c "kill -$n \$\$"
	is "E9 C9: a program killed by $n is $((128 + n))" "$rc" $((128 + n))
done
fails 'C9 X6: a program that is not there' 'no such file or directory' "$ID" /none
fails 'X6 P5: a program that $PATH has not' 'executable file not found in \$PATH' \
	"$ID" none
fails 'X6: a program that is a directory' 'permission denied' "$ID" /etc
fails 'X6: a program that is no program' 'permission denied' "$ID" /etc/passwd
fails 'E3: no program' 'exec args cannot be empty' "$ID"
run exec -d "$ID" /none
is 'C9 E9: exec -d of none fails too' "$rc" 255
run exec "$ID" echo to stdout
is 'X9: stdout is ours' "$rc:$out:$err" '0:to stdout:'
run exec "$ID" sh -c 'echo x >&2'
is 'stderr is ours' "$rc:$out:$err" '0::x'
is 'stdin is ours' "$(echo word | o exec "$ID" cat)" word

# ---- environment, directory ----

run exec "$ID" env
is 'E2: the environment is that of config.json' \
	"$(printf '%s\n' "$out" | grep -v '^HOME=' | sort | cut -d= -f1 |
		tr '\n' ' ')" 'PATH TERM '
CANARY=secret run exec "$ID" env
unlike 'V5: ours does not go in' "$out" CANARY
run exec -e A=1 --env B=x,y --env=C= -e TERM=dumb -e A=2 "$ID" env
is 'E2 C3: --env adds, the last one wins, commas stay' \
	"$(printf '%s\n' "$out" | grep -E '^(A|B|C|TERM)=' | sort | tr '\n' ' ')" \
	'A=2 B=x,y C= TERM=dumb '
fails 'V5: --env without =' 'NAME=VALUE' -e bad "$ID" true
unlike 'a secret value is not printed' "$err" 'secret'
run exec --cwd /work "$ID" pwd
is 'E2: --cwd' "$rc:$out" 0:/work
run exec "$ID" pwd
is 'without it the one of config.json' "$rc:$out" 0:/
fails 'E3: --cwd must be absolute' 'absolute' --cwd work "$ID" true
ln -s /proc/self/fd "$B/rootfs/fds"
n=3
while [ $n -lt 12 ]; do
	run exec --cwd /proc/self/fd/$n "$ID" sh -c 'cat ../../../../etc/shadow; ls /'
	case $rc:$out in
	255:*) ;;
	*) diag "--cwd /proc/self/fd/$n gives $rc: $out"
		printf '%s\n' "$out" | grep -q '^script\|^work' || break ;;
	esac
	n=$((n + 1))
done
is '--cwd through our descriptors leads nowhere' $n 12

# ---- who it is ----

run exec "$ID" cat /proc/self/status
is 'uid and gid of config.json' "$(field Uid):$(field Gid)" \
	"$(printf '0\t0\t0\t0:0\t0\t0\t0')"
run exec -u 1000 "$ID" cat /proc/self/status
is 'E2: -u UID keeps the gid' "$(field Uid):$(field Gid)" \
	"$(printf '1000\t1000\t1000\t1000:0\t0\t0\t0')"
run exec --user=1000:50 -g 7 -g 8 "$ID" cat /proc/self/status
is 'E2 C3: -u UID:GID and -g' "$(field Uid):$(field Gid):$(field Groups)" \
	"$(printf '1000\t1000\t1000\t1000:50\t50\t50\t50:7 8 ')"
is 'an ordinary user has no effective capability' \
	"$(field CapEff):$(field CapPrm)" 0000000000000000:0000000000000000
run exec -u 4294967294 "$ID" cat /proc/self/status
like 'the highest uid' "$rc $(field Uid)" '^0 4294967294'
lf='
'
for u in '' : 1: :1 +1 ' 1' '1 ' 01 0x1 -1 4294967295 4294967296 1:2:3 1e3 \
	"1$lf" root 1:root 1:-1 1:4294967295 1.5 99999999999999999999; do
	run exec --user "$u" "$ID" cat /proc/self/status
	[ "$u" != "1$lf" ] || u='1 and a newline'
	case $rc:$out in
	255:) ok "--user '$u' is refused" ;;
	*) not_ok "--user '$u' is refused"
		diag "exit $rc, Uid $(field Uid)" ;;
	esac
done
for g in '' -1 4294967295 x 1,2; do
	run exec -g "$g" "$ID" true
	is "--additional-gids '$g' is refused" "$rc" 255
done

# ---- capabilities (CVE-2022-29162) ----

zero=0000000000000000
run exec "$ID" cat /proc/self/status
is 'capabilities of config.json' \
	"$(field CapInh) $(field CapPrm) $(field CapEff) $(field CapBnd) $(field CapAmb)" \
	"$zero 0000000020000420 0000000020000420 0000000020000420 $zero"
run exec --cap CAP_NET_RAW "$ID" cat /proc/self/status
is 'E2: --cap adds to permitted, effective and bounding only' \
	"$(field CapInh) $(field CapPrm) $(field CapEff) $(field CapBnd) $(field CapAmb)" \
	"$zero 0000000020002420 0000000020002420 0000000020002420 $zero"
run exec -u 1000 --cap CAP_NET_RAW "$ID" cat /proc/self/status
is '--cap to a user: nothing inheritable, nothing ambient' \
	"$(field CapInh) $(field CapAmb)" "$zero $zero"
run exec -c CAP_NO_SUCH "$ID" cat /proc/self/status
is 'a capability that is none is not granted' "$(field CapPrm)" \
	0000000020000420
is 'no_new_privs of config.json' "$(field NoNewPrivs)" 1

# ---- a process file ----

process()
{
	echo "{\"args\": [$1], \"cwd\": \"/work\", \"env\": [\"PATH=/bin\", \"F=1\"],
\"user\": {\"uid\": 1000, \"gid\": 50, \"additionalGids\": [9]}$2}" >"$T/process.json"
}
process '"cat", "/proc/self/status"' ', "noNewPrivileges": true'
run exec --process "$T/process.json" "$ID"
is 'E6: --process: user' "$rc $(field Uid):$(field Gid):$(field Groups)" \
	"$(printf '0 1000\t1000\t1000\t1000:50\t50\t50\t50:9 ')"
is 'E6: --process without capabilities: the bounding set of config.json' \
	"$(field CapBnd)" 0000000020000420
process '"sh", "-c", "pwd; echo $F$TERM"'
run exec -p "$T/process.json" --cwd / -e F=2 -u 0 "$ID"
is 'E1 E6: --process: cwd and env are its own, other options do not count' \
	"$rc:$out" "0:/work
1"
process '"true"' ', "oomScoreAdj": 5, "rlimits": []'
run exec -p "$T/process.json" "$ID"
is 'E1 E5: --process in the form that engines write' "$rc:$err" 0:
for bad in '' '{' '[]' '{"args":[]}' '{"args":["true"]}' \
	'{"args":["true"],"cwd":"x"}' '{"args":["true"],"cwd":"/","user":{"uid":-1}}'; do
	printf '%s' "$bad" >"$T/process.json"
	fails "E3: a process file of '$bad'" '.' --process "$T/process.json" "$ID"
done
fails 'a process file that is not there' 'no such file' \
	--process "$T/none" "$ID"
mkfifo "$T/fifo"
fails 'a process file that is a FIFO' 'not a regular file' \
	--process "$T/fifo" "$ID"

# ---- descriptors ----

run exec "$ID" sh -c 'for f in /proc/self/fd/*; do [ -e $f ] && echo ${f##*/}; done'
is 'it has 0, 1 and 2' "$(printf '%s\n' "$out" | head -n 3 | tr '\n' ' ')" \
	'0 1 2 '
# The shell itself lists through one more.
fds='i=0; while [ $i -lt 30 ]; do [ -e /proc/$$/fd/$i ] && printf "$i "; i=$((i + 1)); done'
got=$(o exec "$ID" sh -c "$fds" 3</dev/null 4</dev/null 7</dev/null)
is 'P19 X11: none of those that we have open' "$got" '0 1 2 '
got=$(o exec --preserve-fds 2 "$ID" sh -c "$fds" 3</dev/null 4</dev/null \
	7</dev/null)
is 'V2: --preserve-fds 2: 3 and 4' "$got" '0 1 2 3 4 '
o exec --preserve-fds 2 "$ID" true 3</dev/null 4>&- >/dev/null 2>&1
is 'V2: --preserve-fds of one that is not open' $? 255
miss=
for n in 1 2 3 4 5 6; do
	got=$(o exec --preserve-fds $n "$ID" sh -c "$fds" 3>&- 2>/dev/null)
	[ -z "$got" ] || miss="$miss $n: it ran and has $got"
done
is '--preserve-fds does not pass descriptors of its own' "$miss" ''
run exec --preserve-fds x "$ID" true
is '--preserve-fds takes a number' "$rc" 255

# ---- console sockets, without one ----

fails 'E4: -d -t needs a console socket' 'without setting console socket' \
	-d -t "$ID" true
fails 'E4: a console socket without a terminal' 'cannot use console socket' \
	--console-socket "$T/none" -d "$ID" true
fails 'E4: a console socket with a terminal, in the foreground' \
	'cannot use console socket' --console-socket "$T/none" -t "$ID" true

# ---- cgroups below that of the container ----

fails 'E7: --cgroup cannot leave the container' 'leaves' \
	--cgroup ../.. "$ID" true
if [ "$(host_kind)" = none ]; then
	skip 'E7: --cgroup PATH' 'no cgroups here'
else
	fails 'E7: --cgroup of one that is not there' 'no such file' \
		--cgroup none "$ID" true
	for d in $(cgroups); do
		mkdir "$d/sub"
		for f in cpuset.cpus cpuset.mems; do
			[ ! -e "$d/tasks" ] || [ ! -e "$d/$f" ] ||
				cat "$d/$f" >"$d/sub/$f"
		done
	done
	run exec --cgroup sub "$ID" cat /proc/self/cgroup
	is 'E7: --cgroup PATH is below that of the container, everywhere' \
		"$rc $(printf '%s\n' "$out" | grep -vc '/sub$')" '0 0'
	run exec --cgroup=/sub/ -d --pid-file "$T/pid" "$ID" sleep 1000
	unlike 'E7: /sub/ is the same, and as the kernel sees it' \
		"$(grep -v ':.*/sub$' "/proc/$(cat "$T/pid")/cgroup")" .
	kill -9 "$(cat "$T/pid")"
	for c in sub/../.. sub/.. ..; do
		fails "E7: --cgroup $c is refused" leaves --cgroup $c "$ID" true
	done
	fails 'E7: two paths without controllers are refused' \
		'is not CONTROLLER' --cgroup sub --cgroup sub "$ID" true
	fails 'E7: a controller that is none is refused' \
		"no cgroup of a controller 'x'" --cgroup x:sub "$ID" true
	fails 'E7: no controller before the colon' 'is not CONTROLLER' \
		--cgroup :sub "$ID" true
fi
one=$(awk '/ - cgroup .*[ ,]freezer/ { print "freezer"; exit }' \
	/proc/self/mountinfo)
if [ -n "$one" ]; then
	run exec --cgroup freezer:sub "$ID" cat /proc/self/cgroup
	is 'E7: CONTROLLER:PATH is for that controller alone' \
		"$rc $(printf '%s\n' "$out" | grep '/sub$' |
			sed 's/^[0-9]*:\(.*\):.*/\1/')" '0 freezer'
	run exec --cgroup freezer,devices:sub --cgroup pids:sub "$ID" \
		cat /proc/self/cgroup
	is 'E7 C3: several controllers, and several --cgroup' \
		"$rc $(printf '%s\n' "$out" | grep '/sub$' | sort |
			sed 's/^[0-9]*:\(.*\):.*/\1/' | tr '\n' ' ')" \
		'0 devices freezer pids '
	fails 'E7: a controller that is given twice is refused' 'given twice' \
		--cgroup freezer:sub --cgroup freezer:sub "$ID" true
	fails 'E7: nor can it leave' leaves --cgroup freezer:../x "$ID" true
else
	skip 'E7: --cgroup CONTROLLER:PATH' 'no v1 freezer here'
fi
for d in $(cgroups | grep '/sub$'); do
	rmdir "$d"
done

# v2 refuses processes in a cgroup that has given its controllers away.
v2=$(awk '/ - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
d=$(cgroups | grep "^${v2:-none}/" | head -n 1)
if [ -n "$v2" ] && grep -qw pids "$d/cgroup.controllers"; then
	mkdir "$d/inner"
	while read -r p; do
		echo "$p" >"$d/inner/cgroup.procs"
	done <"$d/cgroup.procs"
	echo +pids >"$d/cgroup.subtree_control"
	run exec "$ID" cat /proc/self/cgroup
	like 'E5: where the cgroup is busy, it is where init is' \
		"$rc $err$(printf '%s\n' "$out" | grep ^0:)" '^0 0::.*/inner$'
	fails 'E7: but not where --cgroup names it' 'busy' \
		--cgroup / "$ID" true
	echo -pids >"$d/cgroup.subtree_control"
else
	skip 'E5: where the cgroup is busy, it is where init is' \
		'no v2 hierarchy with controllers here'
fi

# ---- no_new_privs off and on ----

o delete -f "$ID"
config 's/"noNewPrivileges": true/"noNewPrivileges": false/'
run run -d -b "$B" "$ID"
run exec "$ID" cat /proc/self/status
is 'no_new_privs is off where config.json has it off' "$(field NoNewPrivs)" 0
run exec --no-new-privs "$ID" cat /proc/self/status
is '--no-new-privs' "$(field NoNewPrivs)" 1
o delete -f "$ID"

# inheritable ones stay what config.json says
config 's/"bounding": \[/"inheritable": ["CAP_NET_RAW"], &/'
run run -d -b "$B" "$ID"
run exec -u 1000 --cap CAP_NET_RAW "$ID" cat /proc/self/status
is 'E2: --cap of one that config.json makes inheritable is ambient' \
	"$(field CapInh) $(field CapAmb)" "0000000000002000 0000000000002000"
run exec -u 1000 --cap CAP_SYS_ADMIN "$ID" cat /proc/self/status
is 'E2: --cap of another one is not' "$(field CapAmb)" "$zero"

# ---- killed on the way into the program ----

# dies 'sentence' STATUS PATTERN ARGS...: when the second process's first
# execve is its death (ocirt executes its own copy by execveat)
dies()
{
	dies_what=$1 dies_rc=$2 dies_pattern=$3
	shift 3
	timeout 20 strace -D -f -qq -o /dev/null -e trace=execve \
		-e inject=execve:signal=KILL:when=1 "$OCIRT" --root "$ROOT" \
		"$@" </dev/null >"$T/out" 2>"$T/err"
	rc=$?
	like "$dies_what" "$rc $(cat "$T/err")" "^$dies_rc .*$dies_pattern"
}

o delete -f "$ID"
bundle
args '"sleep", "1000"'
if command -v strace >/dev/null 2>&1; then
	dies 'L8: run -d of a program that is killed in execve fails' 1 \
		'killed by signal 9' run -d -b "$B" "$ID"
	check 'L8: and leaves nothing' nothing_left
	run run -d -b "$B" "$ID"
	dies 'E9: exec -d of one fails too' 255 \
		'killed by signal 9' exec -d "$ID" sleep 1000
	dies 'E9: and exec' 255 'killed by signal 9' exec "$ID" sleep 1000
	run exec -d "$ID" sh -c 'kill -9 $$'
	is 'E9: one that kills itself has run' "$rc:$err" 0:
	o delete -f "$ID"
	run create -b "$B" "$ID"
	p=$(pid "$ID")
	timeout 20 strace -qq -o /dev/null -e trace=execve \
		-e inject=execve:signal=KILL:when=1 -p "$p" 2>"$T/null" &
	pids="$pids $!"
	wait_for 5 grep -q '^TracerPid:[^0-9]*[1-9]' "/proc/$p/status"
	run start "$ID"
	like 'start of one fails' "$rc:$err" '^1:.*died before the program ran'
	o delete -f "$ID"
else
	skip 'a program that is killed in execve' 'no strace here'
fi

# ---- in containers of other kinds ----

# same KIND: what exec runs is in the same namespaces and root as init
same()
{
	run run -d -b "$B" "$ID"
	is "$1: run" "$rc:$err" 0:
	init=$(pid "$ID")
	run exec -d --pid-file "$T/pid" "$ID" sleep 1000
	is "$1: exec" "$rc:$err" 0:
	p=$(cat "$T/pid")
	miss=
	for n in pid net ipc uts mnt user cgroup time; do
		[ "$(readlink "/proc/$p/ns/$n")" = \
			"$(readlink "/proc/$init/ns/$n")" ] || miss="$miss $n"
	done
	is "E5: $1: the namespaces are those of init" "$miss" ''
	is "E5: $1: and the root directory" \
		"$(stat -L -c %d:%i "/proc/$p/root")" \
		"$(stat -L -c %d:%i "/proc/$init/root")"
	run exec --cwd /tmp "$ID" pwd
	is "$1: --cwd is inside" "$rc:$out:$err" 0:/tmp:
	run exec "$ID" sh -c 'exit 9'
	is "E9: $1: the status comes back" "$rc:$err" 9:
	run delete -f "$ID"
	# without cgroups and a pid namespace nothing tells what belongs to it
	if [ "$(host_kind)" != none ]; then
		check "$1: delete -f ends what exec began" wait_for 5 gone "$p"
	fi
}

for kind in pid network ipc uts; do
	bundle
	args '"sleep", "1000"'
	[ $kind != uts ] || edit 'del(.hostname)'
	without $kind
	same "without a $kind namespace"
done
bundle
args '"sleep", "1000"'
edit '.root.readonly = false | .mounts = []
	| del(.linux.maskedPaths, .linux.readonlyPaths)'
without mount
same 'without a mount namespace'
run run -d -b "$B" "$ID"
run exec "$ID" ls -d /bin/busybox "$B"
is 'E5: without a mount namespace: the host is out of sight' "$out" \
	/bin/busybox
run delete -f "$ID"
bundle
args '"sleep", "1000"'
edit '.linux.namespaces += [{type: "user"}]
	| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 2000}]
	| .linux.gidMappings = .linux.uidMappings'
chown -R 100000:100000 "$B/rootfs"
same 'in a user namespace'
run run -d -b "$B" "$ID"
run exec -u 5:6 -g 7 "$ID" cat /proc/self/status
is 'E2: in a user namespace: ids are those of the container' \
	"$rc $(field Uid):$(field Gid):$(field Groups)" \
	"$(printf '0 5\t5\t5\t5:6\t6\t6\t6:7 ')"
run exec -u 3000 "$ID" true
like 'in a user namespace: an id that is not mapped is an error' \
	"$rc:$err" '^255:.*3000'
run delete -f "$ID"
check 'nothing is left of these' nothing_left

# ---- created, stopped ----

bundle
args '"sleep", "1000"'
run create -b "$B" "$ID"
run exec "$ID" sh -c 'cat /proc/1/cmdline | tr "\0" " "; exit 9'
is 'OP-exec L5: exec in a created container' "$rc" 9
unlike 'its program does not run' "$out" sleep
run start "$ID"
is 'it can be started after that' "$rc:$err" 0:
init=$(pid "$ID")
"$OCIRT" --root "$ROOT" exec "$ID" sleep 1000 </dev/null >/dev/null 2>&1 &
e=$!
pids="$pids $e"
wait_for 5 eval '[ "$(o ps -f json "$ID" | tr , "\n" | grep -c .)" = 2 ]'
kill -9 "$init"
await $e
is "when init dies, so does the exec'd program: 137" $? 137
wait_for 5 is_status "$ID" stopped
fails 'exec in a stopped container' 'cannot exec in a stopped container$' \
	"$ID" true
run delete "$ID"
is 'it can be deleted' "$rc:$err" 0:
check 'nothing is left' nothing_left

# Killed, it takes its program along, and the container stays.
run run -d -b "$B" "$ID"
"$OCIRT" --root "$ROOT" exec "$ID" sh -c 'trap "exit 44" TERM; 
	while :; do sleep 1000 & wait; done' </dev/null >/dev/null 2>&1 &
e=$!
pids="$pids $e"
wait_for 5 eval '[ "$(o ps -f json "$ID" | tr , "\n" | grep -c .)" = 3 ]'
kill -TERM $e
await $e
is 'exec forwards signals' $? 44
check 'the container runs on' is_status "$ID" running
run delete -f "$ID"
check 'nothing is left at the end' nothing_left

done_testing
