# Walks the schema of config.json and makes bad configs of it. The schemas come
# as {"FILE": CONTENT}; what comes out is a line for each config:
#
#   KIND <tab> PATH as ocirt writes it <tab> what it must say <tab> CONFIG

. as $schemas |

# {file, node} with its references followed and its parts joined
def look:
	if .node["$ref"] then
		(.node["$ref"] | split("#")) as $ref |
		(if $ref[0] == "" then .file else $ref[0] end) as $file |
		if $schemas[$file] then
			{file: $file, node: ($schemas[$file] |
				getpath($ref[1] | ltrimstr("/") | split("/")))} | look
		else {file: $file, node: {}} end
	elif .node.anyOf then {file, node: .node.anyOf[0]} | look
	elif .node.allOf then
		.file as $file | {file: $file, node: {
			type: "object",
			required: [.node.allOf[] | {file: $file, node: .} | look |
				.node.required[]?],
			properties: ([.node.allOf[] | {file: $file, node: .} |
				look | .node.properties] | add)}}
	else . end;

# the path as in messages
def shown:
	reduce .[] as $p (""; . + if $p | type == "number" then "[\($p)]"
		elif . == "" then $p else ".\($p)" end);

# the path with the names of maps and the places of lists left open
def general:
	map(if type == "number" then "*" else . end) | join(".") |
	sub("^hooks\\.[^.]*"; "hooks.*") |
	sub("Device\\.\\*"; "Device.*");

# What stands in a map, by the name of the map
def name_in:
	{sysctl: "net.a", netDevices: "eth0", rdma: "mlx5_1",
		unified: "memory.high"}[.] // "a";

# A config that has nothing wrong, and what an object must have for that
def base:
	{ociVersion: "1.3.0", root: {path: "rootfs"},
	process: {cwd: "/", args: ["x"]},
	linux: {namespaces: [{type: "ipc"}, {type: "mount"}, {type: "uts"},
		{type: "pid"}, {type: "network"}]}};
def needs:
	{"mounts.*": {destination: "/m", type: "tmpfs"},
	"mounts.*.uidMappings.*": {containerID: 0, hostID: 0, size: 1},
	"mounts.*.gidMappings.*": {containerID: 0, hostID: 0, size: 1},
	"hooks.*.*": {path: "/x"},
	"process.consoleSize": {height: 1, width: 1},
	"process.rlimits.*": {type: "RLIMIT_CORE", soft: 0, hard: 0},
	"process.scheduler": {policy: "SCHED_OTHER"},
	"process.ioPriority": {class: "IOPRIO_CLASS_BE", priority: 4},
	"linux.uidMappings.*": {containerID: 0, hostID: 0, size: 1},
	"linux.gidMappings.*": {containerID: 0, hostID: 0, size: 1},
	"linux.devices.*": {type: "c", path: "/dev/x", major: 1, minor: 3},
	"linux.resources.devices.*": {allow: true, access: "rwm"},
	"linux.resources.hugepageLimits.*": {pageSize: "2MB", limit: 1},
	"linux.resources.blockIO.weightDevice.*":
		{major: 8, minor: 0, weight: 10},
	"linux.resources.network.priorities.*": {name: "lo", priority: 1},
	"linux.seccomp": {defaultAction: "SCMP_ACT_ALLOW"},
	"linux.seccomp.syscalls.*": {names: ["mkdir"], action: "SCMP_ACT_ERRNO"},
	"linux.seccomp.syscalls.*.args.*":
		{index: 0, value: 0, op: "SCMP_CMP_EQ"},
	"linux.memoryPolicy": {mode: "MPOL_BIND", nodes: "0"},
	"linux.personality": {domain: "LINUX32"}} + (
	["Read", "Write"] | map(. as $rw | ["Bps", "IOPS"] | map({
		key: "linux.resources.blockIO.throttle\($rw)\(.)Device.*",
		value: {major: 8, minor: 0, rate: 1}})) | add | from_entries);

# base with what the path needs on its way
def prepared($path):
	reduce range(1; $path | length) as $n (base;
		needs[$path[:$n] | general] as $need |
		if getpath($path[:$n]) == null and $need
		then setpath($path[:$n]; $need) else . end);

