#!/bin/sh
# rdt.t - intelRdt: which group in resctrl, its schemata, who is in it, what
# delete removes. Hardly any machine has resctrl, so tests/rdt.c calls the room
# RDT of ocirt.c on a directory that stands for it.
# shellcheck disable=SC2119,SC2317
. tests/lib.sh
need_program jq
RDT=$TOP/tests/bin/rdt
[ -x "$RDT" ] || skip_all 'needs tests/bin/rdt: make helpers'
D=$T/resctrl
mkdir -p "$B/rootfs"
"$OCIRT" spec -b "$B" || exit 1
cp "$B/config.json" "$T/plain"

# rdt JSON: linux.intelRdt, and an empty resctrl
rdt()
{
	rm -rf "$D"
	mkdir -p "$D/mon_groups"
	: >"$D/tasks"
	printf '    L3:0=fffff;1=fffff\n    MB:0= 100;1= 100\n' >"$D/schemata"
	cp "$T/plain" "$B/config.json"
	edit ".linux.intelRdt = $1"
}

# group NAME [SCHEMATA]: one that is there before
group()
{
	mkdir -p "$D/$1/mon_groups"
	: >"$D/$1/tasks"
	printf '%b' "${2-}" >"$D/$1/schemata"
}

create()
{
	"$RDT" create "$D" c1 "$B/config.json" 4711 2>&1
}

tree()
{
	(cd "$D" && find . ! -name '.' | sort | tr '\n' ' ')
}

bare='./mon_groups ./schemata ./tasks '

# fails 'sentence' PATTERN: in one line, and resctrl is as it was
fails()
{
	before=$(tree)
	out=$(create)
	like "$1" "$? $out" "^1 ocirt: .*$2"
	is 'and nothing is left of it' "$(tree)" "$before"
}

# ---- which group ----

rdt '{}'
is 'I2: without closID the group is named by the id; I6: delete removes it' \
	"$(create)" 'c1 '
is 'I3: the process is in it' "$(cat "$D/c1/tasks")" 4711
is 'I3: without schemata none are written' "$(cat "$D/c1/schemata")" ''
"$RDT" delete "$D" c1
is 'I6: then it is gone' "$(tree)" "$bare"
rdt '{}'
group c1
is 'I6: one that was there before stays' "$(create)" ''
is 'I2: and is used' "$(cat "$D/c1/tasks")" 4711
rdt '{closID: "/"}'
is 'I2: closID / is the root group' "$(create)" ''
is 'I3: the process is in it' "$(cat "$D/tasks")" 4711
rdt '{closID: "/", enableMonitoring: true}'
is 'I5: which may be monitored, too' "$(create)" './mon_groups/c1 '
is 'I5: the process is there' "$(cat "$D/mon_groups/c1/tasks")" 4711

for id in . .. a/b /a a/; do
	rdt "{closID: \"$id\"}"
	fails "I2: closID '$id' is refused" \
		"linux.intelRdt.closID: '$id' is no name of a group"
done

# ---- schemata ----

rdt '{l3CacheSchema: "L3:0=f;1=f0", memBwSchema: "MB:0=20;1=70",
	schemata: ["L2:0=3", "L3CODE:0=1"]}'
create >/dev/null
is 'I3: caches, bandwidth, then the rest, a line each' \
	"$(cat "$D/c1/schemata")" 'L3:0=f;1=f0
MB:0=20;1=70
L2:0=3
L3CODE:0=1'
rdt '{memBwSchema: "L3:0=f"}'
fails 'I3: memBwSchema begins with MB:' \
	"linux.intelRdt.memBwSchema: expected 'MB:' in front"
for key in l3CacheSchema memBwSchema; do
	rdt "{$key: \"MB:0=10\\nMB:1=10\"}"
	fails "I3: a newline in $key is refused" \
		"linux.intelRdt.$key: a newline in a schema"
done
rdt '{schemata: ["MB:0=10", "L3:0=f\nMB:1=10"]}'
fails 'I3: a newline in schemata is refused' \
	'linux.intelRdt.schemata: a newline in entry 1'

# ---- closID ----

rdt '{closID: "gold", l3CacheSchema: "L3:0=f"}'
is 'I4: a closID with a schema that is missing is made; I6: and stays' \
	"$(create)" ''
