#!/bin/sh
# features.t - "features" tells the truth about this build
#
# Its form, by the schema of the spec and a validator of a few lines in jq; then
# each word that it lists is looked for in a config: what is listed is taken,
# what the tables of the spec have besides is not.
#
# Needs: jq.
# shellcheck disable=SC2016,SC2317
LC_ALL=C
export LC_ALL
. tests/lib.sh
need_program jq

mkdir -p "$B/rootfs" || exit 1
F=$T/features.json
"$OCIRT" features >"$F" 2>"$T/err" </dev/null
is 'OP-features: it exits 0 and says nothing on stderr' "$? $(cat "$T/err")" '0 '

# has FILTER: what jq finds in the document, on lines
has()
{
	jq -r "$1" "$F"
}

# with FILTER: plan takes the default config after this change; its notes go
# to $T/out
"$OCIRT" spec -b "$T" || exit 1
with()
{
	jq "$1" "$T/config.json" >"$B/config.json" &&
		"$OCIRT" plan -b "$B" >"$T/out" 2>"$T/err" </dev/null
}

# all 'sentence' WORDS FILTER: plan takes each of the words, which is $w in the
# filter
all()
{
	miss=
	for word in $2; do
		with "\"$word\" as \$w | $3" || miss="$miss $word: $(cat "$T/err")"
	done
	is "$1" "$miss" ''
}

# ---- its form ----

is 'it is indented by 4 and ends with a newline' \
	"$(jq --indent 4 . "$F" | cmp - "$F" 2>&1)" ''
rc=0
"$OCIRT" features x >"$T/out" 2>"$T/err" || rc=$?
is 'it takes no argument' "$rc:$(cat "$T/err")" \
	'1:ocirt: "features" requires exactly 0 argument(s)'
if [ "$(id -u)" = 0 ]; then
	mkdir -m 755 "$T/user"
	cp "$OCIRT" "$T/user/ocirt"
	# but for criu, which works for root alone
	sed '/checkpoint\.enabled/s/true/false/' "$F" >"$T/user/features.json"
	is 'an ordinary user in / without an environment gets the same' "$(cd / &&
		env -i "$TOP/tests/bin/launch" -U 65534:65534 \
		"$T/user/ocirt" features 2>&1 |
		cmp - "$T/user/features.json" 2>&1)" ''
else
	skip 'an ordinary user gets the same' 'needs root to become one'
fi

# What is wrong with a document, by a schema of draft 4
cat >"$T/validate.jq" <<'END'
def look($file; $node):
	if $node["$ref"] then ($node["$ref"] | split("#")) as $ref |
		(if $ref[0] == "" then $file else $ref[0] end) as $file |
		look($file; $schemas[0][$file] |
			getpath($ref[1] | ltrimstr("/") | split("/")))
	else [$file, $node] end;
