#!/bin/sh
# schema.t - a config that the schema of the runtime spec forbids is refused
#
# data/schema/cases.jq walks the schema and makes a config for each of its
# fields with one wrong type, one number out of range at each end, one fraction,
# one word that is none, one member missing. Each is given to create: status 1,
# one line with file, line, column and path, and nothing is left. Then what must
# not be refused: unknown members everywhere, and the spec's own good examples.
#
# Needs: jq. Without root "plan" stands in for "create".
# shellcheck disable=SC2317
LC_ALL=C
export LC_ALL
. tests/lib.sh
need_program jq

SCHEMAS=tests/data/schema
EXAMPLES=tests/data/schema-test/config
mkdir -p "$B/rootfs" || exit 1
TAB=$(printf '\t')
seccomp=1
"$OCIRT" features | grep -q '"SCMP_ACT_ALLOW"' || seccomp=0

if [ "$(id -u)" = 0 ]; then
	made=create
	try()
	{
		o create -b "$B" "$ID" >"$T/out" 2>"$T/err" </dev/null
	}
else
	made=plan
	try()
	{
		"$OCIRT" plan -b "$B" "$ID" >"$T/out" 2>"$T/err" </dev/null
	}
fi

# planned 'sentence': plan takes the config and has not a word against it
planned()
{
	"$OCIRT" plan -b "$B" >"$T/out" 2>"$T/err" </dev/null
	is "$1" "$? $(cat "$T/err")" '0 '
}

# told PATH SAYS: the one line of a refusal names the place and says that. A
# word of a list may be told as one of its list. No process is started for it:
# there are hundreds.
told()
{
	err='' more=''
	{
		read -r err
		read -r more
	} <"$T/err"
	[ ! -s "$T/out" ] && [ -z "$more" ] || return 1
	place=${err#"ocirt: $made "*config.json:[0-9]*:[0-9]*: }
	[ "$place" != "$err" ] || return 1
	case $place in
	"$1: "*) said=${place#"$1: "} ;;
	"${1%'[0]'}: "*) said=${place#"${1%'[0]'}: "} ;;
	*) return 1 ;;
	esac
	case $2 in
	.*) [ -n "$said" ] ;;
	*) printf '%s\n' "$said" | grep -Eqx -- "$2" ;;
	esac
}

# ---- what the schema forbids ----

jq -n 'reduce inputs as $s ({}; . + {(input_filename | sub(".*/"; "")): $s})' \
	"$SCHEMAS"/*.json | jq -rf "$SCHEMAS/cases.jq" >"$T/cases"
check 'the schema has more than 600 cases' \
	test "$(wc -l <"$T/cases")" -gt 600

while IFS=$TAB read -r kind path says json; do
	case $seccomp$path in
	0linux.seccomp*) continue ;;
	esac
	printf '%s\n' "$json" >"$B/config.json"
	if [ "$kind" = ignored ]; then
		planned "B4 P21: $path is for other platforms"
		continue
	fi
	rc=0
	try || rc=$?
	if [ $rc = 1 ] && told "$path" "$says"; then
		ok "B5: $kind: $path"
	else
		not_ok "B5: $kind: $path"
		diag "$rc: $(cat "$T/err" "$T/out")"
		diag "want $path: $says"
		diag "in $json"
		o delete -f "$ID" 2>"$T/err"
	fi
done <"$T/cases"
check 'nothing is left of them' nothing_left

# ---- what it does not forbid ----

"$OCIRT" spec -b "$T" || exit 1
jq '.annotations = {} | .hooks = {poststop: [{path: "/bin/true"}]} |
	.linux.sysctl = {} | .linux.devices = [] |
	.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{
		names: ["mkdir"], action: "SCMP_ACT_ERRNO", args: [
			{index: 0, value: 0, op: "SCMP_CMP_EQ"}]}]}' \
	"$T/config.json" >"$T/whole.json"
[ "$seccomp" = 1 ] || {
	jq 'del(.linux.seccomp)' "$T/whole.json" >"$T/config.json"
	mv "$T/config.json" "$T/whole.json"
}
for value in 1 '"x"' '[[]]' '{"path": 7}' null; do
	jq "walk(if type == \"object\" and . != {} then
		. + {\"org.example\": $value} else . end)" \
		"$T/whole.json" >"$B/config.json"
	planned "B4: unknown members with the value $value are ignored everywhere"
done
jq 'def nulls: if type == "object" and . != {} then
		with_entries(.value |= nulls) + {"zos": null, "vm": null}
	elif type == "array" then map(nulls) else . end;
	nulls | .hooks = null | .annotations = null | .linux.sysctl = null |
	.process.rlimits = null | .mounts[0].options = null' \
	"$T/whole.json" >"$B/config.json"
planned 'B6: null members are absent ones'
jq '. + {solaris: {milestone: 7}, windows: {layerFolders: 7},
	vm: {kernel: []}, zos: 7, freebsd: {jail: {vnet: "disable"}}}' \
	"$T/whole.json" >"$B/config.json"
planned 'B12: the sections of other platforms are ignored, whatever is in them'
jq '.process.capabilities.bounding += ["CAP_NO_SUCH"]' \
	"$T/whole.json" >"$B/config.json"
planned 'P9: an unknown capability is no error'
like 'P9: but noted' "$(cat "$T/out")" 'unknown capability CAP_NO_SUCH'
if [ "$seccomp" = 1 ]; then
	jq '.linux.seccomp.syscalls[0].names += ["no_such_call"]' \
		"$T/whole.json" >"$B/config.json"
	planned 'Q5: an unknown system call is no error'
	like 'Q5: but noted' "$(cat "$T/out")" 'unknown system call no_such_call'
else
	skip 'Q5: an unknown system call is no error' 'built without seccomp'
fi

# ---- the examples of the spec ----

# example FILE PLACE SAYS: refused so by plan, and by create at all
example()
{
	cp "$EXAMPLES/$1" "$B/config.json"
	rc=0
	"$OCIRT" plan -b "$B" >"$T/out" 2>"$T/plan.err" || rc=$?
	try && rc=$rc:0
	what="B5: the example $1 is refused"
	if [ $rc = 1 ] && [ "$(wc -l <"$T/plan.err")" -eq 1 ] && grep -Eq \
		"^ocirt: plan: config.json:[0-9]+:[0-9]+: $2$3\$" "$T/plan.err"; then
		ok "$what"
	else
		not_ok "$what"
		diag "$rc: $(cat "$T/plan.err" "$T/err" "$T/out")"
	fi
}
example bad/invalid-json.json '' "expected a key in quotes or '}', found ']'"
example bad/linux-hugepage.json \
	'linux\.resources\.hugepageLimits\[0\]\.pageSize: ' ".*'64kB'.*"
example bad/linux-netdevice.json 'linux\.netDevices\.eth0\.name: ' \
	'expected a string, found a number'
example bad/linux-rdma.json 'linux\.resources\.rdma\.mlx5_1\.hcaHandles: ' \
	'expected an integer, found a string'
is 'all bad examples are named here' \
	"$(find "$EXAMPLES/bad" -name '*.json' | sed 's,.*/,,' | sort | tr '\n' ' ')" \
	'freebsd-vnet-disable.json invalid-json.json linux-hugepage.json linux-netdevice.json linux-rdma.json '
check 'nothing is left of the examples' nothing_left

for f in bad/freebsd-vnet-disable good/freebsd-minimal good/minimal \
	good/minimal-for-start good/zos-minimal; do
	cp "$EXAMPLES/$f.json" "$B/config.json"
	planned "B11 B12: the example $f is taken"
done

done_testing
