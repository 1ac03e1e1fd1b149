#!/bin/sh
# bad.t - the errors that a runtime must raise, each by create
#
# One wrong thing in a bundle that is right otherwise: status 1, one line that
# says what, and nothing left. What others only note is taken and noted.
# schema.t has the types and ranges of all fields, spec.t the rules of each.
#
# Needs: root, jq.
# shellcheck disable=SC2016,SC2119
. tests/lib.sh
need_root
need_program jq

bundle
args '"true"'
cp "$B/config.json" "$T/good.json"
seccomp=1
"$OCIRT" features | grep -q '"SCMP_ACT_ALLOW"' || seccomp=0

# bad 'sentence' FILTER PATTERN: create refuses $B after that change
bad()
{
	cp "$T/good.json" "$B/config.json"
	edit "$2"
	refused "$1" "$3" o create -b "$B" "$ID"
}

# noted 'sentence' FILTER PATTERN: plan takes it and notes it
noted()
{
	cp "$T/good.json" "$B/config.json"
	edit "$2"
	rc=0
	out=$(o plan -b "$B" "$ID" 2>&1) || rc=$?
	like "$1" "$rc $(printf '%s' "$out" | tr '\n' ' ')" "^0 .*$3"
}

# ---- the bundle ----

mkdir "$T/empty"
refused 'B1: no config.json' 'JSON specification file config.json not found' \
	o create -b "$T/empty" "$ID"
for text in '{' '' '{"a": 1,}' '{]' 'null' '[]' '// words' '{} x'; do
	printf '%s\n' "$text" >"$B/config.json"
	refused "B5: config.json is '$text'" 'config\.json:[0-9]+:[0-9]+: ' \
		o create -b "$B" "$ID"
done
printf '{"ociVersion": "1.0.0", "hostname": "a\\u0000b"}' >"$B/config.json"
refused 'B13 M21: a NUL byte in a string' 'config\.json:1:[0-9]+: \\u0000 in a string' \
	o create -b "$B" "$ID"
jq '.annotations = {"a": "1"}' "$T/good.json" |
	sed 's/"a": "1"/"a": "1", "a": "2"/' >"$B/config.json"
refused 'B3: a key twice' 'config\.json:[0-9]+:[0-9]+: .*(twice|duplicate)' \
	o create -b "$B" "$ID"
sed 's/"hostname"/"hostName"/' "$T/good.json" >"$B/config.json"
refused 'B3: a key in another case' "wrong case, expected 'hostname'" \
	o create -b "$B" "$ID"
{
	cat "$T/good.json"
	printf '\n \t\r\n\n'
} >"$B/config.json"
check 'B9: white space behind the value is no error' o plan -b "$B" "$ID"
for n in 1.5 1e3 9223372036854775808 -9223372036854775809; do
	sed "s/\"cwd\"/\"oomScoreAdj\": $n, \"cwd\"/" "$T/good.json" \
		>"$B/config.json"
	refused "B7: the number $n" 'process\.oomScoreAdj: ' \
		o create -b "$B" "$ID"
done
sed 's/"soft": [0-9]*/"soft": 18446744073709551615/
	s/"hard": [0-9]*/"hard": 18446744073709551615/' "$T/good.json" \
	>"$B/config.json"
check 'B7: 2^64-1 is a limit' o plan -b "$B" "$ID"
jq '.annotations = ([range(20000) | {key: "key.\(.)",
	value: "a value of fifty bytes or so, to make it a megabyte"}] |
	from_entries)' "$T/good.json" >"$B/config.json"
check 'B13: a config of a megabyte and more' test \
	"$(wc -c <"$B/config.json")" -gt 1048576
check 'B13: is read' o plan -b "$B" "$ID"

bad 'B8: ociVersion 2.0.0' '.ociVersion = "2.0.0"' \
	'ociVersion: version 2\.0\.0 is not supported'
bad 'B2: no root' 'del(.root)' "'root' is missing"
bad 'B2: a root that is not there' '.root.path = "none"' \
	'none: no such file or directory'
bad 'B2: a root that is a file' '.root.path = "config.json"' 'not a directory'

# ---- process ----

for cwd in tmp ''; do
	bad "P3: cwd '$cwd'" ".process.cwd = \"$cwd\"" \
		'process\.cwd: Cwd must be an absolute path'
done
bad 'P5: no args' '.process.args = []' 'process args cannot be empty'
for entry in x '' =x; do
	bad "V5: env entry '$entry'" ".process.env += [\"$entry\"]" \
		'process\.env: entry [0-9]+ is not NAME=VALUE'
