#!/bin/sh
# spec.t - config.json becomes struct spec, or is refused with one line
#
# Covers every field of the spec_f_ tables (right and wrong type, null, absent,
# wrong case), every rule of spec_check(), what plan_make() and scmp_compile()
# refuse, and the ways a bundle can be no bundle. A refusal is: status 1, one
# line on stderr, nothing on stdout. Positions are json.t's subject.
#
# Needs: "ocirt plan", which does nothing to the machine. No root. The examples
# of the runtime spec, where they are: ../shared/spec/examples, $SPEC_EXAMPLES.
# shellcheck disable=SC2317
LC_ALL=C
export LC_ALL
. tests/lib.sh

mkdir -p "$B/rootfs" || exit 1

# ---- configs, built from the inside out ----

# For the objects below: namespaces besides the mount one, the list of a hook
also='' hook=prestart

# defaults TABLE: the members that an object of the table cannot do without
defaults()
{
	case $1 in
	top)
		echo 'ociVersion "1.3.0"'
		echo 'root {"path": "rootfs"}'
		echo 'process {"cwd": "/", "args": ["sh"]}'
		printf 'linux {"namespaces": [%s{"type": "mount"}]}\n' "$also"
		;;
	root) echo 'path "rootfs"' ;;
	process) printf '%s\n' 'cwd "/"' 'args ["sh"]' ;;
	size) printf '%s\n' 'height 1' 'width 1' ;;
	rlimit) printf '%s\n' 'type "RLIMIT_CORE"' 'soft 0' 'hard 0' ;;
	mount) printf '%s\n' 'destination "/m"' 'type "tmpfs"' ;;
	hook) echo 'path "/hook"' ;;
	ns) echo 'type "ipc"' ;;
	device)
		printf '%s\n' 'path "/dev/x"' 'type "c"' 'major 1' 'minor 3'
		;;
	rule) printf '%s\n' 'allow false' 'access "rwm"' ;;
	linux) printf 'namespaces [%s{"type": "mount"}]\n' "$also" ;;
	seccomp) echo 'defaultAction "SCMP_ACT_ALLOW"' ;;
	scmp_rule)
		printf '%s\n' 'names ["mkdir"]' 'action "SCMP_ACT_ERRNO"'
		;;
	scmp_arg) printf '%s\n' 'index 0' 'value 0' 'op "SCMP_CMP_EQ"' ;;
	scheduler) echo 'policy "SCHED_OTHER"' ;;
	ioprio) printf '%s\n' 'class "IOPRIO_CLASS_BE"' 'priority 4' ;;
	idmap) printf '%s\n' 'containerID 0' 'hostID 0' 'size 1' ;;
	blkio_weight) printf '%s\n' 'major 8' 'minor 0' 'weight 10' ;;
	blkio_rate) printf '%s\n' 'major 8' 'minor 0' 'rate 1' ;;
	hugepage) printf '%s\n' 'pageSize "2MB"' 'limit 1' ;;
	priority) printf '%s\n' 'name "lo"' 'priority 1' ;;
	mempolicy) printf '%s\n' 'mode "MPOL_BIND"' 'nodes "0"' ;;
	personality) echo 'domain "LINUX32"' ;;
	esac
}

# object TABLE KEY [VALUE]: one of the table, with KEY as VALUE or without KEY
object()
{
	defaults "$1" | {
		sep=
		printf '{'
		while read -r k v; do
			[ "$k" = "$2" ] && continue
			printf '%s"%s": %s' "$sep" "$k" "$v"
			sep=', '
		done
		[ -z "${3-}" ] || printf '%s"%s": %s' "$sep" "$2" "$3"
		printf '}'
	}
}

# wrap TABLE OBJECT: a whole config around it
wrap()
{
	case $1 in
	top) printf '%s\n' "$2" ;;
	root) wrap top "$(object top root "$2")" ;;
	process) wrap top "$(object top process "$2")" ;;
	user) wrap process "$(object process user "$2")" ;;
	size) wrap process "$(object process consoleSize "$2")" ;;
	caps) wrap process "$(object process capabilities "$2")" ;;
	rlimit) wrap process "$(object process rlimits "[$2]")" ;;
	mount) wrap top "$(object top mounts "[$2]")" ;;
	hooks) wrap top "$(object top hooks "$2")" ;;
	hook) wrap hooks "$(object hooks "$hook" "[$2]")" ;;
	linux) wrap top "$(object top linux "$2")" ;;
	ns) wrap linux "$(object linux namespaces "[$2, {\"type\": \"mount\"}]")" ;;
	device) wrap linux "$(object linux devices "[$2]")" ;;
	resources) wrap linux "$(object linux resources "$2")" ;;
	rule) wrap resources "$(object resources devices "[$2]")" ;;
	seccomp) wrap linux "$(object linux seccomp "$2")" ;;
	scmp_rule) wrap seccomp "$(object seccomp syscalls "[$2]")" ;;
	scmp_arg) wrap scmp_rule "$(object scmp_rule args "[$2]")" ;;
	blkio_weight) wrap blkio "$(object blkio weightDevice "[$2]")" ;;
	blkio_rate) wrap blkio "$(object blkio throttleReadBpsDevice "[$2]")" ;;
	priority) wrap network "$(object network priorities "[$2]")" ;;
	*) # the rest stand in one field of their own, maybe in a list or by name
		child_of "$1"
		wrap "$parent" "$(object "$parent" "$in" "$before$2$after")"
		;;
	esac
}

# child_of TABLE: $parent and $in: where it stands; $before and $after: its
# value there; $place: the path from there
child_of()
{
	before='' after='' place=''
	case $1 in
	scheduler) parent=process in=scheduler ;;
	ioprio) parent=process in=ioPriority ;;
	affinity) parent=process in=execCPUAffinity ;;
	idmap) parent=linux in=uidMappings ;;
	time_offset) parent=linux in=timeOffsets place=.monotonic ;;
	netdev) parent=linux in=netDevices place=.eth0 ;;
	rdt) parent=linux in=intelRdt ;;
	mempolicy) parent=linux in=memoryPolicy ;;
	personality) parent=linux in=personality ;;
	memory | cpu | pids | network) parent=resources in=$1 ;;
	blkio | blkio_weight | blkio_rate) parent=resources in=blockIO ;;
	priority) parent=resources in=network ;;
	hugepage) parent=resources in=hugepageLimits ;;
	rdma) parent=resources in=rdma place=.mlx5_1 ;;
	*) parent='' in='' ;;
	esac
	case $1 in
	idmap | hugepage) before='[' after=']' place='[0]' ;;
	esac
	case $place in
	.*) before="{\"${place#.}\": " after='}' ;;
	esac
}

