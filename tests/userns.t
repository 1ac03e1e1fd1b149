#!/bin/sh
# userns.t - user namespaces, and containers of an ordinary user: id mappings,
# what only the caller may do, spec --rootless. Needs root, to be anybody.
# shellcheck disable=SC2016,SC2119,SC2317,SC2153,SC3045
. tests/lib.sh
need_root
[ -e /proc/self/ns/user ] || skip_all 'needs user namespaces'
LAUNCH=$TOP/tests/bin/launch
[ -x "$LAUNCH" ] || skip_all 'needs tests/bin/launch (make helpers)'

# maps MAP...: $B has a new user namespace; a map is CONTAINER:HOST:SIZE, the
# same for uids and gids. Its root owns the root file system.
maps()
{
	maps_json=$(for m in "$@"; do
		echo "$m" | sed 's/\(.*\):\(.*\):\(.*\)/{"containerID":\1,"hostID":\2,"size":\3}/'
	done | paste -sd,)
	edit ".linux.namespaces |= map(select(.type != \"user\")) + [{type: \"user\"}]
		| .linux.uidMappings = [$maps_json]
		| .linux.gidMappings = [$maps_json]"
}

user_bundle()
{
	bundle
	maps 0:100000:65536
	chown -R 100000:100000 "$B/rootfs"
}

# ns NAME [PID]: a namespace as the kernel names it
ns()
{
	readlink "/proc/${2:-self}/ns/$1"
}

# Sets p to the pid of $B's program, which sleeps.
start_sleeping()
{
	args '"sleep","60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/out" 2>&1
	p=$(pid "$ID")
	if [ -z "$p" ]; then
		not_ok 'the container runs'
		diag "$(cat "$T/out")"
		p=none
	fi
}

# squeezed FILE: its words, a blank between them
squeezed()
{
	tr -s ' \n' '  ' <"$1" | sed 's/^ *//; s/ *$//'
}

# bad 'sentence' PATTERN JQ-FILTER: refused with that config
bad()
{
	user_bundle
	edit "$3"
	refused "$1" "$2" run_b
}

mappings()
{
	user_bundle
	maps 0:100000:1000 1000:200000:1 1001:300000:10
	start_sleeping
	is 'N7: uid_map is as asked, of three lines' \
		"$(squeezed "/proc/$p/uid_map")" \
		'0 100000 1000 1000 200000 1 1001 300000 10'
	is 'N7: gid_map too' "$(squeezed "/proc/$p/gid_map")" \
		'0 100000 1000 1000 200000 1 1001 300000 10'
	is 'N7: root need not deny setgroups' "$(cat "/proc/$p/setgroups")" allow
	is 'N6: the user namespace is a new one' \
		"$([ "$(ns user "$p")" != "$(ns user)" ] && echo new)" new
	is 'N7: root in it is the mapped id outside' \
		"$(stat -c %u:%g "/proc/$p")" 100000:100000
	is 'N7: nothing changes hands' "$(stat -c %u "$B/rootfs")" 100000
	o delete -f "$ID"

	user_bundle
	edit '.process.user = {uid: 7, gid: 8, additionalGids: [9, 10]}
		| .process.capabilities.bounding += ["CAP_CHOWN"]'
	start_sleeping
	is 'P6 P8: ids and groups are those of the namespace' \
		"$(awk '/^[UG]id:/ { print $2, $5 } /^Groups:/ { print $2, $3 }' \
		"/proc/$p/status" | paste -sd' ')" \
		'100007 100007 100008 100008 100009 100010'
	is 'P9: capabilities are granted in the namespace' \
		"$(sed -n 's/^CapBnd:[[:blank:]]*//p' "/proc/$p/status")" \
		0000000020000421
	is 'E5: exec is in it, root where asked for' \
		"$(o exec -u 0:0 "$ID" sh -c 'id -u; cat /proc/self/uid_map' |
		tr -s ' \n' ' ')" '0 0 100000 65536 '
	is 'E5: and in all its namespaces' "$(o exec "$ID" sh -c \
		'for n in user pid net ipc uts mnt; do readlink /proc/self/ns/$n; done')" \
		"$(for n in user pid net ipc uts mnt; do ns $n "$p"; done)"
	o exec -u 70000:0 "$ID" true >"$T/out" 2>&1
	like 'P6: exec as an id that is not mapped is explained' \
		"$(cat "$T/out")" 'set uid 70000 .*not mapped'
	o delete -f "$ID"
}

