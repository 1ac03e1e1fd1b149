#!/bin/sh
# engine.t - engines call: their command lines, environments, descriptors and
# process trees as they were recorded, what they read from files and streams.
# Needs root.
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_root

PATH_=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
SHIM=$PWD/tests/bin/shim
L=$T/log.json
mkdir -m 700 "$ROOT"

# podman ARGS..., conmon ARGS..., ctrd ARGS...: with the environment that these
# give, and OCIRT_ROOT, so that the test stays by itself; rc, out, err
podman()
{
	env -i XDG_RUNTIME_DIR= OCIRT_ROOT="$ROOT" timeout 20 "$OCIRT" "$@" \
		>"$T/out" 2>"$T/err" </dev/null
	took $?
}

ctrd()
{
	(cd "$B" && env -i HOME=/root GOMAXPROCS=4 "PATH=$PATH_" timeout 20 \
		"$OCIRT" --root "$ROOT" --log "$L" --log-format json "$@" \
		>"$T/out" 2>&1 </dev/null)
	took $?
}

took()
{
	rc=$1
	out=$(cat "$T/out")
	err=$(cat "$T/err" 2>/dev/null)
}

# reads FILE FILTER: what an engine's JSON reader makes of it
reads()
{
	jq -r "$2" "$1" 2>&1
}

stopped()
{
	is_status "$ID" stopped
}

# shimmed COMMAND...: by tests/shim.c in the background; what it says is in
# $T/shim once it has seen the command end
shimmed()
{
	rm -f "$T/init.pid"
	"$SHIM" "$T/init.pid" "$@" >"$T/shim" 2>"$T/shim.err" </dev/null &
	shim=$!
	pids="$pids $shim"
	wait_for 10 grep -q '^rc ' "$T/shim"
}

# ---- every line that was recorded is understood ----