def wrong($file; $node; $at):
	. as $doc | look($file; $node) as [$file, $node] |
	if $node.type and $node.type != type then "\($at): \(type)"
	elif $node.enum and ($node.enum | index($doc) | not) then "\($at): \($doc)"
	elif $node.pattern and (test($node.pattern) | not) then "\($at): \($doc)"
	elif type == "object" then
		($node.required[]? | select(in($doc) | not) |
			"\($at): no \(.)"),
		(to_entries[] | .key as $key | .value |
			(($node.properties // {})[$key] //
			(($node.patternProperties // {}) | .[keys[]?]) //
			empty) as $next |
			wrong($file; $next; "\($at).\($key)"))
	elif type == "array" and $node.items then
		.[] | wrong($file; $node.items; "\($at)[]")
	else empty end;
wrong("features-schema.json"; $schemas[0]["features-schema.json"]; "")
END
jq -n 'reduce inputs as $s ({}; . + {(input_filename | sub(".*/"; "")): $s})' \
	tests/data/schema/*.json >"$T/schemas.json"
validate()
{
	jq -r --slurpfile schemas "$T/schemas.json" -f "$T/validate.jq" "$1"
}
is 'F2: it is what the schema asks for' "$(validate "$F")" ''
for f in tests/data/schema-test/features/good/*.json; do
	is "and so is ${f##*/} of the spec" "$(validate "$f")" ''
done
is 'but a document without a version is not' "$(
	validate tests/data/schema-test/features/bad/missing-ociVersionMax.json)" \
	': no ociVersionMax'
jq '.hooks += [7] | .linux.namespaces += ["x"]' "$F" >"$T/bad.json"
is 'nor one with a wrong word' "$(validate "$T/bad.json" | tr '\n' ' ')" \
	'.hooks[]: number .linux.namespaces[]: x '

is 'F2 F8: each member is one that 1.3 defines' "$(has '
	[paths | map(select(type == "string"))] | unique - ["ociVersionMin",
	"ociVersionMax", "hooks", "mountOptions", "linux", "annotations",
	"potentiallyUnsafeConfigAnnotations"] | .[]' 2>&1 >/dev/null; has '
	["ociVersionMin", "ociVersionMax", "hooks", "mountOptions",
	"annotations", "potentiallyUnsafeConfigAnnotations",
	"linux.namespaces", "linux.capabilities",
	"linux.cgroup.v1", "linux.cgroup.v2", "linux.cgroup.systemd",
	"linux.cgroup.systemdUser", "linux.cgroup.rdma",
	"linux.seccomp.enabled", "linux.seccomp.actions",
	"linux.seccomp.operators", "linux.seccomp.archs",
	"linux.seccomp.knownFlags", "linux.seccomp.supportedFlags",
	"linux.apparmor.enabled", "linux.selinux.enabled",
	"linux.intelRdt.enabled", "linux.intelRdt.schemata",
	"linux.intelRdt.monitoring", "linux.memoryPolicy.modes",
	"linux.memoryPolicy.flags", "linux.mountExtensions.idmap.enabled",
	"linux.netDevices.enabled"] as $known |
	del(.annotations[]) |
	[paths(type != "object") | map(select(type == "string")) | join(".")] |
	unique - $known | .[]')" ''
is 'F6: the annotations are strings' "$(has '.annotations[] | type' | sort -u)" \
	string
is 'F6: one is our version' "$(has '.annotations["org.ocirt.version"]')" \
	"$("$OCIRT" --version | sed -n 's/^ocirt version //p')"
is 'F6: one is that of libseccomp' \
	"$(has '.annotations["io.github.seccomp.libseccomp.version"] // ""')" \
	"$("$OCIRT" --version | sed -n 's/^libseccomp: //p')"
rc=0
"$OCIRT" checkpoint --help >"$T/out" 2>&1 || rc=1
is 'F6: checkpoints are enabled where their help says so' \
	"$(has '.annotations["org.opencontainers.runc.checkpoint.enabled"] //
		"false"')" "$([ $rc = 0 ] && echo true || echo false)"
is 'F7: annotations that change what is done are listed, if there are any' \
	"$(has '.potentiallyUnsafeConfigAnnotations | type')" array

is 'F9: hooks stand in the order of the lifecycle' \
	"$(has '.hooks | join(" ")')" \
	'prestart createRuntime createContainer startContainer poststart poststop'
is 'F9: capabilities stand in the order of their numbers' \
	"$(has '.linux.capabilities | [.[0, 7, 21, 40]] | join(" ")')" \
	'CAP_CHOWN CAP_SETUID CAP_SYS_ADMIN CAP_CHECKPOINT_RESTORE'
is 'F9: all else is sorted, and nothing twice' "$(has 'del(.hooks) |
	del(.linux.capabilities) | paths(type == "array") as $p |
	getpath($p) | select(. != unique) | $p | join(".")')" ''

# ---- its truth ----

# Two configs for what cannot stand in the default one
user='.linux.namespaces += [{type: "user"}] |
	.linux.uidMappings = [{containerID: 0, hostID: 0, size: 1}] |
	.linux.gidMappings = .linux.uidMappings |'

check 'F1: ociVersionMin is taken' with \
	".ociVersion = \"$(has .ociVersionMin)\""
check 'F1: ociVersionMax is taken' with \
	".ociVersion = \"$(has .ociVersionMax)\""
is 'F1: the one is not above the other' "$(has \
	'[.ociVersionMin, .ociVersionMax | split(".") | map(tonumber)] |
	.[0] <= .[1]')" true
is 'F1: the other is that of --version' "$(has .ociVersionMax)" \
	"$("$OCIRT" --version | sed -n 's/^spec: //p')"

all 'F3: the hooks are taken' "$(has '.hooks[]')" \
	'.hooks = {($w): [{path: "/x"}]}'
miss=
for word in $(has '.hooks[]'); do
	with ".hooks = {$word: 7}" && miss="$miss $word"
done
is 'F3: and not ignored' "$miss" ''
all 'F3: the mount options are taken' "$(has '.mountOptions[]')" "$user"'
	.mounts += [{destination: "/m", type: "none", source: "/tmp",
		options: ["bind", $w]}]'
miss=
for word in $(has '.mountOptions[]'); do
	with ".mounts += [{destination: \"/m\", type: \"tmpfs\", source: \"t\",
		options: [\"$word\"]}] | $user ." || continue
	grep -Eq "^mount .*/m .*(data|=).*[ ,]$word(,| |\$)" "$T/out" &&
		miss="$miss $word"
done
is 'F3: and not passed on as data' "$miss" ''
is 'F4: no option of a file system is listed' "$(has '.mountOptions[] |
	select(test("=|^(no)?acl$|^size|^mode|^uid|^gid|^nr_|^user_xattr"))')" ''

all 'F3: the namespaces are taken' "$(has '.linux.namespaces[]')" \
	'.linux.namespaces |= map(select(.type != $w)) + [{type: $w}] |
	if $w != "user" then . else '"$user"'
		.linux.namespaces |= unique_by(.type) end'
is 'F3: and they are eight' "$(has '.linux.namespaces | length')" 8
miss=
for word in $(has '.linux.capabilities[]'); do
	with ".process.capabilities.bounding = [\"$word\"]" &&
		! grep -q 'unknown capability' "$T/out" || miss="$miss $word"
done
is 'F3: the capabilities are known' "$miss" ''
with '.process.capabilities.bounding = ["CAP_NO_SUCH"]'
check 'F3: another one is not' grep -q 'unknown capability' "$T/out"

filter='.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW"} | .linux.seccomp'
rule='{names: ["mkdir"], action: "SCMP_ACT_LOG"}'
if [ "$(has .linux.seccomp.enabled)" = true ]; then
	all 'F3: the actions are taken' "$(has '.linux.seccomp.actions[]')" \
		"$filter.syscalls = [$rule + {action: \$w}]"
	all 'F3: the operators are taken' "$(has '.linux.seccomp.operators[]')" \
		"$filter.syscalls = [$rule + {args: [
			{index: 0, value: 0, op: \$w}]}]"
	all 'F3: the architectures are taken' "$(has '.linux.seccomp.archs[]')" \
		"$filter.architectures = [\$w]"
	all 'F3: the flags are taken' "$(has '.linux.seccomp.knownFlags[]')" \
		"$filter.flags = [\$w]"
	is 'F3: what is supported is known' "$(has '.linux.seccomp |
		.supportedFlags - .knownFlags | .[]')" ''

	# unlisted DEFINITION LIST FILTER: words of the schema that are not
	# listed, but taken
	unlisted()
	{
		for word in $(jq -r ".definitions.$1.enum[]" \
			tests/data/schema/defs-linux.json); do
			jq -e --arg w "$word" "$2 | index(\$w)" "$F" >"$T/x" ||
				! with "\"$word\" as \$w | $3" || echo "$word"
		done
	}
	is 'F3: no action is taken that is not listed' "$(unlisted \
		SeccompAction .linux.seccomp.actions \
		"$filter.syscalls = [$rule + {action: \$w}]")" ''
	is 'F3: no architecture is taken that is not listed' "$(unlisted \
		SeccompArch .linux.seccomp.archs \
		"$filter.architectures = [\$w]")" ''