mapping_errors()
{
	bad 'N6: a user namespace without mappings is refused' \
		'linux.namespaces\[.\].*needs uidMappings and gidMappings' \
		'del(.linux.uidMappings, .linux.gidMappings)'
	bad 'N6: without one of the two it is, too' 'needs uidMappings and gid' \
		'del(.linux.gidMappings)'
	bad 'N6: mappings without a user namespace are refused' \
		'linux.uidMappings: mappings without a user namespace' \
		'.linux.namespaces |= map(select(.type != "user"))'
	bad 'N7: a mapping of no ids is explained' \
		'uidMappings\[0\].size: a mapping of no ids' \
		'.linux.uidMappings[0].size = 0'
	bad 'N7: an overlap inside is explained' \
		'uidMappings\[1\]: overlaps mapping 0' \
		'.linux.uidMappings += [{containerID: 65535, hostID: 9, size: 1}]'
	bad 'N7: an overlap outside is explained' \
		'gidMappings\[1\]: overlaps mapping 0' \
		'.linux.gidMappings += [{containerID: 70000, hostID: 100009, size: 9}]'
	bad 'N7: a range beyond the last id is explained' 'above the highest id' \
		'.linux.uidMappings[0].hostID = 4294967290'
	bad 'N7: more mappings than the kernel takes are explained' \
		'341 mappings, at most 340' \
		'.linux.uidMappings = [range(341) | {containerID: ., hostID: (100000 + .), size: 1}]'
	bad 'N7: a root that is not mapped is explained' 'no mapping for uid 0' \
		'.linux.uidMappings[0].containerID = 1'
	bad 'N7: its group too' 'no mapping for gid 0' \
		'.linux.gidMappings[0].containerID = 1'
	bad 'P6: a user that is not mapped is explained' \
		'process.user.uid: cannot setuid to unmapped uid 65536' \
		'.process.user.uid = 65536'
	bad 'P8: a group that is not mapped is explained' \
		'additionalGids: gid 70000 is not mapped' \
		'.process.user.additionalGids = [70000]'
	user_bundle
	edit '.linux.uidMappings = [range(300) | {containerID: (. * 1000), hostID: (1000000000 + . * 1000), size: 1000}]'
	refused 'N7: text that one write does not hold is explained' \
		'300 mappings are too long for the kernel' run_b
	user_bundle
	edit '.linux.uidMappings = [range(40) | {containerID: ., hostID: (100000 + .), size: 1}]'
	start_sleeping
	is 'N7: forty lines are one write' "$(wc -l <"/proc/$p/uid_map")" 40
	o delete -f "$ID"
}

