#!/bin/sh
# sched.t - how the program is scheduled and where its memory comes from:
# scheduler, ioPriority, execCPUAffinity, oomScoreAdj, personality and
# memoryPolicy, by create, run and exec, with and without a user namespace of
# its own. What the kernel has comes from tests/probe.c in the program's place.
# Needs root.
# shellcheck disable=SC2119,SC2317,SC2016
. tests/lib.sh
need_root
PROBE=$TOP/tests/bin/probe
LAUNCH=$TOP/tests/bin/launch
[ -x "$PROBE" ] || skip_all 'needs tests/bin/probe: make helpers'

fresh()
{
	bundle
	cp "$PROBE" "$B/rootfs/bin/probe"
	cp "$B/config.json" "$T/plain"
}

again()
{
	cp "$T/plain" "$B/config.json"
}

# sets 'sentence' KEY JSON WANT: process.KEY makes the probe see just that line
sets()
{
	again
	edit ".process.$2 = $3"
	args '"probe","priority"'
	out=$(run_b 2>&1)
	case $out in
	*"$4"*) ok "$1" ;;
	*) is "$1" "$out" "...$4..." ;;
	esac
}

# bad 'sentence' PATTERN FILTER
bad()
{
	again
	edit "$3"
	refused "$1" "$2" o run -b "$B" "$ID"
}

scheduler()
{
	sets 'P15: without one the program has the ordinary scheduler' terminal \
		'false | .process.cwd = "/tmp"' \
		"policy 0 nice $(cut -d ' ' -f 19 /proc/self/stat) priority 0 flags 0"
	sets 'P15: SCHED_OTHER with a nice value' scheduler \
		'{policy: "SCHED_OTHER", nice: 7}' 'policy 0 nice 7 '
	sets 'P15: a nice value below zero' scheduler \
		'{policy: "SCHED_OTHER", nice: -11}' 'policy 0 nice -11 '
	sets 'P15: SCHED_BATCH' scheduler '{policy: "SCHED_BATCH", nice: 19}' \
		'policy 3 nice 19 '
	sets 'P15: SCHED_IDLE' scheduler '{policy: "SCHED_IDLE"}' 'policy 5 '
	sets 'P15: a flag' scheduler '{policy: "SCHED_BATCH",
		flags: ["SCHED_FLAG_RESET_ON_FORK"]}' \
		'policy 3 nice 0 priority 0 flags 0x1'
	sets 'P15: KEEP_POLICY keeps the policy it had' scheduler \
		'{policy: "SCHED_BATCH", nice: 3, flags: ["SCHED_FLAG_KEEP_POLICY"]}' \
		'policy 0 nice 3 '
	bad 'P15: a policy that the kernel lacks is named' \
		'set scheduler SCHED_ISO .*invalid argument' \
		'.process.scheduler = {policy: "SCHED_ISO"}'
}

# Where a v1 cpu hierarchy shares out real time, a new cgroup has none of it:
# there, the refusal is what can be seen, and in a mount namespace without that
# hierarchy, the real thing.
real_time()
{
	again
	edit '.process.scheduler = {policy: "SCHED_FIFO", priority: 9,
		flags: ["SCHED_FLAG_RESET_ON_FORK"]}'
	args '"probe","priority"'
	if rt_budget; then
		refused 'P15: a cgroup without real time is named' \
			'set scheduler SCHED_FIFO .*cpu\.rt_runtime_us.*not permitted' \
			o run -b "$B" "$ID"
		out=$(without_cpu_cgroup 2>&1)
	else
		out=$(run_b 2>&1)
	fi
	case $out in
	*'not permitted'*) skip 'P15: SCHED_FIFO' 'no real time for us here' ;;
	*) like 'P15: SCHED_FIFO with priority and flag' "$out" \
		'^policy 1 nice 0 priority 9 flags 0x1$' ;;
	esac
	again
	edit '.process.scheduler = {policy: "SCHED_DEADLINE", runtime: 1000000,
		deadline: 20000000, period: 30000000}'
	args '"probe","priority"'
	out=$(run_b 2>&1)
	case $out in
	*'a deadline cannot be kept within a cpuset'*)
		skip 'P15: SCHED_DEADLINE' 'in a cpuset here' ;;
	*) like 'P15: SCHED_DEADLINE with its three times' \
		"$(echo "$out" | tr '\n' ' ')" \
		'^policy 6 .*deadline 1000000 20000000 30000000 ' ;;
	esac
}