# at TABLE: the path of the object that wrap makes, with its dot
at()
{
	case $1 in
	top) ;;
	user) echo process.user. ;;
	size) echo process.consoleSize. ;;
	caps) echo process.capabilities. ;;
	rlimit) echo 'process.rlimits[0].' ;;
	mount) echo 'mounts[0].' ;;
	hook) echo "hooks.${hook}[0]." ;;
	ns) echo 'linux.namespaces[0].' ;;
	device) echo 'linux.devices[0].' ;;
	resources) echo 'linux.resources.' ;;
	rule) echo 'linux.resources.devices[0].' ;;
	seccomp) echo 'linux.seccomp.' ;;
	scmp_rule) echo 'linux.seccomp.syscalls[0].' ;;
	scmp_arg) echo 'linux.seccomp.syscalls[0].args[0].' ;;
	blkio_weight) echo 'linux.resources.blockIO.weightDevice[0].' ;;
	blkio_rate) echo 'linux.resources.blockIO.throttleReadBpsDevice[0].' ;;
	priority) echo 'linux.resources.network.priorities[0].' ;;
	*)
		child_of "$1"
		case $parent in
		'') echo "$1." ;;
		resources) echo "linux.resources.$in$place." ;;
		*) echo "$parent.$in$place." ;;
		esac
		;;
	esac
}

# ---- assertions ----

plan()
{
	"$OCIRT" plan -b "$B" "$@" >"$T/out" 2>"$T/err" </dev/null
}

# refused_by STATUS: what a refusal must look like; else what was wrong
refused_by()
{
	[ "$1" = 1 ] || echo "status $1"
	[ ! -s "$T/out" ] || echo "on stdout: $(head -n 3 "$T/out")"
	[ "$(wc -l <"$T/err")" -eq 1 ] || echo "lines: $(cat "$T/err")"
}

# error 'sentence' MESSAGE [ARGS...]: plan refuses with just that; places in
# config.json are left out
error()
{
	sentence=$1 want=$2
	shift 2
	rc=0
	plan "$@" || rc=$?
	is "$sentence" "$(refused_by "$rc")$(sed '
		s/^ocirt: plan: //
		s/^config\.json:[0-9]*:[0-9]*: //
		s/^ocirt: plan .*: \(invalid container ID format\)$/\1/
		s/: too many levels of symbolic links$/: symbolic link loop/
		' "$T/err")" "$want"
}

# refuse 'sentence' TABLE KEY VALUE MESSAGE: VALUE "" leaves KEY out
refuse()
{
	wrap "$2" "$(object "$2" "$3" "$4")" >"$B/config.json"
	error "$1" "$5"
}

# take 'sentence' TABLE KEY VALUE: no refusal, and not a word on stderr
take()
{
	wrap "$2" "$(object "$2" "$3" "$4")" >"$B/config.json"
	rc=0
	plan || rc=$?
	is "$1" "$rc $(cat "$T/err")" '0 '
}

# later 'sentence' TABLE KEY VALUE PATH: refused for what is at or below PATH
later()
{
	wrap "$2" "$(object "$2" "$3" "$4")" >"$B/config.json"
	rc=0
	plan || rc=$?
	said=$(refused_by "$rc")$(sed 's/^ocirt: plan: config\.json:[0-9:]* //' \
		"$T/err")
	case $said in
	"$5"*': not supported by this version of ocirt') ok "$1" ;;
	*) is "$1" "$said" "$5...: not supported by this version of ocirt" ;;
	esac
}

# ---- without a filter library, filters are refused ----

seccomp=1
"$OCIRT" features | grep -q '"SCMP_ACT_ALLOW"' || seccomp=0
if [ "$seccomp" = 0 ]; then
	refuse 'a filter is refused by a build without seccomp' linux seccomp \
		'{"defaultAction": "SCMP_ACT_ALLOW"}' 'linux.seccomp: a filter is asked for, but ocirt was built without seccomp'
fi

# ---- every field ----