# What the new root may not do is done for it.
rights()
{
	user_bundle
	mkdir "$B/closed" "$B/closed/dir"
	echo hello >"$B/closed/dir/file"
	chmod 700 "$B" "$B/closed"
	add_mount "{destination: \"/mnt\", type: \"bind\", source: \"$B/closed/dir\", options: [\"bind\"]}"
	edit '.process.oomScoreAdj = 321
		| .linux.devices = [{path: "/dev/pipe", type: "p", fileMode: 416, uid: 3, gid: 4}]
		| .linux.sysctl = {"net.ipv4.ip_default_ttl": "77", "kernel.domainname": "by.sysctl"}'
	script 'cat /mnt/file /proc/self/oom_score_adj /proc/sys/net/ipv4/ip_default_ttl /proc/sys/kernel/domainname
		echo text >/dev/null && head -c 3 /dev/zero | wc -c
		stat -c "%F %a %u:%g" /dev/pipe
		grep -c " /dev/\(null\|zero\|full\|random\|urandom\|tty\) " /proc/self/mountinfo
		stat -c %u:%t:%T /dev/null; id -u; stat -c %u /dev'
	out=$(run_b 2>&1 | paste -sd' ')
	is 'D2: the root file system, binds and devices are opened as the caller, K1, P14' \
		"$out" \
		'hello 321 77 by.sysctl 3 fifo 640 3:4 6 65534:1:3 0 0'
	is 'K1: the sysctl is not the host'"'"'s' \
		"$(cat /proc/sys/net/ipv4/ip_default_ttl)" 64
	edit '.linux.devices = [{path: "/dev/odd", type: "c", major: 1, minor: 3}]'
	refused 'D2: a device that the host does not have there is refused' \
		'device /dev/odd: make device.*operation not permitted' run_b

	user_bundle
	edit '.linux.sysctl = {"user.max_uts_namespaces": "3"}'
	args '"cat", "/proc/sys/user/max_uts_namespaces"'
	is 'K1: user.* belongs to the user namespace' "$(run_b 2>&1)" 3

	# A limit above the caller's takes rights that the child does not have.
	user_bundle
	edit '.process.rlimits = [{type: "RLIMIT_NOFILE", hard: 700, soft: 600}]'
	args '"sh", "-c", "ulimit -Hn; ulimit -Sn"'
	out=$(ulimit -n 512 && run_b 2>&1 | paste -sd' ')
	if [ $((0x$(sed -n 's/^CapEff:[[:blank:]]*//p' /proc/self/status) >> 24 & 1)) = 1 ]; then
		is 'P10: limits are raised by the caller' "$out" '700 600'
	else
		like 'P10: a limit that we may not raise is an error' "$out" \
			'set RLIMIT_NOFILE to 600:700: operation not permitted'
	fi

	user_bundle
	without network
	refused 'N3: sysfs without a new network namespace is explained' \
		'mount sysfs.*network namespace' run_b
	user_bundle
	without pid
	refused 'N3: proc without a new pid namespace is explained' \
		'mount proc.*pid namespace' run_b
	user_bundle
	edit '.mounts |= map(if .type == "devpts" then .options += ["gid=70000"] else . end)'
	refused 'N7: a gid= that is not mapped is explained' \
		'mount devpts.*mapped in the user namespace' run_b
	mkdir -p "$T/hook"
	user_bundle
	edit '.hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "readlink /proc/self/ns/user >'"$T"'/hook/runtime"]}]
		| .hooks.createContainer = [{path: "/bin/sh", args: ["sh", "-c", "readlink /proc/self/ns/user >&2; exit 1"]}]'
	run_b >"$T/out" 2>&1
	is 'N6: runtime hooks stay outside' "$(cat "$T/hook/runtime")" "$(ns user)"
	like 'N6: createContainer hooks are inside' "$(cat "$T/out")" \
		'createContainer hook.*user:\[[0-9]*\]'
	unlike 'N6: and that is another one' "$(cat "$T/out")" \
		"$(ns user | tr -d '[]' | sed 's/user:/user:./')"
	check 'nothing is left of that' nothing_left
}

# ---- an ordinary user ----

# u ARGS...: ocirt as the user 1000, who has no capability and no group
u()
{
	XDG_RUNTIME_DIR=$X "$LAUNCH" -U 1000:1000 "$T/ocirt" "$@" </dev/null
}

u_bundle()
{
	rm -rf "$B"
	bundle
	rm "$B/config.json"
	chown -R 1000:1000 "$B"
	u spec --rootless -b "$B"
	config 's/"terminal": true/"terminal": false/'
}

u_pid()
{
	u state "$ID" | sed -n 's/.*"pid": \([0-9]*\).*/\1/p'
}

# u_refused 'sentence' PATTERN COMMAND...
u_refused()
{
	ROOT=$X/ocirt refused "$@"
}

u_setup()
{
	X=$T/xdg
	mkdir "$X"
	chown 1000:1000 "$X"
	chmod 700 "$X"
	cp "$OCIRT" "$T/ocirt"
	chmod 755 "$T/ocirt"
	u_may=$("$LAUNCH" -U 1000:1000 unshare -U id -u 2>&1) || return 1
	[ -n "$u_may" ]
}

