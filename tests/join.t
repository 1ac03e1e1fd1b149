#!/bin/sh
# join.t - namespaces by path, of each kind and all at once, and time
# namespaces. Needs root.
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_root

# ns FILE [PID]: a namespace as the kernel names it
ns()
{
	readlink "/proc/${2:-self}/ns/$1"
}

has()
{
	[ -e "/proc/self/ns/$1" ]
}

# with TYPE: $B has a new namespace of that type, too
with()
{
	! grep -q "\"type\": \"$1\"$" "$B/config.json" || return 0
	edit ".linux.namespaces |= map(select(.type != \"$1\")) + [{type: \"$1\"}]"
}

# sleeping ID: $B sleeps as that container; its pid
sleeping()
{
	args '"sleep","900"'
	o run -d -b "$B" "$1" </dev/null >"$T/out" 2>&1 || cat "$T/out" >&2
	pid "$1"
}

kinds='pid:pid network:net ipc:ipc uts:uts cgroup:cgroup time:time'

# The container whose namespaces the others join.
holder()
{
	B=$T/holder
	bundle
	for k in cgroup time; do
		! has $k || with $k
	done
	p=$(sleeping "$ID")
	if [ -z "$p" ]; then
		not_ok 'the container to join runs'
		exit 1
	fi
	B=$T/bundle
}

each()
{
	for k in $kinds; do
		type=${k%:*} file=${k#*:}
		if ! has "$file"; then
			skip "N2: $type by path" 'this kernel has none'
			continue
		fi
		bundle
		ns_path "$type" "/proc/$p/ns/$file"
		[ "$type" != uts ] || edit 'del(.hostname)'
		q=$(sleeping "$ID-2")
		is "N2: $type by path is the one there" "$(ns "$file" "$q")" \
			"$(ns "$file" "$p")"
		is "N2: exec is in it" "$(o exec "$ID-2" readlink "/proc/self/ns/$file" 2>&1)" \
			"$(ns "$file" "$p")"
		check 'N2: the others are new' test "$(ns mnt "$q")" != "$(ns mnt "$p")"
		o delete -f "$ID-2"
		check 'L13: what was joined stays' test -e "/proc/$p/ns/$file"
		gone "$p" && not_ok 'L13: and who is in it lives'
	done
	bundle
	ns_path uts "/proc/$p/ns/uts"
	edit '.hostname = "joined"'
	args '"hostname"'
	is 'R3: the hostname is set in a joined uts namespace' "$(run_x)" joined
	is 'R3: for all who are in it' "$(o exec "$ID" hostname)" joined
}

# run_x: $B runs as a second container
run_x()
{
	o run -b "$B" "$ID-2" </dev/null 2>&1
}

# The kinds that this kernel has, by path, and what they are
all_by_path()
{
	bundle
	edit 'del(.hostname)'
	for k in $kinds; do
		! has "${k#*:}" || ns_path "${k%:*}" "/proc/$p/ns/${k#*:}"
	done
	script 'for n in pid net ipc uts cgroup time; do readlink /proc/self/ns/$n; done; echo $$'
}

all()
{
	all_by_path
	want=$(for n in pid net ipc uts cgroup time; do ns $n "$p"; done)
	is 'N3: all of them at once' "$(run_x | sed '$d')" "$want"
	like 'N3: the program is not init of the pid namespace' \
		"$(run_x | tail -n 1)" '^([2-9]|[0-9]{2,})$'
	q=$(sleeping "$ID-2")
	o kill "$ID-2" KILL
	check 'OP-kill: the one who joined ends alone' wait_for 5 gone "$q"
	check 'OP-kill: and the first lives' test -e "/proc/$p/exe"
	o delete "$ID-2"
	# In the foreground our child is init: no process in between is left.
	args '"sleep","900"'
	"$OCIRT" --root "$ROOT" run -b "$B" "$ID-2" </dev/null >/dev/null 2>&1 &
	run=$!
	pids="$pids $run"
	wait_for 5 is_status "$ID-2" running
	q=$(pid "$ID-2")
	is 'X8: the parent of init is ocirt itself' \
		"$(sed -n 's/^PPid:[[:blank:]]*//p' "/proc/$q/status")" "$run"
	o kill "$ID-2" KILL
	await $run
	is 'X8: its end is known' $? 137
	has user || return
	# New: the namespaces joined belong to the host, so they come first.
	all_by_path
	edit '.linux.namespaces |= map(select(.type != "pid")) + [{type: "user"}, {type: "pid"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings
		| .mounts |= map(select(.type != "sysfs" and .type != "mqueue" and .type != "cgroup"))'
	chown -R 100000:100000 "$B/rootfs"
	is 'N3: with a new user namespace, too' \
		"$(run_x | sed -n '2,6p')" "$(echo "$want" | sed 1d)"
}

# A user namespace that is joined, with all that belongs to it.
user()
{
	has user || return
	bundle
	edit '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings'
	! has time || with time
	chown -R 100000:100000 "$B/rootfs"
	u=$(sleeping "$ID-u")
	cp "$B/config.json" "$T/user.json"
	edit 'del(.hostname) | .linux.namespaces |= map(if .type == "mount" then . else
		.path = "/proc/'"$u"'/ns/\(if .type == "network" then "net" else .type end)" end)'
	script 'for n in user pid net ipc uts; do readlink /proc/self/ns/$n; done; id -u'
	want=$(for n in user pid net ipc uts; do ns $n "$u"; done; echo 0)
	is 'N3 N6: a user namespace is joined with all that is its own; equal mappings may stand there' \
		"$(run_x)" "$want"
	edit '.linux.uidMappings[0].size = 65535'
	refused_x 'N6: other mappings than it has are refused' \
		'uidMappings: not those of the user namespace'
	edit 'del(.linux.uidMappings, .linux.gidMappings)'
	is 'N6: none need to be given' "$(run_x)" "$want"
	edit '.linux.namespaces |= map(if .type == "user" or .type == "network" then . else del(.path) end)'
	q=$(sleeping "$ID-2")
	is 'N3: what is new belongs to the joined one' \
		"$(o exec "$ID-2" readlink /proc/self/ns/user 2>&1):$([ "$(ns pid "$q")" != "$(ns pid "$u")" ] && echo new)" \
		"$(ns user "$u"):new"
	o delete -f "$ID-2"
	o delete -f "$ID-u"
}