is 'I4: with its schema' "$(cat "$D/gold/schemata")" 'L3:0=f'
is 'I3: and the process' "$(cat "$D/gold/tasks")" 4711
kernel='    L3:0=0000f;1=000f0\n    MB:0=  20;1= 100\n'
rdt '{closID: "gold", l3CacheSchema: "L3:0=F;1=0f0", memBwSchema: "MB:1=100;0=20"}'
group gold "$kernel"
is 'I4: one that is there with the same schemata is taken' "$(create)" ''
is 'I4: and not written' "$(cat "$D/gold/schemata")" \
	"$(printf '%b' "$kernel")"
is 'I3: the process is in it' "$(cat "$D/gold/tasks")" 4711
for schema in L3:0=1f L3:1=f0\;0=e MB:0=32 MB:2=20 L2:0=f L3:0=x; do
	rdt "{closID: \"gold\", schemata: [\"$schema\"]}"
	group gold "$kernel"
	fails "I4: one that is there with other schemata ($schema) is refused" \
		"closID 'gold' has other schemata than"
	is 'I4: and has no process of ours' "$(cat "$D/gold/tasks")" ''
done
rdt '{closID: "gold"}'
fails 'I4: a closID alone must be there' "there is no group 'gold' in resctrl"
group gold "$kernel"
is 'I4: and is taken as it is' "$(create)" ''
is 'I3: with the process' "$(cat "$D/gold/tasks")" 4711

# ---- monitoring ----

rdt '{enableMonitoring: true}'
is 'I5: a monitoring group is made in the group; I6: delete removes both' \
	"$(create)" 'c1/mon_groups/c1 c1 '
is 'I5: the process is in both' \
	"$(cat "$D/c1/tasks" "$D/c1/mon_groups/c1/tasks")" 47114711
# shellcheck disable=SC2086 # two words
"$RDT" delete "$D" c1/mon_groups/c1 c1
is 'I5: then both are gone' "$(tree)" "$bare"
rdt '{closID: "gold", enableMonitoring: true}'
group gold
is 'I5: in the group of a closID it is all that goes at delete' "$(create)" \
	'gold/mon_groups/c1 '
rdt '{closID: "gold", enableMonitoring: true}'
group gold
mkdir "$D/gold/mon_groups/c1"
fails 'I5: one that is there already is an error' \
	'make resctrl group gold/mon_groups/c1.*file exists'
rdt '{closID: "gold", enableMonitoring: true}'
group gold
rmdir "$D/gold/mon_groups"
fails 'I5: a CPU that cannot monitor is an error' 'has this CPU monitoring'

# ---- failures ----

for c in '{enableMonitoring: true}' '{closID: "x", schemata: ["MB:0=10"]}'; do
	rdt "$c"
	like 'I6: a create that fails later' "$("$RDT" fail "$D" c1 \
		"$B/config.json" 2>&1)" 'something else failed'
	is "I6: leaves nothing of $c" "$(tree)" "$bare"
done
rdt '{}'
mkdir "$D/full"
fails 'I2: no group is left' 'make resctrl group c1 .*CLOSIDs.*no space left'
rdt '{l3CacheSchema: "L3:0=f"}'
group c1
rm "$D/c1/schemata"
mkdir "$D/info"
printf 'Need at least 2 bits in the mask\n' >"$D/info/last_cmd_status"
fails "I3: what the kernel says of a bad schema is told" \
	'write schemata \(Need at least 2 bits in the mask\)'

# ---- ocirt ----

cp "$T/plain" "$B/config.json"
edit '.linux.intelRdt = {}'
if grep -q ' - resctrl ' /proc/self/mountinfo; then
	like 'I1: plan shows the group' "$("$OCIRT" plan -b "$B")" '^intel-rdt '
else
	refused 'I1: without resctrl it is refused, and what is missing is named' \
		'linux.intelRdt: resctrl is not mounted .*CONFIG_X86_CPU_RESCTRL.*mount -t resctrl' \
		"$OCIRT" --root "$ROOT" run -b "$B" "$ID"
fi
if [ "$(id -u)" = 0 ] && command -v strace >/dev/null &&
	strace -o /dev/null true 2>/dev/null; then
	bundle
	args '"true"'
	strace -f -o "$T/trace" -e trace=openat,mkdirat,faccessat,write \
		"$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null
	is 'I1: without intelRdt nothing of resctrl is touched' \
		"$(grep -c resctrl "$T/trace")" 0
else
	skip 'I1: without intelRdt nothing of resctrl is touched' 'needs strace'
fi
done_testing