# Does the cpu hierarchy of this host share out real time?
rt_budget()
{
	d=$(awk '$0 ~ / - cgroup / && $NF ~ /(^|,)cpu(,|$)/ { print $5; exit }' \
		/proc/self/mountinfo)
	[ -n "$d" ] && [ -e "$d/cpu.rt_runtime_us" ]
}

without_cpu_cgroup()
{
	unshare -m sh -c '
	for d in $(awk '\''$0 ~ / - cgroup / && $NF ~ /(^|,)cpu(,|$)/ {
		print $5 }'\'' /proc/self/mountinfo); do
		umount "$d" || exit 1
	done
	"$0" --root "$1" run -b "$2" "$3" </dev/null' \
		"$OCIRT" "$ROOT" "$B" "$ID"
}

rights()
{
	setpriv --inh-caps=-sys_nice --bounding-set=-sys_nice true 2>/dev/null || {
		skip 'P15: without CAP_SYS_NICE' 'needs setpriv'
		return
	}
	again
	edit '.process.scheduler = {policy: "SCHED_OTHER", nice: -5}'
	refused 'P15: the right that is missing is named' \
		'set scheduler SCHED_OTHER \(needs CAP_SYS_NICE\): operation not permitted' \
		setpriv --inh-caps=-sys_nice --bounding-set=-sys_nice \
		"$OCIRT" --root "$ROOT" run -b "$B" "$ID"
}

io_priority()
{
	sets 'P16: the real-time class' ioPriority \
		'{class: "IOPRIO_CLASS_RT", priority: 2}' 'io 1:2'
	sets 'P16: the best-effort class' ioPriority \
		'{class: "IOPRIO_CLASS_BE", priority: 7}' 'io 2:7'
	sets 'P16: priority 0 is the default' ioPriority \
		'{class: "IOPRIO_CLASS_BE"}' 'io 2:0'
	sets 'P16: the idle class' ioPriority '{class: "IOPRIO_CLASS_IDLE"}' \
		'io 3:0'
}

oom()
{
	own=$(cat /proc/self/oom_score_adj)
	again
	args '"cat","/proc/self/oom_score_adj"'
	cp "$B/config.json" "$T/oom"
	is 'P14: absent, it stays as the caller has it' "$(run_b)" "$own"
	for v in 777 0 "$own"; do
		cp "$T/oom" "$B/config.json"
		edit ".process.oomScoreAdj = $v"
		is "P14: oomScoreAdj $v is the program's" "$(run_b)" "$v"
	done
	cp "$T/oom" "$B/config.json"
	edit '.process.oomScoreAdj = -3'
	if (echo -3 >/proc/self/oom_score_adj) 2>"$T/null"; then
		is 'P14: one below zero too' "$(run_b)" -3
	else
		refused 'P14: the right to lower it that is missing is named' \
			'oomScoreAdj to -3 \(lowering it needs CAP_SYS_RESOURCE\): permission denied' \
			o run -b "$B" "$ID"
	fi
	script 'cat /proc/self/oom_score_adj'
	edit '.process.oomScoreAdj = 5 | .hooks.createRuntime = [{path:
		"/bin/sh", args: ["sh", "-c",
		"cat >/dev/null; cat /proc/$PPID/oom_score_adj >'"$T"'/oom.parent"]}]'
	is 'P14: it is there with hooks' "$(run_b)" 5
	is 'P14: and the runtime has its own back' "$(cat "$T/oom.parent")" \
		"$own"
}