lines()
{
	miss=
	bundle
	sed -i 's/.*/no JSON/' "$B/config.json"
	while read -r line; do
		case $line in
		'#'* | '') continue ;;
		esac
		line=$(printf '%s' "$line" | sed "s|BUNDLE|$B|g; s|EXEC|$T|g
			s|ROOT|$ROOT|g; s|SOCK|$T/sock|g; s|FILE|$T/file|g
			s|ID|$ID|g")
		# shellcheck disable=SC2086
		podman $line
		case $rc:$err in
		0:) ;;
		1:*'does not exist' | 255:*'does not exist') ;;
		1:*config.json:1:1*) ;;
		1:*'cgroups made by systemd are not supported'*) ;;
		*) miss="$miss $line: $rc $err;" ;;
		esac
	done <tests/data/engines.txt
	is 'C1 C2 OP-global: the command lines of engines are understood' \
		"$miss" ''
	check 'they have left nothing' nothing_left
	rm -f "$B"/*log* "$T/oci-log"
}

# ---- podman and conmon ----

by_podman()
{
	bundle
	script 'trap "exit 7" TERM; echo up >&2; while :; do sleep 0.1; done'
	rm -f "$L"
	shimmed env -i XDG_RUNTIME_DIR= _CONTAINERS_USERNS_CONFIGURED= \
		_CONTAINERS_ROOTLESS_UID= _OCI_SYNCPIPE=3 _OCI_STARTPIPE=4 \
		HOME=/root "PATH=$PATH_" OCIRT_ROOT="$ROOT" "$OCIRT" \
		--log-format=json --log "$L" create --bundle "$B" \
		--pid-file "$T/init.pid" "$ID"
	is 'X8: create succeeds, and init is then a child of the subreaper' \
		"$(tr '\n' ' ' <"$T/shim")" "rc 0 child $(cat "$T/init.pid") "
	is 'X1: the pid file holds digits and nothing else' \
		"$(tr -d 0-9 <"$T/init.pid" | wc -c | tr -d ' ')" 0
	is 'X3: no word in the log, or on stderr, when all is well' \
		"$(cat "$L" "$T/shim.err")" ''
	podman state "$ID"
	is 'X14 X13: state, with next to no environment' \
		"$rc:$err $(reads "$T/out" .status) $(reads "$T/out" .pid)" \
		"0: created $(cat "$T/init.pid")"
	podman start "$ID"
	is 'X14: start says nothing' "$rc:$out$err" 0:
	check 'X9: the streams are those of create' \
		wait_for 5 grep -q '^up$' "$T/shim.err"

	cat >"$T/process" <<-'END'
	{"user":{"uid":0,"gid":0},"args":["sh","-c","exit 5"],
	"env":["PATH=/bin"],"cwd":"/","capabilities":{"bounding":["CAP_KILL"],
	"effective":["CAP_KILL"],"permitted":["CAP_KILL"]},"oomScoreAdj":0}
	END
	shimmed env -i XDG_RUNTIME_DIR= OCIRT_ROOT="$ROOT" "$OCIRT" \
		--log-format=json --log "$L" exec --pid-file "$T/init.pid" \
		--process "$T/process" --detach "$ID"
	await $shim
	like 'X8: exec of conmon: its process is a child, too, with its status' \
		"$(tr '\n' ' ' <"$T/shim")" '^rc 0 child [0-9]+ status 5 $'
	podman pause "$ID"
	is 'pause says nothing' "$rc:$out$err" 0:
	podman resume "$ID"
	is 'resume says nothing' "$rc:$out$err" 0:
	podman kill "$ID" 15
	is 'kill by number says nothing' "$rc:$out$err" 0:
	wait_for 5 stopped
	podman delete --force "$ID"
	is 'delete --force says nothing' "$rc:$out$err" 0:
	check 'podman: nothing is left' nothing_left

	# the status of the container is that of its init
	bundle
	args '"sh", "-c", "exit 9"'
	shimmed env -i OCIRT_ROOT="$ROOT" "$OCIRT" create --bundle "$B" \
		--pid-file "$T/init.pid" "$ID"
	podman start "$ID"
	await $shim
	like 'X8: the caller reaps init, and its status' \
		"$(tr '\n' ' ' <"$T/shim")" '^rc 0 child [0-9]+ status 9 $'
	podman kill "$ID" 9
	is 'X5: kill of one that has ended' "$rc $err" \
		"1 ocirt: kill $ID: container not running"
	podman kill --all "$ID" 9
	is 'X16: kill --all of one that has ended' "$rc:$out$err" 0:
	podman delete --force "$ID"
	podman delete --force "$ID"
	is 'X15: a second delete --force' "$rc:$out$err" 0:
	podman state "$ID"
	is 'L14: state of what is gone' "$rc:$out:$err" \
		"1::ocirt: state $ID: container does not exist"
}

# ---- what conmon's and the shim's descriptors may not do ----

descriptors()
{
	bundle
	script 'ls -l /proc/self/fd >/fds; sleep 1000'
	config 's/"readonly": true/"readonly": false/'
	cp "$SHIM" "$T/shim.bin"
	shimmed "$OCIRT" --root "$ROOT" run -d --bundle "$B" \
		--pid-file "$T/init.pid" "$ID"
	wait_for 5 grep -q ' 2 -> ' "$B/rootfs/fds"
	is 'X11: a socket that the shim leaks at 3 is not in the container' \
		"$(grep -c socket: "$B/rootfs/fds")" 0
	like 'X11: there is nothing but 0, 1, 2 and what ls opens' \
		"$(sed -n 's/.* \([0-9]*\) -> .*/\1/p' "$B/rootfs/fds" |
			sort -n | tr '\n' ' ')" '^0 1 2 (3 )?$'
	is 'P19 X11: and init has no other' "$(find "/proc/$(pid "$ID")/fd" \
		-type l | sed 's/.*\///' | grep -vx '[012]' | grep -vx 10)" ''
	o kill "$ID" KILL
	await $shim
	like 'X8: killed: the shim sees it' "$(tail -n 1 "$T/shim")" \
		'^status 137$'
	o delete "$ID"

	# A caller that waits for the end of what we print must not wait for init.
	args '"sleep", "1000"'
	exec 5>&1
	begin=$(date +%s)
	timeout 10 "$OCIRT" --root "$ROOT" create -b "$B" "$ID" </dev/null \
		>"$T/null" 2>"$T/null"
	words=$(timeout 10 "$OCIRT" --root "$ROOT" start "$ID" 2>&1)
	is 'X9: the output of start ends with start' \
		"$words $(($(date +%s) - begin < 8))" ' 1'
	o delete -f "$ID"

	script 'cat; echo to stdout; echo to stderr >&2'
	printf 'from stdin\n' >"$T/in"
	"$OCIRT" --root "$ROOT" create -b "$B" "$ID" <"$T/in" >"$T/1" 2>"$T/2"
	is 'X9: create neither reads stdin nor writes to stdout' \
		"$(cat "$T/1" "$T/2")" ''
	o start "$ID" </dev/null
	wait_for 5 stopped
	is 'X9: the streams of create are those of the program' \
		"$(cat "$T/1"):$(cat "$T/2")" \
		'from stdin