# TABLE KEY TYPE REQUIRED GOOD. REQUIRED: r the table says so, c a check does.
# GOOD asks for something; behind a ~ it is taken only together with others, or
# on some hosts, so that only its refusal is looked at here.
cat >"$T/fields" <<'END'
top ociVersion STR r "1.2.1"
top root OBJ c {"path": "rootfs"}
top process OBJ - {"cwd": "/", "args": ["sh"]}
top hostname STR - ""
top domainname STR - ""
top mounts LIST - [{"destination": "/m", "type": "tmpfs"}]
top hooks OBJ - {}
top annotations MAP - {"a": "b"}
top linux OBJ c {"namespaces": [{"type": "mount"}]}
root path STR r "rootfs"
root readonly BOOL - true
process terminal BOOL - true
process consoleSize OBJ - {"height": 1, "width": 1}
process user OBJ - {}
process args STRS c ["sh", ""]
process env STRS - ["A="]
process cwd STR r "/tmp"
process capabilities OBJ - {}
process rlimits LIST - []
process noNewPrivileges BOOL - true
process apparmorProfile STR - ""
process selinuxLabel STR - ""
process oomScoreAdj I64 - 100
process scheduler OBJ - {"policy":"SCHED_OTHER"}
process ioPriority OBJ - {"class":"IOPRIO_CLASS_BE","priority":4}
process execCPUAffinity OBJ - {"initial":"0"}
scheduler policy WORD r "SCHED_BATCH"
scheduler nice I64 - 1
scheduler priority I64 - ~1
scheduler flags WORDS - ["SCHED_FLAG_RESET_ON_FORK"]
scheduler runtime U64 - ~1
scheduler deadline U64 - ~1
scheduler period U64 - ~1
ioprio class WORD r "IOPRIO_CLASS_IDLE"
ioprio priority I64 - 7
affinity initial STR - "0"
affinity final STR - "0"
idmap containerID ID r ~1
idmap hostID ID r ~1
idmap size U32 r ~2
user uid ID - 1
user gid ID - 1
user umask U32 - 18
user additionalGids IDS - [1, 2]
size height U32 r 65535
size width U32 r 65535
caps bounding CAPS - ["CAP_CHOWN"]
caps effective CAPS - ["CAP_CHOWN"]
caps inheritable CAPS - ["CAP_CHOWN"]
caps permitted CAPS - ["CAP_CHOWN"]
caps ambient CAPS - ["CAP_CHOWN"]
rlimit type WORD r "RLIMIT_AS"
rlimit soft U64 r 0
rlimit hard U64 r 18446744073709551615
mount destination STR r "/x"
mount type STR c "tmpfs"
mount source STR - "tmpfs"
mount options STRS - ["ro"]
mount uidMappings LIST - ~[{"containerID":0,"hostID":0,"size":1}]
mount gidMappings LIST - ~[{"containerID":0,"hostID":0,"size":1}]
hooks prestart LIST - []
hooks createRuntime LIST - []
hooks createContainer LIST - []
hooks startContainer LIST - []
hooks poststart LIST - []
hooks poststop LIST - []
hook path STR r "/bin/true"
hook args STRS - ["true"]
hook env STRS - ["A=1"]
hook timeout I64 - 1
ns type STR r "pid"
ns path STR - ""
device path STR r "/dev/y"
device type WORD r "b"
device major I64 c 8
device minor I64 c 1
device fileMode U32 - 8630
device uid ID - 1
device gid ID - 1
rule allow BOOL - false
rule type STR - "a"
rule major I64 - -1
rule minor I64 - -1
rule access STR c "rwm"
resources devices LIST - []
resources memory OBJ - ~{"limit":1048576}
resources cpu OBJ - ~{"shares":2}
resources pids OBJ - ~{"limit":-1}
resources blockIO OBJ - ~{"weight":10}
resources hugepageLimits LIST - ~[{"pageSize":"2MB","limit":1}]
resources network OBJ - ~{"classID":1}
resources rdma OBJS - ~{"mlx5_1":{"hcaHandles":3}}
resources unified MAP - ~{"memory.high":"1"}
memory limit I64 - ~1048576
memory reservation I64 - ~1048576
memory swap I64 - ~-1
memory kernel I64 - ~1048576
memory kernelTCP I64 - ~1048576
memory swappiness U64 - ~60
memory disableOOMKiller BOOL - ~true
memory useHierarchy BOOL - ~true
memory checkBeforeUpdate BOOL - ~true
cpu shares U64 - ~1024
cpu quota I64 - ~1000
cpu burst U64 - ~1000
cpu period U64 - ~1000
cpu realtimeRuntime I64 - ~1
cpu realtimePeriod U64 - ~1
cpu idle I64 - ~1
cpu cpus STR - ~"0"
cpu mems STR - ~"0"
pids limit I64 - ~0
blkio weight U32 - ~10
blkio leafWeight U32 - ~10
blkio weightDevice LIST - ~[{"major":8,"minor":0,"weight":10}]
blkio throttleReadBpsDevice LIST - ~[{"major":8,"minor":0,"rate":1}]
blkio throttleWriteBpsDevice LIST - ~[{"major":8,"minor":0,"rate":1}]
blkio throttleReadIOPSDevice LIST - ~[{"major":8,"minor":0,"rate":1}]
blkio throttleWriteIOPSDevice LIST - ~[{"major":8,"minor":0,"rate":1}]
blkio_weight major I64 r ~8
blkio_weight minor I64 r ~0
blkio_weight weight U32 - ~10
blkio_weight leafWeight U32 - ~10
blkio_rate major I64 r ~8
blkio_rate minor I64 r ~0
blkio_rate rate U64 r ~1
hugepage pageSize STR r ~"2MB"
hugepage limit U64 r ~1
network classID U32 - ~1
network priorities LIST - ~[{"name":"lo","priority":1}]
priority name STR r ~"lo"
priority priority U32 r ~1
rdma hcaHandles U32 - ~3
rdma hcaObjects U32 - ~3
linux namespaces LIST c [{"type": "mount"}]
linux devices LIST - []
linux sysctl MAP - {}
linux resources OBJ - {}
linux seccomp OBJ - {}
linux cgroupsPath STR - "/x"
linux mountLabel STR - ""
linux rootfsPropagation STR - "rprivate"
linux maskedPaths STRS - ["/m"]
linux readonlyPaths STRS - ["/r"]
linux uidMappings LIST - ~[{"containerID":0,"hostID":0,"size":1}]
linux gidMappings LIST - ~[{"containerID":0,"hostID":0,"size":1}]
linux timeOffsets OBJS - ~{"monotonic":{"secs":1}}
linux netDevices OBJS - ~{"eth0":{"name":"eth1"}}
linux intelRdt OBJ - ~{"closID":"x"}
linux memoryPolicy OBJ - ~{"mode":"MPOL_BIND","nodes":"0"}
linux personality OBJ - {"domain":"LINUX32"}
time_offset secs I64 - ~1
time_offset nanosecs U32 - ~1
netdev name STR - ~"eth1"
rdt closID STR - ~"x"
rdt schemata STRS - ~["MB:0=20"]
rdt l3CacheSchema STR - ~"L3:0=f"
rdt memBwSchema STR - ~"MB:0=20"
rdt enableMonitoring BOOL - ~true
mempolicy mode WORD r ~"MPOL_BIND"
mempolicy nodes STR c ~"0"
mempolicy flags WORDS - ~["MPOL_F_STATIC_NODES"]
personality domain WORD r "LINUX"
personality flags STRS - []
seccomp defaultAction STR - "SCMP_ACT_ALLOW"
seccomp defaultErrnoRet U32 -
seccomp architectures STRS - ["SCMP_ARCH_X86_64"]
seccomp flags STRS - ["SECCOMP_FILTER_FLAG_LOG"]
seccomp listenerPath STR - ""
seccomp listenerMetadata STR -
seccomp syscalls LIST - []
scmp_rule names STRS r ["rmdir"]
scmp_rule action STR r "SCMP_ACT_LOG"
scmp_rule errnoRet U32 - 38
scmp_rule args LIST - []
scmp_arg index U32 r 5
scmp_arg value U64 r 18446744073709551615
scmp_arg valueTwo U64 - 0
scmp_arg op STR r "SCMP_CMP_NE"
END