# refused_x 'sentence' PATTERN: as refused, beside the containers there are
refused_x()
{
	out=$(run_x)
	rc=$?
	if [ $rc = 1 ] && [ "$(echo "$out" | wc -l)" = 1 ] &&
		echo "$out" | grep -Eq -- "$2" && [ ! -e "$ROOT/$ID-2" ]; then
		ok "$1"
	else
		not_ok "$1"
		diag "status $rc, want /$2/, got: $out"
	fi
}

wrong()
{
	bundle
	cp "$B/config.json" "$T/plain"
	ns_path network "/proc/$p/ns/ipc"
	refused_x 'N2: one of another kind is refused by its path' \
		"/proc/$p/ns/ipc is a ipc namespace, not a network namespace"
	mkfifo "$T/fifo"
	for f in "$T/plain" "$T/fifo" /tmp /dev/null "/proc/$p/status"; do
		cp "$T/plain" "$B/config.json"
		ns_path ipc "$f"
		refused_x "N2: $(basename "$f") is no namespace" \
			'is not a namespace|join ipc namespace: invalid'
	done
	cp "$T/plain" "$B/config.json"
	ns_path uts /nosuch/ns
	refused_x 'N2: a missing one is named' \
		'open uts namespace /nosuch/ns: no such file'
	cp "$T/plain" "$B/config.json"
	ns_path uts proc/self/ns/uts
	refused_x 'N2: a relative path is refused' 'no absolute path'
	cp "$T/plain" "$B/config.json"
	edit '.linux.namespaces += [{type: "ipc", path: "/proc/'"$p"'/ns/ipc"}]'
	refused_x 'N1: a kind twice is refused, also with a path' 'duplicated ns'
}

# Our own by path is as if it were not listed.
own()
{
	host=$(hostname) domain=$(cat /proc/sys/kernel/domainname)
	bundle
	cp "$B/config.json" "$T/plain"
	ns_path uts /proc/self/ns/uts
	edit ".hostname = \"$host\""
	refused_x 'N4 R3: a hostname through our own uts namespace is refused' \
		'hostname.*UTS namespace'
	edit 'del(.hostname)'
	edit ".linux.sysctl = {\"kernel.domainname\": \"$domain\"}"
	refused_x 'N4 K1: a sysctl too' 'kernel.domainname.*needs a uts'
	edit 'del(.linux.sysctl)'
	args '"readlink", "/proc/self/ns/uts"'
	is 'N4: else it is inherited' "$(run_x)" "$(ns uts)"
	cp "$T/plain" "$B/config.json"
	ns_path network "/proc/$$/ns/net"
	edit '.linux.sysctl = {"net.ipv4.ip_default_ttl": "64"}'
	refused_x 'N4 K1: through our own network namespace, too' \
		'ip_default_ttl.*needs a network'
	cp "$T/plain" "$B/config.json"
	ns_path mount /proc/self/ns/mnt
	refused_x 'N4 K3: paths are not masked in our own mount namespace' \
		'private mount'
}