to stdout:to stderr'
	o delete "$ID"
}

# ---- containerd's shim ----

by_containerd()
{
	bundle
	script 'trap "exit 3" TERM; while :; do sleep 0.1; done'
	rm -f "$L"
	ctrd create --bundle "$B" --pid-file "$B/init.pid" "$ID"
	is 'shim: create' "$rc:$out" 0:
	p=$(cat "$B/init.pid")
	if [ "$(host_kind)" != none ]; then
		like 'X19: it is in its cgroup when create returns' \
			"$(cat "/proc/$p/cgroup")" "$ID"
	fi
	ctrd start "$ID"
	is 'shim: start' "$rc:$out" 0:
	ctrd ps --format json "$ID"
	is 'shim: stdout and stderr together are JSON' \
		"$(reads "$T/out" '.[0]')" "$p"
	ctrd state "$ID"
	is 'shim: state, too, is one object' "$(reads "$T/out" '[.id, .status,
		.pid, .bundle, .rootfs] | @text')" \
		"[\"$ID\",\"running\",$p,\"$B\",\"$B/rootfs\"]"
	like 'X4: created is a time' "$(reads "$T/out" \
		'.created | sub("\\..*"; "Z") | fromdate')" '^[0-9]+$'
	ctrd list --format=json
	is 'shim: list' "$(reads "$T/out" '.[].id')" "$ID"
	ctrd exec --process "$T/process" --detach --pid-file "$B/e1.pid" "$ID"
	is 'shim: exec' "$rc:$out" 0:
	ctrd pause "$ID"
	ctrd state "$ID"
	is 'L2: paused' "$(reads "$T/out" .status)" paused
	ctrd resume "$ID"
	ctrd delete "$ID"
	is 'L12: delete of a running one' "$rc:$out" \
		"1:ocirt: delete $ID: cannot delete container $ID that is not stopped: running"
	is 'X3 X4: the log holds one object, as the engine reads it' \
		"$(reads "$L" '[.level, .msg, (.time | fromdate | type)] | @text')" \
		"[\"error\",\"delete $ID: cannot delete container $ID that is not stopped: running\",\"number\"]"
	ctrd kill "$ID" 15
	wait_for 5 stopped
	ctrd kill --all "$ID" 9
	is 'X16: kill --all behind the end' "$rc:$out" 0:
	ctrd delete "$ID"
	is 'shim: delete' "$rc:$out" 0:
	ctrd delete "$ID"
	like 'X5: a second one' "$rc $out" 'does not exist$'
	ctrd delete --force "$ID"
	is 'X15: delete --force behind it' "$rc:$out" 0:
	check 'shim: nothing is left' nothing_left
	rm -f "$L"

	# shared pid namespace: --all is what ends the others
	if [ "$(host_kind)" != none ]; then
		bundle
		without pid
		args '"sh", "-c", "sleep 1000 & exit 0"'
		ctrd create --bundle "$B" --pid-file "$B/init.pid" "$ID"
		ctrd start "$ID"
		wait_for 5 stopped
		ctrd ps --format json "$ID"
		q=$(reads "$T/out" '.[0]')
		pids="$pids $q"
		ctrd kill --all "$ID" 9
		is 'X16: kill --all when init has gone: 0' "$rc:$out" 0:
		check 'X16: and what was left of it is dead' wait_for 5 gone "$q"
		ctrd delete "$ID"
		check 'L13: nothing is left' nothing_left
	fi
}