u_spec()
{
	u_bundle
	is 'OP-spec: --rootless: namespaces are those of runc' \
		"$(jq -c '[.linux.namespaces[].type] - ["cgroup"] | sort' "$B/config.json")" \
		'["ipc","mount","pid","user","uts"]'
	is 'OP-spec: --rootless: the mappings are the caller'"'"'s' \
		"$(jq -c '.linux | [.uidMappings, .gidMappings]' "$B/config.json")" \
		'[[{"containerID":0,"hostID":1000,"size":1}],[{"containerID":0,"hostID":1000,"size":1}]]'
	is 'OP-spec: --rootless: no limits, no gid 5, /sys is the host'"'"'s' \
		"$(jq -c '[.linux.resources, ([.mounts[].options[]?] | index("gid=5")),
		(.mounts[] | select(.destination == "/sys") | .type, .options)]' "$B/config.json")" \
		'[null,null,"none",["rbind","nosuid","noexec","nodev","ro"]]'
	"$OCIRT" spec -b "$T" && mv "$T/config.json" "$T/plain.json"
	is 'OP-spec: nothing else differs' \
		"$(jq -S 'del(.linux.namespaces, .linux.uidMappings, .linux.gidMappings, .process.terminal) | .mounts |= map(select(.destination != "/sys"))' "$B/config.json")" \
		"$(jq -S 'del(.linux.namespaces, .linux.resources, .process.terminal) | .mounts |= map(select(.destination != "/sys") | if .options then .options -= ["gid=5"] else . end)' "$T/plain.json")"
}

u_life()
{
	u_bundle
	script 'id -u; id -g; cat /proc/self/setgroups; tr -s " " " " </proc/self/uid_map; echo $$
		echo x >/dev/null && echo dev; touch /x 2>/dev/null || echo readonly'
	is 'N7: an ordinary user without a capability runs a container' \
		"$(u run -b "$B" "$ID" 2>&1 | paste -sd' ')" \
		'0 0 deny  0 1000 1 1 dev readonly'
	args '"sleep", "60"'
	u create -b "$B" --pid-file "$X/pid" "$ID"
	is 'OP-create: and creates one' "$?" 0
	p=$(cat "$X/pid")
	pids="$pids $p"
	is 'V4: its state is in $XDG_RUNTIME_DIR/ocirt' \
		"$(stat -c %u:%a "$X/ocirt/$ID")" 1000:700
	is 'OP-state: it is created' "$(u state "$ID" | jq -r .status)" created
	is 'OP-exec: exec runs in what is created' "$(u exec "$ID" id -u 2>&1)" 0
	u start "$ID"
	is 'OP-start: and starts it' "$?:$(u state "$ID" | jq -r .status)" 0:running
	is 'OP-exec: exec is in its namespaces' "$(u exec "$ID" sh -c \
		'for n in user pid ipc uts mnt; do readlink /proc/self/ns/$n; done' 2>&1)" \
		"$(for n in user pid ipc uts mnt; do ns $n "$p"; done)"
	is 'OP-list: it is listed' "$(u list -q)" "$ID"
	is 'root in the container is the caller outside' \
		"$(sed -n 's/^Uid:[[:blank:]]*\([0-9]*\).*/\1/p' "/proc/$p/status")" 1000
	like 'G6: no cgroup: noted' "$(u state "$ID")" \
		'org.ocirt.degraded": ".*no cgroup (is delegated|hierarchy is mounted)'
	is 'OP-kill: and killed' "$(u kill "$ID" KILL; wait_for 5 gone "$p"; u state "$ID" |
		jq -r .status)" stopped
	u delete "$ID"
	is 'OP-delete: and deleted' "$?:$(ls -A "$X/ocirt")" 0:
	edit '.process.oomScoreAdj = 300'
	u run -d -b "$B" "$ID"
	p=$(u_pid)
	is 'P14: oomScoreAdj may be raised' "$(cat "/proc/$p/oom_score_adj")" 300
	u delete -f "$ID"
	is 'OP-delete: -f kills it' "$?:$(ls -A "$X/ocirt")" 0:
	bundle
	rm -f "$X/pid"
	chown -R 1000:1000 "$B"
	u_refused 'N6: without a user namespace the cure is named' \
		'clone.*spec --rootless' u run -b "$B" "$ID"
}

u_limits()
{
	u_bundle
	edit '.process.user.additionalGids = [0]'
	args '"id"'
	u_refused 'P8: groups where setgroups is denied are refused' \
		'set additional groups.*newgidmap' u run -b "$B" "$ID"
	case $(host_kind) in
	none) ;;
	*)
		u_bundle
		edit '.linux.cgroupsPath = "/'"$ID"'"'
		u_refused 'G6: a cgroup that is asked for by path must be' \
			'make cgroup .*(denied|permitted)' u run -b "$B" "$ID"
		u_bundle
		args '"true"'
		u_refused 'G6: --rootless=false: so must any' \
			'make cgroup .*(denied|permitted)' \
			u --rootless=false run -b "$B" "$ID"
		;;
	esac
	u_bundle
	edit '.linux.uidMappings[0].hostID = 0'
	u_refused 'N7: another user'"'"'s id is not to be had' \
		'newuidmap|write uid_map' u run -b "$B" "$ID"
}