# The file of a mount namespace: the program lives in there, chrooted to the
# path of the root as it is there, and nothing is mounted for it.
mount_ns()
{
	bundle
	mkdir -p "$B/rootfs/there"
	unshare -m --propagation private sh -c \
		"mount -t tmpfs tmpfs $B/rootfs/there && echo in >$B/rootfs/there/file && exec sleep 900" &
	m=$!
	pids="$pids $m"
	wait_for 5 grep -q "$B/rootfs/there" "/proc/$m/mountinfo"
	edit 'del(.linux.maskedPaths, .linux.readonlyPaths) | .mounts = [] | .root.readonly = false'
	ns_path mount "/proc/$m/ns/mnt"
	before=$(cut -d' ' -f5- "/proc/$m/mountinfo")
	args '"sh", "-c", "cat /there/file; ls /"'
	out=$(run_x)
	like 'N2 N3: a mount namespace is joined: what is mounted there is seen' \
		"$out" '^in$'
	like 'N2: from the root of the bundle' "$out" '^there$'
	is 'N2: its mounts are as before' "$(cut -d' ' -f5- "/proc/$m/mountinfo")" \
		"$before"
	kill -9 $m
}

# A failure while the child is elsewhere: the parent never was.
failure()
{
	all_by_path
	edit '.mounts += [{destination: "/no", type: "nosuchfs", source: "x"}]
		| .hooks.poststop = [{path: "/bin/sh", args: ["sh", "-c",
		"for n in pid_for_children net ipc uts cgroup; do readlink /proc/self/ns/$n; done >'"$T"'/poststop"]}]'
	refused_x 'L7: a mount that fails is told' 'nosuchfs'
	is 'L7: poststop hooks run in our own namespaces' "$(cat "$T/poststop")" \
		"$(for n in pid_for_children net ipc uts cgroup; do ns $n; done)"
}

# ---- time ----

# secs FILE-LINE: the seconds before the dot
uptime_of()
{
	cut -d. -f1 | head -n 1
}

clocks()
{
	bundle
	edit '.linux.timeOffsets = {boottime: {secs: 1000}}'
	refused 'N8: offsets without a time namespace are refused' \
		'timeOffsets: time offsets need a new time namespace' run_b
	if ! has time; then
		bundle
		with time
		refused 'N8 N9: a kernel without them is named' \
			'CONFIG_TIME_NS, Linux 5.6' run_b
		skip 'N8: time namespaces' 'this kernel has none'
		return
	fi
	bundle
	with time
	edit '.linux.timeOffsets = {boottime: {secs: 1000000, nanosecs: 5}, monotonic: {secs: 2000000}}'
	script 'cat /proc/uptime; readlink /proc/self/ns/time; cat /proc/self/timens_offsets'
	out=$(run_b 2>&1)
	up=$(($(echo "$out" | uptime_of) - $(uptime_of </proc/uptime)))
	check 'N8: the clock that counts from boot is ahead by the offset' \
		test $up -ge 999990 -a $up -le 1000010
	check 'N8: in a time namespace of its own' \
		test "$(echo "$out" | sed -n 2p)" != "$(ns time)"
	is 'N8: both offsets are the kernel'"'"'s' \
		"$(echo "$out" | sed -n '3,$p' | tr -s ' \t\n' ' ')" \
		'monotonic 2000000 0 boottime 1000000 5 '
	[ ! -x tests/bin/deny ] || refused 'N9: what a kernel without them answers is an error' \
		'aren.t enabled in the kernel .*CONFIG_TIME_NS, Linux 5.6' \
		tests/bin/deny EINVAL unshare "$OCIRT" --root "$ROOT" run -b "$B" "$ID"
	q=$(sleeping "$ID")
	is 'N8: init and its children are in the same' "$(ns time "$q")" \
		"$(ns time_for_children "$q")"
	up=$(($(o exec "$ID" cat /proc/uptime | uptime_of) - $(uptime_of </proc/uptime)))
	check 'N8: exec has the same clocks' test $up -ge 999990 -a $up -le 1000010
	o delete -f "$ID"
	edit '.linux.timeOffsets = {boottime: {secs: -3000000000}}'
	refused 'N8: an offset that the kernel refuses is an error' \
		'set time offsets: ' run_b
	edit '.linux.timeOffsets = {realtime: {secs: 1}}'
	refused 'N8: another clock is refused' "unknown clock 'realtime'" run_b
	edit '.linux.timeOffsets = {boottime: {secs: 1, nanosecs: 1000000000}}'
	refused 'N8: nanoseconds are less than a second' \
		'timeOffsets.boottime.nanosecs: out of range' run_b
	bundle
	ns_path time "/proc/$$/ns/time"
	edit '.linux.timeOffsets = {boottime: {secs: 1}}'
	refused 'N8: offsets and a path are refused' 'need a new time' run_b
	has user || return
	bundle
	with time
	edit '.linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
		| .linux.gidMappings = .linux.uidMappings
		| .linux.timeOffsets = {boottime: {secs: 1000000}}'
	chown -R 100000:100000 "$B/rootfs"
	args '"cat", "/proc/uptime"'
	up=$(($(run_b 2>&1 | uptime_of) - $(uptime_of </proc/uptime)))
	check 'N8: with a user namespace, too' \
		test $up -ge 999990 -a $up -le 1000010
}

holder
each
all
user
wrong
own
mount_ns
failure
o delete -f "$ID"
clocks
check 'nothing is left at the end' nothing_left
done_testing