# ---- a program that cannot be run ----

# blames 'sentence' ARGS PATTERN: create fails, and says so in the log and on
# stderr alike
blames()
{
	bundle
	: >"$B/rootfs/bin/plain"
	args "$2"
	rm -f "$L"
	ctrd create --bundle "$B" --pid-file "$B/init.pid" "$ID"
	like "X6 X7: $1: create says so" "$rc $out" "^1 ocirt: .*$3"
	is "X2 X3: $1: in the log and on stderr alike" \
		"$(reads "$L" .msg)" "${out#ocirt: }"
	check "$1: nothing is left" nothing_left
	check "$1: no pid file" test ! -e "$B/init.pid"
	podman create --bundle "$B" "$ID"
	is "X20: $1: without a log stderr has it" "$rc:$err" "1:$out_was"
}

missing()
{
	out_was="ocirt: create $ID: exec: \"/no/such\": stat /no/such: no such file or directory"
	blames 'no such file' '"/no/such"' \
		'exec: "/no/such": stat /no/such: no such file or directory$'
	out_was="ocirt: create $ID: exec: \"nosuch\": executable file not found in \$PATH"
	blames 'no such command' '"nosuch"' \
		'exec: "nosuch": executable file not found in \$PATH$'
	out_was="ocirt: create $ID: exec: \"/bin/plain\": permission denied"
	blames 'not executable' '"/bin/plain"' \
		'exec: "/bin/plain": permission denied$'
	out_was="ocirt: create $ID: exec: \"/etc\": permission denied"
	blames 'a directory' '"/etc"' 'exec: "/etc": permission denied$'

	bundle
	args '"sleep", "1000"'
	o run -d -b "$B" "$ID" </dev/null
	rm -f "$L"
	echo '{"args":["/no/such"],"cwd":"/","user":{"uid":0,"gid":0}}' \
		>"$T/nosuch"
	ctrd exec --process "$T/nosuch" --detach --pid-file "$B/e1.pid" "$ID"
	is 'X6 C9: exec of a missing one: 255, in the log and on stderr' \
		"$rc $out $(reads "$L" .msg)" \
		"255 ocirt: exec $ID: exec: \"/no/such\": stat /no/such: no such file or directory exec $ID: exec: \"/no/such\": stat /no/such: no such file or directory"
	check 'and no pid file' test ! -e "$B/e1.pid"

	# state when nobody reads what goes to stderr
	{ env -i "$OCIRT" --root "$ROOT" state "$ID" 2>&3 | cat >"$T/out"; } \
		3>&1 | :
	is 'X12: state with its stderr closed at the other end' \
		"$(reads "$T/out" .status)" running
	env -i "$OCIRT" --root "$ROOT" state "$ID" >"$T/out" 2>&-
	is 'X12: state without stderr' "$? $(reads "$T/out" .status)" '0 running'
	o delete -f "$ID"
}

# ---- buildkit, buildah, cri-o ----