# A number as it is written: jq's own have 53 bits.
def literal($text): "@@\($text)@@";
def bad($kind; $path; $says; $config):
	[$kind, ($path | shown), $says,
		($config | tojson | gsub("\"@@(?<n>[^@]*)@@\""; "\(.n)"))] |
	join("\t");
def set($kind; $path; $says; $value):
	bad($kind; $path; $says; prepared($path) | setpath($path; $value));

# What the schema cannot say, or says otherwise than is wanted: a mode may have
# the bits of its type, and some numbers have closer limits.
def range_of($path; $node):
	($path | general) as $g |
	if $g == "linux.devices.*.fileMode" then ["-1", "4294967296"]
	elif $g == "process.oomScoreAdj" then ["-1001", "1001"]
	elif $g | test("(uid|gid|additionalGids\\.\\*|containerID|hostID)$")
	then ["-1", "4294967295"]
	elif $g == "linux.resources.memory.swappiness" then ["-2", "101"]
	elif $node.maximum == null and $node.minimum != null
	then ["\($node.minimum - 1)", "9223372036854775808"]
	elif $node.maximum == null then ["-9223372036854775809",
		"9223372036854775808"]
	elif $node.maximum > 18e18 then ["-1", "18446744073709551616"]
	elif $node.maximum > 9e18 then ["-9223372036854775809",
		"9223372036854775808"]
	else ["\($node.minimum - 1)", "\($node.maximum + 1)"] end;

# Of no use on Linux, or may be absent all the same: an empty filter, an empty
# limit, a rule that does not allow.
def ignored: ["process.commandLine", "process.user.username"];
def optional: ["linux.seccomp.defaultAction", "linux.resources.pids.limit",
	"linux.resources.devices.*.allow"];
def may_be_empty: ["linux.rootfsPropagation", "linux.seccomp.defaultAction",
	"linux.intelRdt.memBwSchema", "process.execCPUAffinity.initial",
	"process.execCPUAffinity.final"];

def cases($path; $node):
	if ignored | index($path | general) then
		set("ignored"; $path; "-"; 7)
	else
		$node.type as $type |
		({string: [7, "a string, found a number"],
		integer: ["7", "an integer, found a string"],
		boolean: ["true", "a boolean, found a string"],
		array: [{}, "an array( of [a-z]+)?, found an object"],
		object: [[], "an object, found an array"]}[$type]) as [$bad, $says] |
		set("wrong type"; $path; "expected \($says)"; $bad),
		if $type == "integer" then
			set("no whole number"; $path; "expected an integer.*";
				literal("1.5")),
			(range_of($path; $node)[] as $n |
				set("out of range, \($n)"; $path; ".*"; literal($n)))
		else empty end,
		if $type == "string" and ($node.enum or $node.pattern) then
			set("unknown word"; $path; ".*"; "No_such"),
			if may_be_empty | index($path | general) then empty
			else set("empty word"; $path; ".*"; "") end
		else empty end,
		if $node.minItems then set("none at all"; $path; ".*"; [])
		else empty end,
		($node.required[]? | select(($path + [.] | general) as $g |
			optional | index($g) | not) |
		. as $key | bad("no \($key)"; $path; "'\($key)' is missing";
			prepared($path + [$key]) | delpaths([$path + [$key]]) |
			if getpath($path) == null then setpath($path; {}) else . end))
	end;

def fields($path; $file; $node):
	({file: $file, node: $node} | look) as $at |
	if $at.node.type == null then empty
	else
		(if $path == [] then empty else cases($path; $at.node) end),
		($at.node.properties // {} | to_entries[] |
			fields($path + [.key]; $at.file; .value)),
		($at.node.items // empty |
			fields($path + [0]; $at.file; .)),
		($at.node | .additionalProperties //
			(.patternProperties // {} | .[keys[]?]) | values |
			fields($path + [$path[-1] | name_in]; $at.file; .))
	end;

fields([]; "config-schema.json"; $schemas["config-schema.json"])