# rows: TABLE KEY TYPE REQUIRED of the tables of ocirt.c, and "later" or "never"
# behind those that are refused
rows()
{
	awk '/^static const struct spec_field spec_f_/ {
		table = $0; sub(/.*spec_f_/, "", table); sub(/\[.*/, "", table)
	}
	/^};/ { table = "" }
	table && match($0, /"[A-Za-z0-9]*"/) {
		key = substr($0, RSTART + 1, RLENGTH - 2)
		flag = $0 ~ /NEVER/ ? " never" : $0 ~ /LATER/ ? " later" : ""
		type = "?"
		if (match($0, /T_[A-Z0-9]*/))
			type = substr($0, RSTART + 2, RLENGTH - 2)
		if ($0 ~ /FW\(/) type = "WORD"
		if ($0 ~ /FX\(/) type = "WORDS"
		print table, key, type, \
			($0 ~ /FR\(|SPEC_REQUIRED/ ? "r" : "-") flag
	}' ocirt.c | sort
}

[ -f ocirt.c ] || skip_all 'needs ocirt.c, whose tables it compares'
rows >"$T/rows"
is 'the table of fields above is that of ocirt.c' \
	"$(awk '{ print $1, $2, $3, $4 == "r" ? "r" : "-" }' \
		"$T/fields" | sort)" "$(sed 's/ [a-z][a-z][a-z]*$//' "$T/rows")"

# not_built TABLE KEY: ocirt.c refuses it. 0 the field itself, 2 the object
# that it stands in, 1 neither
not_built()
{
	grep -q "^$1 $2 .* \(later\|never\)\$" "$T/rows" && return
	child_of "$1"
	[ -n "$parent" ] &&
		grep -q "^$parent $in .* \(later\|never\)\$" "$T/rows" &&
		return 2
	return 1
}

# field TABLE KEY TYPE REQUIRED GOOD: all that holds for any field
field()
{
	table=$1 key=$2 type=$3 required=$4
	good=${5#'~'}
	path=$(at "$table")$key
	self=$(at "$table")
	self=${self%.}
	built=0
	not_built "$table" "$key" || built=$?

	case $type in
	STR | WORD) wrong='7' says='a string, found a number' ;;
	BOOL) wrong='"true"' says='a boolean, found a string' ;;
	I64 | ID | U32 | U64) wrong='"1"' says='an integer, found a string' ;;
	STRS | WORDS) wrong='"x"' says='an array of strings, found a string' ;;
	IDS) wrong='7' says='an array of ids, found a number' ;;
	CAPS) wrong='{}' says='an array of capabilities, found an object' ;;
	MAP | OBJ | OBJS) wrong='[]' says='an object, found an array' ;;
	LIST) wrong='{}' says='an array, found an object' ;;
	esac
	refuse "B5: $path is no other type than it is" "$table" "$key" \
		"$wrong" "$path: expected $says"
	case $built$5 in
	0*) later "$path that asks for something is refused" "$table" "$key" \
		"$good" "$path" ;;
	2?*) later "$path in what is not built is refused" "$table" "$key" \
		"$good" "$self" ;;
	1 | 2 | 1~*) ;;
	*) take "$path takes $good" "$table" "$key" "$good" ;;
	esac
	# A config without a version is of those before there was one: legacy.t.
	[ "$key" != ociVersion ] || required=c
	case $required$built$5 in
	r*)
		missing=${self:+$self: }"'$key' is missing"
		refuse "$path cannot be absent" "$table" "$key" '' "$missing"
		refuse "$path cannot be null" "$table" "$key" null "$missing"
		;;
	c* | -2* | -1~*) ;;
	*) take "B6: $path may be null" "$table" "$key" null ;;
	esac
	upper=$(printf %s "$key" | tr '[:lower:]' '[:upper:]')
	refuse "B3: $path is spelt like that" "$table" "$upper" null \
		"${self:+$self.}$upper: wrong case, expected '$key'"
}

while read -r table key type required good; do
	case $seccomp$table in
	0seccomp | 0scmp_*) continue ;;
	esac
	[ "$seccomp$key" != 0seccomp ] || continue
	field "$table" "$key" "$type" "$required" "$good"
done <"$T/fields"
take 'B4: a key that nobody knows is ignored' process dance '{"cwd": 1}'

# ---- spec_check: version, root, names ----

for v in 0.5.0 0.6.0-dev 1.0.0 1.0.0-rc5 1.0.2-dev 1.3.0+x 1.99.0; do
	take "B8: ociVersion $v is taken" top ociVersion "\"$v\""
done
for v in 2.0.0 10.0.0; do
	refuse "B8: ociVersion $v is refused" top ociVersion "\"$v\"" \
		"ociVersion: version $v is not supported (expected 1.x)"
done
for v in '' x v1.0.0 1 .1; do
	refuse "B8: ociVersion '$v' is refused" top ociVersion "\"$v\"" \
		"ociVersion: '$v' is no version"
done
refuse 'B2: root cannot be absent' top root '' "'root' is missing"
refuse 'root cannot be null' top root null "'root' is missing"
refuse 'B2: root.path cannot be empty' root path '""' 'root.path: expected a path'
for path in / //. ../../../../../../../../../../../..; do
	refuse "root.path $path is not the host's root" root path "\"$path\"" \
		"root.path: the host's own root directory"
