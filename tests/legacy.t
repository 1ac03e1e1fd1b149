#!/bin/sh
# legacy.t - bundles and command lines of every generation since 2015
#
# The configs in tests/data/legacy, as the runtimes of their time wrote them,
# run as they are on a terminal, and what the program finds is what they say;
# errors name the line of the user's own file; spec --upgrade.
#
# Needs: root for all but the plans; tests/bin/ptyrun for the terminal; jq.
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_program jq

DATA=$PWD/tests/data/legacy

# old NAME [FILTER]: $B is the bundle of that name, its config.json changed
old()
{
	bundle
	rm "$B/config.json"
	cp "$DATA/$1/"*.json "$B"
	if [ -n "${2-}" ]; then edit "$2"; fi
}

# plan: what of $B would be done, or the one line why not
plan()
{
	"$OCIRT" plan -b "$B" 2>&1
}

# upgraded FILE: $B's config as one of today
upgraded()
{
	"$OCIRT" spec --upgrade -b "$B" >"$1" 2>"$T/notes"
}

# ---- every bundle has a plan, and the same one when it is upgraded ----

for era in article A A2 B C D E; do
	old $era
	plan >"$T/plan.old"
	like "Y5: $era has a plan" "$(cat "$T/plan.old")" '^root  '
	upgraded "$T/up.json"
	is "$era becomes a config of today" "$(jq -r .ociVersion "$T/up.json")" 1.3.0
	rm -f "$B/runtime.json"
	cp "$T/up.json" "$B/config.json"
	is "the upgraded $era has the plan of the old one" "$(plan)" \
		"$(cat "$T/plan.old")"
	upgraded "$T/again.json"
	check "upgraded again, $era stays the same" cmp "$T/up.json" "$T/again.json"
done

old A
cp "$B/config.json" "$T/before.json"
upgraded "$T/up.json"
check 'upgrading changes no file' cmp "$B/config.json" "$T/before.json"

# ---- single rules ----

# planned 'sentence' ERA FILTER PATTERN
planned()
{
	old "$2" "$3"
	like "$1" "$(plan)" "$4"
}
planned 'Y4: no cwd is the root' A 'del(.process.cwd)' '^cwd  *\/$'
planned 'Y4: a relative cwd is below the root' A '.process.cwd = "tmp"' '^cwd  *\/tmp$'
planned 'Y6: the type bind makes a bind' A \
	'.mounts += [{type: "bind", source: "/", destination: "/h", options: "ro"}]' '^bind  *\/h '
planned 'Y7: a relative destination is from the root' C \
	'.linux.resources.devices |= .[:1] | .mounts[1].destination = "dev"' '^mount  *\/dev '
planned 'Y8: net and mnt are network and mount' A \
	'.linux.namespaces = [{type: "mnt"}, {type: "net"}, {type: "uts"}]' '^namespaces  *network mount uts$'
planned 'Y9: mappings imply a user namespace' A \
	'.linux.uidMapping = [{hostID: 1, containerID: 0, size: 1}]
	| .linux.gidMapping = [{hostID: 1, containerID: 0, size: 1}]' 'user'
planned 'Y10: a limit may be a number' A \
	'.linux.rlimits = [{type: 7, hard: 5, soft: 4}]' '^RLIMIT_NOFILE 4:5$'
planned 'Y12: CAP_ may be absent' A '.linux.capabilities = ["KILL"]' '^bounding  *CAP_KILL$'
planned 'Y12: one list is four sets' A '.linux.capabilities = ["KILL"]' '^inheritable  *CAP_KILL$'
old A '.linux.capabilities = ["KILL"]'
unlike 'Y12: and no ambient one' "$(plan)" '^ambient'
old A 'del(.linux.capabilities)'
unlike 'Y13: no capabilities are none' "$(plan)" CAP_
planned 'Y1: null is absent' A '.hooks = null' '^root '
planned 'Y1 Y2: zero and "" ask for nothing' A \
	'.linux.resources.hugepageLimits = [] | .linux.resources.cpu.mems = ""' '^root '
planned 'Y2: a class is a string' A '.linux.resources.network.classId = "0x100001"' \
	'linux.resources.network.classId: network.classID needs|^root '
planned 'Y3: an id below zero is refused' A '.process.user.uid = -1' \
	'config.json:[0-9]+:[0-9]+: process.user.uid: '
planned 'Y14: the machine is not asked for' A '.platform.arch = "mips"' '^root '
planned 'Y11: a device without a number is a rule alone' A2 \
	'.linux.devices[0].minor = -1' 'c 1:\*|v1 .devices. controller'
planned 'rootfsPropagation is private unless told' A '.hostname = "x"' '^propagation  *rprivate$'
planned 'sysfs is read-only below a root that is' A '.hostname = "x"' '^mount  *\/sys type sysfs .*flags ro'
planned 'the names of 1.0.0-rc5 are taken in any version' C \
	'.ociVersion = "1.0.2" | .linux.resources.devices |= .[:1]
	| del(.linux.devices) | .linux.seccomp = null' '^bounding  *CAP_KILL '