# What stands in for /etc/subuid is seen by nobody else.
u_helpers()
{
	if ! command -v newuidmap >/dev/null; then
		skip 'N7: newuidmap' 'not installed'
		return
	fi
	u_bundle
	maps 0:1000:1 1:100000:1000
	mkdir "$T/path"
	printf '#!/bin/sh\ntouch %s/fooled\n' "$X" >"$T/path/newuidmap"
	chmod 755 "$T/path/newuidmap"
	for f in subuid subgid; do
		echo '1000:100000:65536' >"$T/$f"
	done
	edit '.process.user.additionalGids = [7]'
	script 'tr -s " " " " </proc/self/uid_map; tr -s " " " " </proc/self/gid_map; cat /proc/self/setgroups; id -G'
	cat >"$T/private" <<-END
		mount --bind $T/subuid /etc/subuid && mount --bind $T/subgid /etc/subgid || exit
		export XDG_RUNTIME_DIR=$X
		PATH=$T/path:\$PATH
		exec $LAUNCH -U 1000:1000 $T/ocirt run -b $B $ID
	END
	out=$(unshare -m --propagation private sh "$T/private" </dev/null 2>&1)
	is 'N7: more ids are mapped by newuidmap and newgidmap' \
		"$(echo "$out" | paste -sd' ')" \
		' 0 1000 1  1 100000 1000  0 1000 1  1 100000 1000 allow 0 7'
	check 'N7: not by one that $PATH finds' test ! -e "$X/fooled"
	echo '1000:500000:65536' >"$T/subuid"
	u_refused 'N7: what newuidmap says is told, and nothing is left' \
		'newuidmap: exit status 1, output: newuidmap: uid range .*not allowed' \
		unshare -m --propagation private sh "$T/private"
}

# A second container of the user in the namespaces of his first: a pod.
u_pod()
{
	u_bundle
	edit '.linux.namespaces += [{type: "network"}]'
	args '"sleep", "60"'
	u run -d -b "$B" "$ID"
	p=$(u_pid)
	pids="$pids $p"
	edit '.linux.namespaces |= map(if .type == "mount" then . else .path = "/proc/'"$p"'/ns/\(if .type == "network" then "net" else .type end)" end)
		| del(.linux.uidMappings, .linux.gidMappings)'
	args '"sh", "-c", "for n in user pid net ipc uts mnt; do readlink /proc/self/ns/$n; done"'
	out=$(u run -b "$B" "$ID-2" 2>&1)
	is 'N3: an ordinary user joins the namespaces of his own container' \
		"$(echo "$out" | sed '$d')" \
		"$(for n in user pid net ipc uts; do ns $n "$p"; done)"
	u delete -f "$ID"
}

# The same by the older calls.
u_old()
{
	[ -x tests/bin/deny ] || return
	cp tests/bin/deny "$T/deny"
	u_bundle
	script 'readlink /proc/self/ns/user; tr -s " " " " </proc/self/uid_map'
	for e in ENOSYS EPERM; do
		like "N7: without clone3 ($e) it is the same" \
			"$(XDG_RUNTIME_DIR=$X "$LAUNCH" -U 1000:1000 "$T/deny" $e clone3,pidfd_open,openat2 \
			"$T/ocirt" run -b "$B" "$ID" 2>&1 </dev/null | paste -sd' ')" \
			'^user:\[[0-9]*\]  0 1000 1$'
	done
	user_bundle
	start_sleeping
	is 'N3: exec without pidfds joins by descriptors' \
		"$("$T/deny" ENOSYS pidfd_open,clone3 "$OCIRT" --root "$ROOT" exec "$ID" \
		sh -c 'readlink /proc/self/ns/user; readlink /proc/self/ns/pid')" \
		"$(ns user "$p"; ns pid "$p")"
	o delete -f "$ID"
}

mappings
mapping_errors
rights
if u_setup; then
	u_spec
	u_life
	u_limits
	u_helpers
	u_pod
	u_old
else
	skip 'containers of an ordinary user' "user namespaces: $u_may"
fi
check 'nothing is left at the end' nothing_left
done_testing