done
for name in hostname domainname; do
	refuse "$name needs a uts namespace" top $name '"x"' \
		"$name: unable to set $name without a private UTS namespace"
	also='{"type": "uts"}, '
	take "$name is taken with a uts namespace" top $name '"x"'
	also=
done
refuse 'an annotation has a name' top annotations '{"": "x"}' \
	'annotations: an annotation needs a name'

# ---- process ----

for cwd in '' . tmp ./tmp; do
	refuse "P3: cwd '$cwd' is refused" process cwd "\"$cwd\"" \
		'process.cwd: Cwd must be an absolute path'
done
refuse 'P5: args cannot be empty' process args '[]' \
	'process.args: process args cannot be empty'
refuse 'args cannot be absent' process args '' \
	'process: process args cannot be empty'
refuse 'args cannot be null' process args null \
	'process: process args cannot be empty'
for entry in PATH '' =x =; do
	refuse "V5: env entry '$entry' is refused" process env "[\"A=1\", \"$entry\"]" \
		'process.env: entry 1 is not NAME=VALUE'
	refuse "env entry '$entry' of a hook is refused" hook env "[\"$entry\"]" \
		'hooks.prestart[0].env: entry 0 is not NAME=VALUE'
done
take 'env entries may be empty, twice, and hold =' process env \
	'["A=", "A=b=c", "A==", " =", "\u00e9=\u00e9"]'
refuse 'P10: an unknown rlimit is refused' rlimit type '"RLIMIT_FOO"' \
	"process.rlimits[0].type: unknown type 'RLIMIT_FOO'"
refuse 'an rlimit in the wrong case is refused' rlimit type '"rlimit_core"' \
	"process.rlimits[0].type: unknown type 'rlimit_core'"
refuse 'P10: an rlimit comes once' process rlimits \
	'[{"type": "RLIMIT_CPU", "soft": 1, "hard": 1},
	{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]' \
	'process.rlimits[1].type: duplicate rlimit'
refuse 'a soft limit is not above the hard one' rlimit soft 1 \
	"process.rlimits[0].soft: above 'hard'"
refuse 'a soft limit above 2^63 is compared as it is' rlimit soft \
	18446744073709551615 "process.rlimits[0].soft: above 'hard'"
for r in AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS \
	RTPRIO RTTIME SIGPENDING STACK; do
	take "RLIMIT_$r is taken" rlimit type "\"RLIMIT_$r\""
done
take 'umask 0777 is taken' user umask 511
refuse 'P7: umask 01000 is refused' user umask 512 \
	'process.user.umask: out of range (0 to 511)'
for v in -1000 0 1000; do
	take "oomScoreAdj $v is taken" process oomScoreAdj $v
done
for v in -1001 1001 9223372036854775807; do
	refuse "P14: oomScoreAdj $v is refused" process oomScoreAdj $v \
		'process.oomScoreAdj: out of range (-1000 to 1000)'
done
for key in height width; do
	refuse "consoleSize.$key is 16 bits" size $key 65536 \
		'process.consoleSize: out of range (0 to 65535)'
done
for cap in CAP_FUTURE cap_chown CHOWN ''; do
	take "unknown capability '$cap' is taken" caps bounding "[\"$cap\"]"
	like "P9: unknown capability '$cap' is noted" "$(cat "$T/out")" \
		"^notes .*unknown capability $cap is not granted"
done

# ---- namespaces ----

for ns in pid network ipc uts cgroup; do
	take "namespace $ns is taken" ns type "\"$ns\""
	refuse "N1: namespace $ns comes once" linux namespaces \
		"[{\"type\": \"mount\"}, {\"type\": \"$ns\"}, {\"type\": \"$ns\"}]" \
		"linux.namespaces[2].type: malformed spec file: duplicated ns '$ns'"
done
refuse 'namespace mount comes once' ns type '"mount"' \
	"linux.namespaces[1].type: malformed spec file: duplicated ns 'mount'"
refuse 'N6: a user namespace needs mappings' ns type '"user"' \
	'linux.namespaces[0]: a user namespace needs uidMappings and gidMappings, or a path'
take 'a time namespace is taken' ns type '"time"'
for ns in net mnt PID '' foo; do
	refuse "N1: namespace '$ns' does not exist" ns type "\"$ns\"" \
		"linux.namespaces[0].type: namespace '$ns' does not exist"
done
take 'N2: a namespace may have a path' ns path '"/proc/1/ns/ipc"'
take 'a config needs no mount namespace' linux namespaces '[{"type": "pid"}]'
take 'linux needs no namespaces' linux namespaces ''
take 'B11: a config needs no linux' top linux ''

# ---- sysctl ----

# sysctl NAMESPACE KEY...: taken with the namespace, refused without
sysctl()
{
	kind=$1
	shift
	for key; do
		refuse "K1: sysctl $key needs a $kind namespace" linux sysctl \
			"{\"$key\": \"1\"}" \
			"linux.sysctl.$key: sysctl \"$key\" needs a $kind namespace"
		also="{\"type\": \"$kind\"}, "
		[ "$kind" = user ] || take "sysctl $key is taken" linux sysctl \
			"{\"$key\": \"1\"}"
		also=
	done
}
sysctl ipc kernel.msgmax kernel.msgmnb kernel.msgmni kernel.sem \
	kernel.shmall kernel.shmmax kernel.shmmni kernel.shm_rmid_forced \
	fs.mqueue.msg_max kernel/msgmax fs/mqueue/msg_max
sysctl network net.ipv4.ip_forward net/ipv4/conf/eth0.1/forwarding
sysctl uts kernel.domainname
sysctl user user.max_user_namespaces

also='{"type": "pid"}, {"type": "network"}, {"type": "ipc"}, {"type": "uts"}, '
for key in '' . net net. netx.a net.. net../kernel net./kernel net/../kernel/x \
	net.ipv4.../../kernel net/ipv4/../../kernel/panic kernel.panic \
	kernel.semx kernel.se kernel.shm vm.swappiness fs.mqueue fs.mqueue. \
	fs.file-max /proc/sys/kernel/panic ../net.x .net.x; do
	refuse "K1: sysctl '$key' is refused" linux sysctl "{\"$key\": \"1\"}" \
		"linux.sysctl${key:+.$key}: sysctl \"$key\" is not in a separate kernel namespace"