by_exec()
{
	again
	edit '.process.scheduler = {policy: "SCHED_BATCH", nice: 4} |
		.process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 6} |
		.process.oomScoreAdj = 42 | .linux.personality = {domain: "LINUX32"}'
	args '"sleep","60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/out" 2>&1
	want='policy 3 nice 4 priority 0 flags 0 deadline 0 0 0 io 2:6 '
	is 'P15 P16: init of a detached container has them' \
		"$("$PROBE" priority "$(pid "$ID")" | tr '\n' ' ' |
			sed 's/flags 0x0/flags 0/; s/deadline [0-9 ]* io/deadline 0 0 0 io/')" "$want"
	is 'E5: exec has them too' "$(o exec "$ID" probe priority |
		tr '\n' ' ' | sed 's/flags 0x0/flags 0/; s/deadline [0-9 ]* io/deadline 0 0 0 io/')" "$want"
	is 'E5: and oomScoreAdj' \
		"$(o exec "$ID" cat /proc/self/oom_score_adj)" 42
	like 'E5: and the personality' "$(o exec "$ID" probe memory)" \
		'^personality 0x8$'
	echo '{"cwd": "/", "args": ["probe", "priority"], "scheduler":
		{"policy": "SCHED_IDLE"}, "env": ["PATH=/bin"]}' >"$T/process"
	out=$(o exec --process "$T/process" "$ID")
	like "E6: the process file's scheduler is its own" "$out" '^policy 5 '
	like "E6: what it does not say is the container's" "$out" '^io 2:6$'
	o delete -f "$ID"
}

affinity()
{
	all=$("$PROBE" cpus)
	[ "$(echo "$all" | wc -w)" -gt 1 ] || {
		skip 'P17 E8: processors of exec' 'has only one'
		return
	}
	first=${all%% *}
	last=$(echo "$all" | awk '{ print $NF }')
	again
	edit ".process.execCPUAffinity = {final: \"$last\"}"
	args '"sh","-c","probe cpus; exec sleep 60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/out" 2>&1
	wait_for 5 test -s "$T/out"
	is 'P17 E8: init has all processors' "$(cat "$T/out")" "$all"
	is 'P17 E8: exec has those of final' "$(o exec "$ID" probe cpus)" \
		"$last "
	args2='"cwd": "/", "args": ["probe", "cpus"], "env": ["PATH=/bin"]'
	echo "{$args2, \"execCPUAffinity\": {\"initial\": \"$first\", \"final\": \"$first, $last\"}}" \
		>"$T/process"
	is "E6: the process file's list is its own, and final wins" \
		"$(o exec --process "$T/process" "$ID" | tr ' ' '\n' | sort -u |
			xargs)" "$(printf '%s\n' "$first" "$last" | sort -u | xargs)"
	echo "{$args2, \"execCPUAffinity\": {}}" >"$T/process"
	is 'E8: with neither, exec has all, whatever its caller has' \
		"$("$LAUNCH" -p "$OCIRT" --root "$ROOT" exec --process \
			"$T/process" "$ID" </dev/null)" "$all"
	echo "{$args2, \"execCPUAffinity\": {\"final\": \"8191\"}}" >"$T/process"
	out=$(o exec --process "$T/process" "$ID" 2>&1)
	like 'E8: a processor that is not there is named' "$? $out" \
		"^255 .*execCPUAffinity\\.final '8191': invalid argument"
	if command -v strace >/dev/null && strace -o "$T/null" true; then
		echo "{$args2, \"execCPUAffinity\": {\"initial\": \"$first\"}}" \
			>"$T/process"
		strace -f -o "$T/trace" -e trace=sched_setaffinity,write,clone3 \
			-e signal=none "$OCIRT" --root "$ROOT" exec --process \
			"$T/process" "$ID" </dev/null >"$T/out" 2>&1
		is 'E8: initial is set once, before any cgroup is joined' "$(awk '
			/sched_setaffinity/ { n++; print n, joined + 0 }
			$2 ~ /^write/ && $3 ~ /^"[0-9]+"/ { joined = 1 }' \
			"$T/trace")" '1 0'
	else
		skip 'E8: initial is set before the cgroup is joined' \
			'needs strace'
	fi
	o delete -f "$ID"
}