planned 'memory.swappiness of -1 is unset' C '.ociVersion = "1.0.2" | del(.linux.devices)
	| .linux.seccomp = null | .linux.resources = {memory: {swappiness: -1}}' '^root '
planned 'B8: a version from 2 on is refused' E '.ociVersion = "2.0.0"' \
	"config.json:[0-9]+:[0-9]+: ociVersion: version 2.0.0 is not supported"
planned 'the newer name wins' D '.linux.resources.devices |= .[:1]
	| .process.oomScoreAdj = 7' '^oom.* 7$'
planned 'a newer 1.x is taken' D '.ociVersion = "1.99.0"
	| .process.capabilities = {} | .linux.resources.devices |= .[:1]
	| .linux.seccomp = null' '^root '
bundle
edit 'del(.ociVersion)'
like 'a config without a version is taken' "$(plan)" '^root '
like 'and that is noted' "$("$OCIRT" --debug plan -b "$B" 2>&1)" 'without ociVersion'

# ---- errors name the user's own file ----

# line FILE TEXT: LINE:COLUMN of the value of the first "TEXT": in it
line()
{
	awk -v key="\"$2\": " 'at = index($0, key) {
		print NR ":" at + length(key); exit }' "$B/$1"
}
old D '.linux.resources.blockIO.blkioWeight = 5000'
like 'Y11: a weight out of range is refused by its line and path' "$(plan)" \
	"config.json:$(line config.json blkioWeight): linux.resources.blockIO.blkioWeight: "
old B
sed -i 's/"RLIMIT_NOFILE"/"RLIMIT_X"/' "$B/runtime.json"
like 'the line of runtime.json is named' "$(plan)" \
	"runtime.json:$(sed -n '/RLIMIT_X/=' "$B/runtime.json"):[0-9]+: linux.rlimits\[0\].type: unknown type 'RLIMIT_X'"
old B '.mounts[0].name = "x"'
like 'a mount that runtime.json lacks is refused' "$(plan)" \
	'config.json:[0-9]+:[0-9]+: mounts\[0\].name: Mount with Name "x" not found in runtime config'
old B
rm "$B/runtime.json"
like 'runtime.json cannot be absent' "$(plan)" \
	'JSON runtime config file runtime.json not found'
old A '.linux.devices = ["nosuch"]'
like 'a device that the host lacks is refused' "$(plan)" \
	'config.json:[0-9]+:[0-9]+: linux.devices\[0\]: the host has no /dev/nosuch'
old A
sed -i '3i // old articles do this' "$B/config.json"
like 'a comment gets a hint' "$(plan)" \
	'config.json:3:1: .*found .\/. \(hint: JSON has no comments\)$'

# ---- spec on stdout ----

mkdir "$T/z5"
check 'Z5: spec writes to a stdout that is config.json' \
	sh -c 'cd "$1" && "$2" spec >config.json && jq -e .process config.json' - "$T/z5" "$OCIRT"
check 'Z5: and still overwrites nothing' sh -c '! "$2" spec -b "$1"' - "$T/z5" "$OCIRT"

[ "$(id -u)" = 0 ] || done_testing

# ---- as they are, on a terminal ----

# report: the program of $B is a shell that tells what it finds
report()
{
	cat >"$B/rootfs/report" <<'EOF'
echo "cwd $(pwd)"
echo "host $(hostname)"
echo "term $TERM"
echo "ids $(id -u):$(id -g)"
echo "nofile $(ulimit -n)"
sed -n 's/^Cap\(Eff\|Bnd\|Inh\|Amb\):.*\(.\{8\}\)$/cap \1 \2/p' /proc/self/status
awk '{ print "mounted", $5 }' /proc/self/mountinfo
[ -t 0 ] && echo "tty yes"
[ -c /dev/null ] && [ -c /dev/tty ] && echo "devices yes"
[ -c /dev/fuse ] && echo "fuse yes"
touch /x 2>/dev/null && echo "root rw" || echo "root ro"
(echo 1 >/proc/sys/kernel/domainname) 2>/dev/null || echo "sys ro"
EOF
}