done
refuse 'K1: sysctl kernel.hostname is refused' linux sysctl \
	'{"kernel.hostname": "x"}' \
	"linux.sysctl.kernel.hostname: use 'hostname' instead of this sysctl"
refuse 'a sysctl value holds no newline' linux sysctl \
	'{"net.a": "1", "net.b": "1\n2"}' \
	'linux.sysctl.net.b: a newline in the value'
also=

# ---- paths, devices, propagation ----

for key in maskedPaths readonlyPaths; do
	for path in '' proc ./proc; do
		refuse "K3 K4: '$path' in $key is refused" linux $key \
			"[\"/a\", \"$path\"]" \
			"linux.$key: '$path' is no absolute path"
	done
	refuse "$key needs a mount namespace" top linux \
		"{\"namespaces\": [], \"$key\": [\"/a\"]}" \
		"linux.$key: unable to restrict paths without a private mount namespace"
done
for path in '' dev/x ./x; do
	refuse "device path '$path' is refused" device path "\"$path\"" \
		'linux.devices[0].path: expected an absolute path'
done
for key in major minor; do
	max=4095
	[ $key = major ] || max=1048575
	refuse "a device needs its $key number" device $key '' \
		"linux.devices[0]: 'major' and 'minor' are missing"
	refuse "a device needs its $key number not to be null" device $key \
		null "linux.devices[0]: 'major' and 'minor' are missing"
	for v in -1 4294967296; do
		refuse "$key $v is no device number" device $key $v \
			"linux.devices[0].$key: out of range (0 to $max)"
	done
done
refuse 'major 4096 is no device number' device major 4096 \
	'linux.devices[0].major: out of range (0 to 4095)'
refuse 'minor 1048576 is no device number' device minor 1048576 \
	'linux.devices[0].minor: out of range (0 to 1048575)'
take 'major 4095 is a device number' device major 4095
take 'minor 1048575 is a device number' device minor 1048575
for v in c u b p; do
	take "D1: device type $v is taken" device type "\"$v\""
done
for v in '' a C cc f; do
	refuse "D1: device type '$v' is refused" device type "\"$v\"" \
		"linux.devices[0].type: unknown type '$v'"
done
take 'a FIFO has no numbers' linux devices \
	'[{"path": "/dev/fifo", "type": "p"}]'
refuse 'a device rule without access is refused' rule access '' \
	'linux.resources.devices[0]: device access at 0 field cannot be empty'
refuse 'a device rule with empty access is refused' resources devices \
	'[{"access": "r"}, {"access": ""}]' \
	'linux.resources.devices[1]: device access at 1 field cannot be empty'
for v in x rx R 'r w' rwmx; do
	refuse "device access '$v' is refused" rule access "\"$v\"" \
		"linux.resources.devices[0].access: expected some of 'rwm'"
done
for v in '' d ab A u p; do
	refuse "a device rule of type '$v' is refused" rule type "\"$v\"" \
		"linux.resources.devices[0].type: expected 'a', 'b' or 'c'"
done
for v in private shared slave unbindable; do
	take "rootfsPropagation $v is taken" linux rootfsPropagation "\"$v\""
	take "rootfsPropagation r$v is taken" linux rootfsPropagation "\"r$v\""
done
take 'rootfsPropagation may be empty' linux rootfsPropagation '""'
for v in Private rrprivate private,slave ro; do
	refuse "K2: rootfsPropagation $v is refused" linux rootfsPropagation \
		"\"$v\"" "linux.rootfsPropagation: rootfsPropagation=$v is not supported"
done

# ---- hooks ----

for hook in prestart createRuntime createContainer startContainer poststart \
	poststop; do
	for path in '' true ./true; do
		refuse "H2: a $hook hook of path '$path' is refused" hook path \
			"\"$path\"" "hooks.${hook}[0].path: expected an absolute path"
	done
	for v in 0 -1 -9223372036854775808; do
		refuse "H4: a $hook hook of timeout $v is refused" hook timeout $v \
			"hooks.${hook}[0].timeout: expected more than 0 seconds"
	done
done
hook=prestart

# ---- mounts ----

for path in / . '' .. /.. //./ /a/.. ../../..; do
	refuse "M6: nothing is mounted on '$path'" mount destination "\"$path\"" \
		'mounts[0].destination: mountpoint is on the top of rootfs'
done
refuse 'a mount needs a type' mount type '' "mounts[0]: 'type' is missing"
refuse 'a mount needs a type that is not empty' mount type '""' \
	"mounts[0]: 'type' is missing"
refuse 'a mount needs a type that is not null' mount type null \
	"mounts[0]: 'type' is missing"
for option in bind rbind; do
	refuse "M3: $option needs a source" mount options "[\"$option\"]" \
		"mounts[0]: a bind needs a 'source'"
	refuse "M9: $option takes no data" top mounts "[{\"destination\": \"/m\",
		\"source\": \"/\", \"options\": [\"ro\", \"$option\",
		\"size=1k\", \"ro\", \"uid=0\"]}]" \
		'mounts[0].options: data options on a bind mount: size=1k,uid=0'
done
refuse 'M4: type bind needs a source' mount type '"bind"' \
	"mounts[0]: a bind needs a 'source'"
refuse 'a source is not empty' top mounts \
	'[{"destination": "/m", "type": "bind", "source": ""}]' \
	"mounts[0]: a bind needs a 'source'"
for option in idmap ridmap; do
	refuse "option $option is for binds" mount options "[\"$option\"]" \
		'mounts[0]: only a bind can be id-mapped'
done
take 'option tmpcopyup is taken' mount options '["tmpcopyup"]'
take 'four propagations are taken' mount options \
	'["private", "slave", "shared", "unbindable"]'
refuse 'five propagations are refused' mount options \
	'["private", "slave", "shared", "unbindable", "private"]' \
	'mounts[0].options: too many propagations'