done
bad 'P10: an unknown rlimit' '.process.rlimits[0].type = "RLIMIT_X"' \
	"process\\.rlimits\\[0\\]\\.type: unknown type 'RLIMIT_X'"
bad 'P10: an rlimit twice' '.process.rlimits += .process.rlimits' \
	'process\.rlimits\[1\]\.type: duplicate rlimit'
bad 'P15: an unknown policy' '.process.scheduler = {policy: "X"}' \
	'process\.scheduler\.policy: '
bad 'P15: a nice value out of range' \
	'.process.scheduler = {policy: "SCHED_OTHER", nice: 20}' \
	'process\.scheduler\.nice: '
bad 'P16: a priority of 8' \
	'.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}' \
	'process\.ioPriority\.priority: '
bad 'P17: a list of CPUs that is none' \
	'.process.execCPUAffinity = {initial: "0-"}' \
	'process\.execCPUAffinity\.initial: '
cp "$T/good.json" "$B/config.json"
edit '.process.commandLine = "x" | .process.args = ["true"]'
check 'P21: commandLine is no error' o plan -b "$B" "$ID"

# ---- hostname, mounts, hooks ----

cp "$T/good.json" "$T/had.json"
jq 'del(.linux.namespaces[] | select(.type == "uts")) | .hostname = ""' \
	"$T/had.json" >"$T/good.json"
bad 'R3: a hostname without a uts namespace' '.hostname = "x"' \
	'hostname: unable to set hostname without a private UTS namespace'
bad 'R4: a domainname without one' '.domainname = "x"' \
	'domainname: unable to set domainname without a private UTS namespace'
mv "$T/had.json" "$T/good.json"
bad 'M9: a bind with data' '.mounts += [{destination: "/m", source: "/tmp",
	options: ["bind", "size=1k"]}]' 'data options on a bind mount: size=1k'
bad 'M8: a mount below /proc' '.mounts += [{destination: "/proc/sys",
	source: "tmpfs", type: "tmpfs"}]' 'inside /proc'
bad 'M6: a mount on /' '.mounts += [{destination: "/", source: "tmpfs",
	type: "tmpfs"}]' 'mountpoint is on the top of rootfs'
bad 'M19: idmap without maps or a user namespace' '.mounts += [{
	destination: "/m", source: "/tmp", options: ["bind", "idmap"]}]' \
	'mounts\[[0-9]+\]'
bad 'H2: a relative path of a hook' '.hooks = {poststop: [{path: "x"}]}' \
	'hooks\.poststop\[0\]\.path: expected an absolute path'
for n in 0 -1; do
	bad "H4: a timeout of $n" ".hooks = {prestart: [{path: \"/x\",
		timeout: $n}]}" \
		'hooks\.prestart\[0\]\.timeout: expected more than 0'
done

# ---- linux ----

bad 'N1: a namespace twice' '.linux.namespaces += [{type: "pid"}]' \
	"duplicated ns 'pid'"
bad 'N1: an unknown namespace' '.linux.namespaces += [{type: "x"}]' \
	"namespace 'x' does not exist"
bad 'N2: a path of another type' '.linux.namespaces |=
	map(if .type == "ipc" then .path = "/proc/self/ns/uts" else . end)' \
	'(ipc|namespace)'
bad 'N6: mappings without a user namespace' '.linux.uidMappings =
	[{containerID: 0, hostID: 0, size: 1}] |
	.linux.gidMappings = .linux.uidMappings' 'linux\.uidMappings.*: '
bad 'K2: an unknown propagation' '.linux.rootfsPropagation = "x"' \
	'rootfsPropagation=x is not supported'
bad 'K1: a sysctl of the host' '.linux.sysctl = {"vm.swappiness": "1"}' \
	'sysctl "vm\.swappiness" is not in a separate kernel namespace'
bad 'K7: an unknown mode' '.linux.memoryPolicy = {mode: "X", nodes: "0"}' \
	'linux\.memoryPolicy\.mode: '
bad 'K7: a policy without nodes' '.linux.memoryPolicy = {mode: "MPOL_BIND"}' \
	'linux\.memoryPolicy'
bad 'K6: an unknown domain' '.linux.personality = {domain: "X"}' \
	'linux\.personality\.domain: '
bad 'D1: an unknown type of device' '.linux.devices = [{path: "/dev/x",
	type: "x", major: 1, minor: 3}]' "unknown type 'x'"