else
	is 'F3: without filters nothing is known of them' \
		"$(has '.linux.seccomp | keys[]')" enabled
	check 'F3: and one is refused' eval '! with "$filter |= ."'
fi

policy='.linux.memoryPolicy'
all 'F3: the modes of a memory policy are taken' \
	"$(has '.linux.memoryPolicy.modes[]')" "$policy = {mode: \$w} +
	if \$w == \"MPOL_DEFAULT\" or \$w == \"MPOL_LOCAL\" then {}
	else {nodes: \"0\"} end"
all 'F3: its flags are taken' "$(has '.linux.memoryPolicy.flags[]')" \
	"$policy = {mode: \"MPOL_BIND\", nodes: \"0\", flags: [\$w]}"

# told PATH FILTER: the config is taken where features say that it is built.
# Where not, "not supported" is the answer.
told()
{
	if [ "$(has "$1")" = true ]; then
		with "$2" || ! grep 'not supported by this version' "$T/err"
	else
		! with "$2" && grep -q 'not supported by this version' "$T/err"
	fi
}
check 'F5: id mapped mounts are what they are said to be' told \
	.linux.mountExtensions.idmap.enabled '.mounts += [{destination: "/m",
	type: "none", source: "/tmp", options: ["bind", "idmap"],
	uidMappings: [{containerID: 0, hostID: 1, size: 1}],
	gidMappings: [{containerID: 0, hostID: 1, size: 1}]}]'
for key in enabled schemata monitoring; do
	check "F8: intelRdt.$key is what it is said to be" told \
		.linux.intelRdt.$key '.linux.intelRdt = {closID: "x",
		schemata: ["MB:0=20"], enableMonitoring: true}'
done
check 'F8: netDevices are what they are said to be' told \
	.linux.netDevices.enabled '.linux.netDevices = {eth0: {name: "e"}}'
check 'F3: rdma is what it is said to be' told .linux.cgroup.rdma \
	'.linux.resources.rdma = {mlx5_1: {hcaHandles: 1}}'

done_testing