take 'a relative destination is taken' mount destination '"m"'
like 'M2: a relative destination is noted' "$(cat "$T/out")" \
	"^notes .*mount destination 'm' is relative, taken from /"

# ---- cgroups ----

take 'cgroupsPath may be empty' linux cgroupsPath '""'
if grep -q '^cgroups ' "$T/out"; then
	for path in / . .. //. ../..; do
		refuse "cgroupsPath $path is refused" linux cgroupsPath \
			"\"$path\"" \
			"linux.cgroupsPath: '$path' names the root cgroup"
	done
	take 'cgroupsPath cannot leave the hierarchy' linux cgroupsPath \
		'"/../../../../../../../../../etc/x"'
	unlike 'a cgroupsPath with .. stays below the mount point' \
		"$(sed -n 's/^cgroups //p' "$T/out")" '(^| )(/etc|/x|[^ ]*\.\.)'
else
	skip 'cgroupsPath is checked' 'no cgroup hierarchy on this host'
fi

# ---- seccomp ----

if [ "$seccomp" = 1 ]; then
	refuse 'Q2: an unknown default action is refused' seccomp defaultAction \
		'"SCMP_ACT_FOO"' "linux.seccomp.defaultAction: unknown action 'SCMP_ACT_FOO'"
	refuse 'an empty default action is refused' scmp_rule action '""' \
		"linux.seccomp.syscalls[0].action: unknown action ''"
	refuse 'an unknown action is refused' scmp_rule action '"SCMP_ACT_FOO"' \
		"linux.seccomp.syscalls[0].action: unknown action 'SCMP_ACT_FOO'"
	refuse 'the notify action is refused by default' seccomp defaultAction \
		'"SCMP_ACT_NOTIFY"' \
		'linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is not supported by this version of ocirt'
	refuse 'the notify action is refused in a rule' scmp_rule action \
		'"SCMP_ACT_NOTIFY"' \
		'linux.seccomp.syscalls[0].action: SCMP_ACT_NOTIFY is not supported by this version of ocirt'
	for a in KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE LOG; do
		take "SCMP_ACT_$a is taken" scmp_rule action "\"SCMP_ACT_$a\""
	done
	for a in KILL KILL_PROCESS KILL_THREAD TRAP ALLOW LOG; do
		refuse "SCMP_ACT_$a has no errnoRet" linux seccomp \
			"{\"defaultAction\": \"SCMP_ACT_ERRNO\", \"syscalls\":
			[{\"names\": [\"read\"], \"action\": \"SCMP_ACT_$a\",
			\"errnoRet\": 1}]}" \
			"linux.seccomp.syscalls[0].errnoRet: an errno value with SCMP_ACT_$a"
		refuse "SCMP_ACT_$a has no defaultErrnoRet" linux seccomp \
			"{\"defaultAction\": \"SCMP_ACT_$a\",
			\"defaultErrnoRet\": 1}" \
			"linux.seccomp.defaultErrnoRet: an errno value with SCMP_ACT_$a"
	done
	take 'ERRNO has a defaultErrnoRet' linux seccomp \
		'{"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38}'
	take 'errnoRet 4094 is taken' scmp_rule errnoRet 4094
	for v in 4096 65536; do
		refuse "errnoRet $v is refused" scmp_rule errnoRet $v \
			'linux.seccomp.syscalls[0].errnoRet: errno value out of range'
		refuse "defaultErrnoRet $v is refused" linux seccomp \
			"{\"defaultAction\": \"SCMP_ACT_ERRNO\",
			\"defaultErrnoRet\": $v}" \
			'linux.seccomp.defaultErrnoRet: errno value out of range'
	done
	take 'a filter may be empty' linux seccomp '{}'
	refuse 'a filter with rules has a default action' linux seccomp \
		'{"syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG"}]}' \
		"linux.seccomp: 'defaultAction' is missing"
	refuse 'a rule has names' scmp_rule names '[]' \
		'linux.seccomp.syscalls[0].names: expected a name'
	refuse 'an unknown operator is refused' scmp_arg op '"SCMP_CMP_FOO"' \
		"linux.seccomp.syscalls[0].args[0].op: unknown operator 'SCMP_CMP_FOO'"
	for o in NE LT LE EQ GE GT MASKED_EQ; do
		take "SCMP_CMP_$o is taken" scmp_arg op "\"SCMP_CMP_$o\""
	done
	refuse 'the seventh argument is refused' scmp_arg index 6 \
		'linux.seccomp.syscalls[0].args[0].index: argument index above 5'
	refuse 'an unknown architecture is refused' seccomp architectures \
		'["SCMP_ARCH_X86_64", "SCMP_ARCH_FOO"]' \
		"linux.seccomp.architectures: unknown architecture 'SCMP_ARCH_FOO'"
	for a in X86 X86_64 X32 ARM AARCH64 MIPSEL MIPSEL64 MIPSEL64N32 \
		PPC64LE RISCV64; do
		take "SCMP_ARCH_$a is taken" seccomp architectures \
			"[\"SCMP_ARCH_$a\"]"
	done
	refuse 'an unknown flag is refused' seccomp flags '["FOO"]' \
		"linux.seccomp.flags: unknown flag 'FOO'"
	for a in TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV; do
		take "SECCOMP_FILTER_FLAG_$a is taken" seccomp flags \
			"[\"SECCOMP_FILTER_FLAG_$a\"]"
	done
	refuse 'listenerMetadata needs a listenerPath' seccomp listenerMetadata \
		'"x"' 'linux.seccomp.listenerMetadata: without a listenerPath'
	take 'an unknown system call is taken' scmp_rule names \
		'["no_such_call", "mkdir"]'
	like 'an unknown system call that would be forbidden is noted' \
		"$(cat "$T/out")" \
		'^notes .*unknown system call no_such_call in a rule is not filtered'
	refuse 'a rule that repeats the default action is checked too' linux \
		seccomp '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls":
		[{"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "args":
		[{"index": 0, "value": 0, "op": "SCMP_CMP_FOO"}]}]}' \
		"linux.seccomp.syscalls[0].args[0].op: unknown operator 'SCMP_CMP_FOO'"
else
	skip 'the rules of seccomp' 'built without seccomp'
fi

# ---- what asks for something with empty hands ----

# asks 'sentence' TABLE KEY VALUE PATH: refused, as long as it is not built
asks()
{
	not_built "$2" "$3" || return 0
	later "$@"
}
refuse 'a network device to move is refused, even without a new name, without a network namespace' \
	linux netDevices '{"eth0": {}}' \
	'linux.netDevices: unable to move network devices without a NET namespace'
asks 'an rdma limit of none is a limit' resources rdma \
	'{"mlx5_1": {"hcaHandles": 0}}' linux.resources.rdma.mlx5_1.hcaHandles
asks 'a pids limit of none is a limit' resources pids '{"limit": 0}' \
	linux.resources.pids.limit
for key in rdma pids unified memory cpu blockIO network; do
	take "an empty $key asks for nothing" resources $key '{}'
done
for key in netDevices timeOffsets; do
	take "an empty $key asks for nothing" linux $key '{}'
done
take 'X17: what docker sends for nothing is taken' linux resources \
	'{"cpu": {"shares": 0}, "blockIO": {"weight": 0}, "pids": {},
	"memory": {"disableOOMKiller": false}, "devices": [],
	"hugepageLimits": null}'