memory()
{
	again
	args '"probe","memory"'
	cp "$B/config.json" "$T/memory"
	like 'K6: without a personality there is the ordinary one' "$(run_b)" \
		'^personality 0$'
	edit '.linux.personality = {domain: "LINUX32"}'
	like 'K6: LINUX32' "$(run_b)" '^personality 0x8$'
	edit '.linux.personality = {domain: "LINUX", flags: ["X"]}'
	like 'K6: LINUX, by a caller that has another' \
		"$(setarch linux32 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" \
			</dev/null 2>"$T/err" || run_b)" '^personality 0$'
	like 'K6: flags are noted and nothing else' \
		"$(o plan -b "$B" | grep '^notes')" 'personality flags are ignored'
	bad 'K6: an unknown domain is refused' \
		"linux.personality.domain: unknown domain 'BSD'" \
		'.linux.personality = {domain: "BSD"}'

	while read -r mode nodes want; do
		cp "$T/memory" "$B/config.json"
		edit ".linux.memoryPolicy = {mode: \"$mode\"} |
			if \"$nodes\" != \"-\" then .linux.memoryPolicy.nodes =
			\"$nodes\" else . end"
		out=$(run_b 2>&1)
		case $out in
		*'CONFIG_NUMA'*)
			like "K7: $mode needs CONFIG_NUMA" "$out" \
				"set memory policy $mode.*function not implemented" ;;
		*'this kernel lacks'*)
			skip "K7: $mode" 'this kernel lacks it' ;;
		*) like "K7: $mode of nodes $nodes" "$out" "^policy $want\$" ;;
		esac
	done <<-'ROWS'
		MPOL_DEFAULT - 0 nodes 0
		MPOL_PREFERRED 0 0x1 nodes 0x1
		MPOL_PREFERRED - (0x4|0x1) nodes 0
		MPOL_BIND 0 0x2 nodes 0x1
		MPOL_INTERLEAVE 0-0 0x3 nodes 0x1
		MPOL_LOCAL - 0x4 nodes 0
		MPOL_PREFERRED_MANY 0 0x5 nodes 0x1
		MPOL_WEIGHTED_INTERLEAVE 0 0x6 nodes 0x1
	ROWS
	while read -r mode flag want; do
		cp "$T/memory" "$B/config.json"
		edit ".linux.memoryPolicy = {mode: \"$mode\", nodes: \"0\",
			flags: [\"$flag\"]}"
		out=$(run_b 2>&1)
		case $out in
		*'CONFIG_NUMA'* | *'this kernel lacks'*)
			skip "K7: $flag" 'this kernel lacks it' ;;
		*) like "K7: $mode with $flag" "$out" "^policy $want " ;;
		esac
	done <<-'ROWS'
		MPOL_BIND MPOL_F_NUMA_BALANCING 0x2002
		MPOL_BIND MPOL_F_STATIC_NODES 0x8002
		MPOL_INTERLEAVE MPOL_F_RELATIVE_NODES 0x4003
	ROWS
	cp "$T/memory" "$B/config.json"
	edit '.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "4000"}'
	refused 'K7: a node that is not there is named' \
		'set memory policy MPOL_BIND 4000 .*(cpuset|CONFIG_NUMA)' \
		o run -b "$B" "$ID"
	bad 'K7: DEFAULT has no nodes' 'memoryPolicy.nodes: MPOL_DEFAULT has no nodes' \
		'.linux.memoryPolicy = {mode: "MPOL_DEFAULT", nodes: "0"}'
	bad 'K7: LOCAL has no nodes' 'memoryPolicy.nodes: MPOL_LOCAL has no nodes' \
		'.linux.memoryPolicy = {mode: "MPOL_LOCAL", nodes: "0"}'
	for m in BIND INTERLEAVE PREFERRED_MANY WEIGHTED_INTERLEAVE; do
		bad "K7: $m needs nodes" "memoryPolicy: MPOL_$m needs nodes" \
			".linux.memoryPolicy = {mode: \"MPOL_$m\"}"
	done
	bad 'K7: an unknown mode is refused' "unknown mode 'MPOL_X'" \
		'.linux.memoryPolicy = {mode: "MPOL_X"}'
	bad 'K7: an unknown flag is refused' "unknown flags 'MPOL_F_X'" \
		'.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_X"]}'
	bad 'K7: nodes are a list of numbers' "'0-' is no list of memory nodes" \
		'.linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0-"}'
}