# block_io: limits of block devices are for a device that this host has; a v2
# kernel without bfq and iocost has no weights
block_io()
{
	disk=$(cd /sys/dev/block && for d in *; do echo "$d"; break; done)
	[ ! -d "/sys/dev/block/$disk" ] || ! grep -q '"major": 8,' "$B/config.json" ||
		config "s/\"major\": 8,/\"major\": ${disk%:*},/
			s/\"minor\": 0,/\"minor\": ${disk#*:},/"
	[ "$(host_kind)" != v2 ] || ls /sys/fs/cgroup/*/io.*weight >/dev/null 2>&1 ||
		edit 'del(.linux.resources.blockIO.blkioWeight)'
}

if [ -x tests/bin/ptyrun ]; then
	for era in article A A2 B C D E; do
		old $era
		case $era in D | E) block_io ;; esac
		report
		# its program is the shell the config names, told by the terminal
		source='/mnt/blogWork/blog'
		if [ $era = article ]; then
			mkdir "$T/blog" 2>/dev/null
			cp "$B/rootfs/bin/busybox" "$B/rootfs/bin/bash"
			ln -sf busybox "$B/rootfs/bin/bash"
			cat "$B/config.json" >"$T/c"
			sed "s|$source|$T/blog|; s|\"bash\"|\"sh\"|" "$T/c" >"$B/config.json"
		fi
		out=$(timeout 20 tests/bin/ptyrun -t '. /report; exit 7\n' -- \
			"$OCIRT" --root "$ROOT" run -b "$B" "$ID" 2>&1 | tr -d '\r')
		check "$era leaves nothing" nothing_left
		caps=20000420 cwd=/ root=ro host=shell nofile=1024
		case $era in
		article) cwd=/hexo root=rw nofile='[0-9]+|nofile unlimited' ;;
		A | A2) nofile='[0-9]+|nofile unlimited' ;;
		D) host=runc ;;
		E) host=runc caps=00000020 ;;
		esac
		case $era in
		D | E) like "$era: the filter refuses getcwd" "$out" \
			'getcwd: Operation not permitted' ;;
		*) like "Y4: $era: cwd" "$out" "^cwd $cwd$" ;;
		esac
		like "$era: hostname" "$out" "^host $host$"
		like "$era: environment" "$out" '^term xterm$'
		like "$era: ids" "$out" '^ids 0:0$'
		like "$era: limits" "$out" "^(nofile $nofile)$"
		like "Y12: $era: effective capabilities" "$out" "^cap Eff $caps$"
		like "Y12: $era: bounding set" "$out" "^cap Bnd $caps$"
		like "Y12: $era: inheritable set" "$out" "^cap Inh $caps$"
		like "$era: terminal" "$out" '^tty yes$'
		like "Y11: $era: devices" "$out" '^devices yes$'
		for m in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys; do
			like "$era: $m is mounted" "$out" "^mounted $m$"
		done
		like "$era: root" "$out" "^root $root$"
		[ $era != article ] || like "$era: the bind" "$out" '^mounted /hexo$'
		[ $era = article ] || like "$era: /proc/sys is read-only" "$out" '^sys ro$'
		[ $era != C ] || like "$era: its own device" "$out" '^fuse yes$'
	done
else
	skip 'the bundles run on a terminal' 'no tests/bin/ptyrun: make helpers'
fi

# ---- the old command lines ----

# in_bundle ARGS...: ocirt in the bundle's directory, which names the container
in_bundle()
{
	(cd "$B" && timeout 20 "$OCIRT" --root "$ROOT" "$@" </dev/null)
}
B=$T/$ID
old A '.process.terminal = false | .process.args = ["sh", "-c", "echo hello; exit 7"]'
is 'Z1 Z7: ocirt alone runs a pre-draft config' "$(in_bundle; echo $?)" "hello
7"
cp "$B/config.json" "$T/my.json"
is 'Z1: and one that is named' "$(in_bundle "$T/my.json"; echo $?)" "hello
7"
is 'Z3: start alone creates and runs' "$(in_bundle start; echo $?)" "hello
7"
is 'Z3: start ID too, where the config is old' "$(in_bundle start "$ID-x"; echo $?)" "hello
7"
is 'Z2 Z3: start takes the id from --id' "$(in_bundle --id "$ID-y" start; echo $?)" "hello
7"
is 'Z3: start -b' "$(o start -b "$B" "$ID-z"; echo $?)" "hello
7"
check 'nothing is left' nothing_left

bundle
args '"sh","-c","sleep 100"'
refused 'Z3: with a config of today an unknown ID is an error' 'container does not exist' \
	in_bundle start "$ID-x"
like 'Z1: without a command there is help' "$(in_bundle)" '^USAGE'
o create -b "$B" "$ID-c" </dev/null >/dev/null 2>&1
check 'Z3: start ID of what was created starts it' in_bundle start "$ID-c"
is 'and it runs' "$(status "$ID-c")" running
echo '{"args": ["echo", "execed"], "cwd": "/", "env": ["PATH=/bin"], "capabilities": ["CAP_KILL"]}' >"$T/p.json"
is 'Z4: exec FILE with --id' "$(o --id "$ID-c" exec "$T/p.json" 2>&1)" execed
like 'Z2: state with --id' "$(o --id "$ID-c" state)" '"status": "running"'
check 'Z2 Z8: kill SIGNAL with --id' o --id "$ID-c" kill SIGKILL
check 'it ends' wait_for 10 is_status "$ID-c" stopped
check 'Z2: delete with --id' o --id "$ID-c" delete

args '"sleep 10"'
refused 'one string of two words gets a hint' \
	'exec: "sleep 10": executable file not found in \$PATH \(hint: each word is an element of args\)' \
	run_b

done_testing