# ---- no bundle ----

rm "$B/config.json"
error 'B1: a bundle without config.json is refused' \
	"JSON specification file config.json not found in $B"
mkdir "$B/config.json"
error 'a config.json that is a directory is refused' \
	"$B/config.json is not a regular file"
rmdir "$B/config.json"
mkfifo "$B/config.json"
error 'a config.json that is a FIFO is refused, and not waited for' \
	"$B/config.json is not a regular file"
rm "$B/config.json"
ln -s /dev/zero "$B/config.json"
error 'a config.json that is a device is refused' \
	"$B/config.json is not a regular file"
rm "$B/config.json"
ln -s config.json "$B/config.json"
error 'a config.json that is a link to itself is refused' \
	"read $B/config.json: symbolic link loop"
rm "$B/config.json"
dd if=/dev/zero bs=65536 count=257 2>/dev/null | tr '\0' ' ' >"$B/config.json"
error 'a config.json above 16 MiB is refused' \
	"$B/config.json: larger than 16 MiB"
: >"$B/config.json"
error 'an empty config.json is refused' \
	'expected a value, found the end of the file'
echo null >"$B/config.json"
error 'a config.json of null is refused' 'expected an object, found null'
wrap linux "$(object linux '')" >"$T/whole.json"
ln -sf ../whole.json "$B/config.json"
check 'a config.json that is a link to a file is taken' plan
rm "$B/config.json"
cp "$T/whole.json" "$B/config.json"
error 'a bundle that is not there is refused' \
	"JSON specification file config.json not found in $T/none" -b "$T/none"
error 'a bundle that is a file is refused' \
	"read $B/config.json/config.json: not a directory" \
	-b "$B/config.json"
check 'a bundle may end in a slash' plan -b "$B///"

# ---- ids and options ----

long=$(printf '%0255d' 0)
for id in a A.b_c+d-e 0 "$long" ...; do
	check "L4: id '$id' is taken" plan "$id"
done
for id in . .. a/b /a ../a 'a b' a:b 'a@b' "${long}0" é; do
	error "L4: id '$id' is refused" 'invalid container ID format' "$id"
done
error 'an id with a newline is refused' 'invalid container ID format' "$(
	printf 'a\nb')"
error 'L4: an empty id is refused' 'container id cannot be empty' ''
error 'an unknown format is refused' 'invalid format option' --format xml

# ---- what else a refusal writes ----

echo '{]' >"$B/config.json"
rc=0
"$OCIRT" --log "$T/log" --log-format json plan -b "$B" >"$T/out" 2>"$T/err" ||
	rc=$?
is 'with a log file stderr has the one line too' "$(refused_by "$rc")" ''
like 'X3 X4: the log holds one JSON object of level error' "$(cat "$T/log")" \
	'^\{"level":"error","msg":"plan: config.json:1:2: .*","time":"[^"]*"\}$'
is 'the log holds one line' "$(wc -l <"$T/log" | tr -d ' ')" 1
printf '{"x\\u001b[2J\\n\\u007f\\u009b": 1, "mounts": {"\\u001b]0;\\u0007": 1},
 "hostname": 5}' >"$B/config.json"
rc=0
plan || rc=$?
is 'a hostile config is refused with one line' "$(refused_by "$rc")" ''
printf '{"linux": {"namespaces": [{"type": "\\u001b\\n\\u007f\\u009b2J"}]},
 "ociVersion": "1.0.0", "root": {"path": "r"}}' >"$B/config.json"
rc=0
plan || rc=$?
is 'a hostile name is quoted on one line' "$(refused_by "$rc")" ''
is 'without a byte that drives a terminal' \
	"$(tr -d '\n\040-\176' <"$T/err" | wc -c | tr -d ' ')" 0

# ---- the examples of the runtime spec ----

EXAMPLES=${SPEC_EXAMPLES:-../shared/spec/examples}
[ -d "$EXAMPLES/legacy" ] || {
	skip 'the examples of the runtime spec' \
		"no $EXAMPLES: set SPEC_EXAMPLES to their folder"
	done_testing
}

cp "$EXAMPLES/default.json" "$B/config.json"
check 'default.json is taken' plan

for f in "$EXAMPLES"/legacy/*/*.json; do
	rm -f "$B/runtime.json"
	cp "${f%/*}"/*.json "$B"
	cp "$f" "$B/config.json"
	rc=0
	plan || rc=$?
	is "${f#"$EXAMPLES"/} is taken or refused in one line" \
		"$([ $rc = 0 ] || refused_by $rc)" ''
	[ $rc = 0 ] || like "${f#"$EXAMPLES"/} is refused by its line and path" \
		"$(cat "$T/err")" \
		'^ocirt: plan: config.json:[0-9]+:[0-9]+: [a-zA-Z.]+(\[[0-9]+\])?(\.[a-zA-Z]+)?: '
done

done_testing