values()
{
	s='.process.scheduler ='
	bad 'P15: an unknown policy is refused' \
		"scheduler.policy: unknown policy 'SCHED_X'" "$s {policy: \"SCHED_X\"}"
	bad 'P15: an unknown flag is refused' "unknown flags 'F'" \
		"$s {policy: \"SCHED_OTHER\", flags: [\"F\"]}"
	for v in -21 20 4294967296; do
		bad "P15: nice $v is refused" 'nice: out of range \(-20 to 19\)' \
			"$s {policy: \"SCHED_OTHER\", nice: $v}"
	done
	for p in FIFO RR IDLE DEADLINE; do
		bad "P15: SCHED_$p has no nice value" "nice: SCHED_$p has no nice" \
			"$s {policy: \"SCHED_$p\", nice: 1}"
	done
	for p in OTHER BATCH IDLE DEADLINE; do
		bad "P15: SCHED_$p has no priority" \
			"priority: SCHED_$p has no priority" \
			"$s {policy: \"SCHED_$p\", priority: 1}"
	done
	for v in 0 100 -1; do
		bad "P15: priority $v is refused" \
			'priority: SCHED_FIFO needs one from 1 to 99' \
			"$s {policy: \"SCHED_FIFO\", priority: $v}"
	done
	for k in runtime deadline period; do
		bad "P15: SCHED_RR has no $k" "$k: SCHED_RR has no $k" \
			"$s {policy: \"SCHED_RR\", priority: 1, $k: 5}"
	done
	bad 'P15: a deadline needs a runtime' 'scheduler: out of range \(1024' \
		"$s {policy: \"SCHED_DEADLINE\", deadline: 5000, period: 6000}"
	bad 'P15: a deadline is not below the runtime' "deadline: below 'runtime'" \
		"$s {policy: \"SCHED_DEADLINE\", runtime: 5000, deadline: 4000}"
	bad 'P15: a period is not below the deadline' "period: below 'deadline'" \
		"$s {policy: \"SCHED_DEADLINE\", runtime: 5000, deadline: 6000, period: 5500}"
	i='.process.ioPriority ='
	for v in 8 -1; do
		bad "P16: priority $v is refused" 'priority: out of range \(0 to 7\)' \
			"$i {class: \"IOPRIO_CLASS_BE\", priority: $v}"
	done
	bad 'P16: an unknown class is refused' "unknown class 'IOPRIO_CLASS_NONE'" \
		"$i {class: \"IOPRIO_CLASS_NONE\"}"
	for v in x 1- -1 1-0 0,,1 '0 1' 8192 1-99999; do
		for k in initial final; do
			bad "P17: $k '$v' is refused" \
				"execCPUAffinity.$k: '$v' is no list of processors" \
				".process.execCPUAffinity = {$k: \"$v\"}"
		done
	done
}

: >"$T/null"
fresh
scheduler
real_time
rights
io_priority
oom
by_exec
affinity
memory
values
check 'nothing is left at the end' nothing_left
done_testing