by_others()
{
	bundle
	args '"sh", "-c", "echo out; echo err >&2; exit 37"'
	rm -f "$L"
	(cd "$T" && OCIRT_ROOT=$ROOT timeout 20 "$OCIRT" --log "$L" \
		--log-format json run --bundle "$B" "$ID" </dev/null \
		>"$T/out" 2>"$T/err")
	is "OP-run: buildkit: run's status is the program's, its output too" \
		"$? $(cat "$T/out") $(cat "$T/err") $(cat "$L")" '37 out err '
	check 'OP-run: nothing is left' nothing_left

	args '"sleep", "1000"'
	(cd "$B" && OCIRT_ROOT=$ROOT timeout 20 "$OCIRT" create --bundle "$B" \
		--pid-file "$B/pid" "$ID" </dev/null >"$T/out" 2>&1)
	is 'buildah: create' "$?:$(cat "$T/out")" 0:
	podman start "$ID"
	podman state "$ID"
	is 'X13: buildah: state' "$rc:$err $(reads "$T/out" .status)" '0: running'
	podman kill "$ID"
	podman kill "$ID" SIGKILL
	is 'buildah: kill' "$rc:$out$err" 0:
	wait_for 5 stopped
	podman state "$ID"
	is 'X13: buildah: state of a stopped one' \
		"$rc:$err $(reads "$T/out" .status)" '0: stopped'
	podman delete "$ID"
	is 'buildah: delete' "$rc:$out$err" 0:

	o create --bundle "$B" "$ID" </dev/null
	o start "$ID"
	podman --root "$ROOT" exec --process "$T/process" "$ID"
	is "cri-o: exec in the foreground has the program's status" "$rc:$err" 5:
	podman --root "$ROOT" kill -a "$ID" KILL
	is 'cri-o: kill -a' "$rc:$err" 0:
	podman --root "$ROOT" delete --force "$ID"
	check 'cri-o: nothing is left' nothing_left
	podman --systemd-cgroup create --bundle "$B" "$ID"
	like 'OP-global: --systemd-cgroup is refused, with its cure' "$rc $err" \
		'^1 .*systemd .*hint: '
	check 'nothing is left of that' nothing_left
}

# ---- docker ----

by_docker()
{
	bundle
	for f in resolv.conf hostname hosts; do
		echo $f >"$T/$f"
	done
	cat >"$T/setkey" <<-END
	#!/bin/sh
	cat >$T/hook.state
	echo "\$0 \$*" >$T/hook.args
	pid=\$(sed 's/.*"pid":\\([0-9]*\\).*/\\1/' $T/hook.state)
	readlink /proc/\$pid/ns/net >$T/hook.net
	readlink /proc/self/ns/net >$T/hook.own
	END
	chmod 755 "$T/setkey"
	jq --arg t "$T" --arg b "$B" --arg id "$ID" '
		.root.path = $b + "/rootfs" | .process.terminal = false |
		.process.args = ["sh", "-c", "cat /etc/resolv.conf; hostname"] |
		(.mounts[].source | select(startswith("/var/lib"))) |=
			$t + "/" + (. | split("/") | last) |
		.linux.cgroupsPath = "/docker/" + $id' \
		tests/data/docker-20.10.json >"$T/docker.json"
	# Rules that allow take a controller of devices.
	if grep -q ' - cgroup .*devices' /proc/self/mountinfo; then
		mv "$T/docker.json" "$B/config.json"
	else
		jq 'del(.linux.resources.devices)' "$T/docker.json" \
			>"$B/config.json"
	fi
	out=$(o run -b "$B" "$ID" </dev/null 2>&1)
	is "X17: dockerd's own config.json runs" "$? $out" '0 resolv.conf
c292e26f28e2'
	edit '.hooks = {prestart: [{path: "'"$T"'/setkey", args:
		["libnetwork-setkey", "-exec-root=/var/run/docker", "x", "y"]}]}'
	out=$(o run -b "$B" "$ID" </dev/null 2>&1)
	is 'X18: a prestart hook' "$? $out" '0 resolv.conf
c292e26f28e2'
	like 'X18: it is told of a pid' "$(cat "$T/hook.state")" '"pid":[0-9]+'
	like 'X18: whose network namespace is there' "$(cat "$T/hook.net")" \
		'^net:\[[0-9]+\]$'
	unlike 'X18: and is not that of the host' "$(cat "$T/hook.net")" \
		"$(sed 's/[][]/\\&/g' "$T/hook.own")"
	check 'docker: nothing is left' nothing_left
	awk '$0 ~ / - cgroup2? / { print $5 }' /proc/self/mountinfo |
		while read -r d; do
			rmdir "$d/docker" 2>/dev/null
		done
}

lines
by_podman
descriptors
by_containerd
missing
by_others
by_docker
check 'nothing is left at the end' nothing_left
done_testing