bad 'D1: access of a device rule' '.linux.resources.devices += [{allow: true,
	access: "x"}]' "access: expected some of 'rwm'"
bad 'D8: a name of a device that is no string' \
	'.linux.netDevices = {lo: {name: 7}}' 'expected a string, found a number'
bad 'D8: a name of a device that is too long' \
	'.linux.netDevices = {eth0: {name: "sixteen-letters-"}}' \
	'linux\.netDevices\.eth0'
bad 'I2: closID with a slash' '.linux.intelRdt = {closID: "a/b"}' \
	'linux\.intelRdt'
bad 'G6: 64kB is no size of a page' '.linux.resources.hugepageLimits =
	[{pageSize: "64kB", limit: 1}]' 'hugepageLimits\[0\]\.pageSize: .*64kB'
bad 'G6: an rdma limit that is no number' '.linux.resources.rdma =
	{mlx5_1: {hcaHandles: "x"}}' 'expected an integer, found a string'
bad 'G6: a unified key with a slash' '.linux.resources.unified =
	{"../x": "1"}' 'linux\.resources\.unified\.'
bad 'G6: less swap than memory' '.linux.resources.memory =
	{limit: 2097152, swap: 1048576}' \
	'memory\+swap limit should be >= memory limit'

if [ "$seccomp" = 1 ]; then
	rule='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{
		names: ["mkdir"], action: "SCMP_ACT_ERRNO"}]} | .linux.seccomp'
	bad 'Q2: an unknown action' "$rule.syscalls[0].action = \"X\"" \
		"action: unknown action 'X'"
	bad 'Q2: an unknown operator' "$rule.syscalls[0].args = [{index: 0,
		value: 0, op: \"X\"}]" "op: unknown operator 'X'"
	bad 'Q4: an unknown architecture' "$rule.architectures = [\"X\"]" \
		"unknown architecture 'X'"
	bad 'Q7: an unknown flag' "$rule.flags = [\"X\"]" "unknown flag 'X'"
	bad 'Q10: notify by default' "$rule.defaultAction = \"SCMP_ACT_NOTIFY\"" \
		'linux\.seccomp\.defaultAction: '
	noted 'Q5: an unknown system call is noted' \
		"$rule.syscalls[0].names = [\"no_such_call\"]" \
		'unknown system call no_such_call'
else
	skip 'Q2: what a filter asks for' 'built without seccomp'
fi

# ---- what is noted only ----

noted 'P9: an unknown capability is noted' \
	'.process.capabilities.bounding += ["CAP_X"]' 'unknown capability CAP_X'
noted 'M2: a relative destination is noted' '.mounts += [{destination: "m",
	type: "tmpfs", source: "tmpfs"}]' "'m' is relative"
noted 'K6: flags of the personality are noted' '.linux.personality =
	{domain: "LINUX", flags: ["x"]}' 'personality flags are ignored'
noted 'B4: unknown properties are no error' '.x = {y: [1]} |
	.process.x = null | .linux.resources.x = 7' 'id '

# ---- the command line ----

cp "$T/good.json" "$B/config.json"
for id in . a/b 'a b' ''; do
	refused "L4: the id '$id'" \
		'invalid container ID format|container id cannot be empty' \
		o create -b "$B" "$id"
done
o create -b "$B" "$ID" </dev/null >"$T/out" 2>&1
before=$(pid "$ID")
rc=0
err=$(o create -b "$B" "$ID" 2>&1 </dev/null) || rc=$?
like 'L3: an id that is taken' "$rc $err" \
	'^1 .*container with given ID already exists$'
is 'L3: the first container lives on' "$(pid "$ID")" "$before"
o delete -f "$ID"
refused 'V2: a descriptor that is not there' \
	'unable to stat preserved-fd [0-9]+ \(of 7\)' \
	o create -b "$B" --preserve-fds 7 "$ID"
refused 'E4: a console socket without a terminal' \
	'cannot use console socket if .* will not detach or allocate tty' \
	o create -b "$B" --console-socket "$T/none" "$ID"
edit '.process.terminal = true'
refused 'E4: a terminal without a console socket' \
	'cannot allocate tty if .* will detach without setting console socket' \
	o create -b "$B" "$ID"
cp "$T/good.json" "$B/config.json"
refused 'L8: a pid file in no directory' 'no such file or directory' \
	o create -b "$B" --pid-file "$T/none/pid" "$ID"

check 'nothing is left at the end' nothing_left
done_testing
