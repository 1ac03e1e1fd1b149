#!/bin/sh
# limit.t - resources of the config as files of cgroups: what is written on v1
# and on v2 (tests/bin/limit, no kernel), what stands in the files of a
# container, and that limits bite
#
# Needs: root for all but the table.
# shellcheck disable=SC2016,SC2119,SC2120,SC2317
. tests/lib.sh

# writes 'sentence' v1|v2 RESOURCES WANT: WANT has " | " between lines
writes()
{
	is "$1" "$(tests/bin/limit "$2" "$3" 2>&1 | tr '\n' '|' |
		sed 's/|$//; s/|/ | /g; s/^.*config.json:[0-9:]* //')" "$4"
}

# both 'sentence' RESOURCES V1 V2
both()
{
	writes "G 9.1: $1 on v1" v1 "$2" "$3"
	writes "G 9.1: $1 on v2" v2 "$2" "$4"
}

# ---- the table ----

both 'memory.limit' '{"memory":{"limit":1048576}}' \
	'memory memory.limit_in_bytes=1048576' 'memory memory.max=1048576'
both 'no memory.limit' '{"memory":{"limit":-1}}' \
	'memory memory.limit_in_bytes=-1 | memory memory.memsw.limit_in_bytes=-1 optional' \
	'memory memory.max=max | memory memory.swap.max=max optional'
both 'memory.swap counts memory in' '{"memory":{"limit":100,"swap":300}}' \
	'memory memory.limit_in_bytes=100 | memory memory.memsw.limit_in_bytes=300' \
	'memory memory.max=100 | memory memory.swap.max=200'
both 'memory.swap alike' '{"memory":{"limit":100,"swap":100}}' \
	'memory memory.limit_in_bytes=100 | memory memory.memsw.limit_in_bytes=100' \
	'memory memory.max=100 | memory memory.swap.max=0 optional'
both 'endless memory.swap' '{"memory":{"limit":100,"swap":-1}}' \
	'memory memory.limit_in_bytes=100 | memory memory.memsw.limit_in_bytes=-1 optional' \
	'memory memory.max=100 | memory memory.swap.max=max optional'
both 'memory.swap below the limit' '{"memory":{"limit":100,"swap":50}}' \
	'linux.resources.memory.swap: memory+swap limit should be >= memory limit' \
	'linux.resources.memory.swap: memory+swap limit should be >= memory limit'
both 'memory.swap without a limit' '{"memory":{"swap":50}}' \
	'linux.resources.memory.swap: unable to set swap limit without memory limit' \
	'linux.resources.memory.swap: unable to set swap limit without memory limit'
both 'memory.reservation' '{"memory":{"reservation":4096}}' \
	'memory memory.soft_limit_in_bytes=4096' 'memory memory.low=4096'
both 'memory.swappiness' '{"memory":{"swappiness":60}}' \
	'memory memory.swappiness=60' \
	'linux.resources.memory.swappiness: cgroup v2 has no such limit'
both 'memory.swappiness that is unset the old way' \
	'{"memory":{"swappiness":18446744073709551615}}' '' ''
writes 'G 9.1: a swappiness of zero is one' v1 '{"memory":{"swappiness":0}}' \
	'memory memory.swappiness=0'
writes 'G 9.1: a swappiness above 100 is refused' v1 \
	'{"memory":{"swappiness":101}}' \
	'linux.resources.memory.swappiness: out of range (0 to 100)'
both 'memory.disableOOMKiller' '{"memory":{"disableOOMKiller":true}}' \
	'memory memory.oom_control=1' \
	'linux.resources.memory.disableOOMKiller: cgroup v2 has no such limit'
both 'memory.useHierarchy' '{"memory":{"useHierarchy":true}}' \
	'memory memory.use_hierarchy=1' ''
both 'what Docker sends for nothing' '{"memory":{"limit":0,"swap":0,
	"disableOOMKiller":false,"kernel":0},"cpu":{"shares":0,"quota":0,
	"period":0,"cpus":"","mems":""},"pids":{},"blockIO":{"weight":0,
	"weightDevice":[]},"hugepageLimits":[],"network":{"classID":0}}' '' ''
both 'kernel memory, which is no more,' '{"memory":{"kernel":5,"kernelTCP":5}}' '' ''
both 'cpu.shares' '{"cpu":{"shares":512}}' 'cpu cpu.shares=512' 'cpu cpu.weight=59'
both 'cpu.quota and period' '{"cpu":{"quota":50000,"period":200000}}' \
	'cpu cpu.cfs_period_us=200000 | cpu cpu.cfs_quota_us=50000' \
	'cpu cpu.max=50000 200000'
both 'cpu.quota alone' '{"cpu":{"quota":50000}}' \
	'cpu cpu.cfs_quota_us=50000' 'cpu cpu.max=50000 100000'
both 'no cpu.quota' '{"cpu":{"quota":-5}}' 'cpu cpu.cfs_quota_us=-1' \
	'cpu cpu.max=max 100000'
both 'cpu.period alone' '{"cpu":{"period":50000}}' \
	'cpu cpu.cfs_period_us=50000' 'cpu cpu.max=max 50000'
both 'cpu.burst' '{"cpu":{"burst":100}}' 'cpu cpu.cfs_burst_us=100' \
	'cpu cpu.max.burst=100'
both 'cpu.idle' '{"cpu":{"idle":1}}' 'cpu cpu.idle=1' 'cpu cpu.idle=1'
writes 'G 9.1: an idle group has no weight on v2' v2 \
	'{"cpu":{"idle":1,"shares":512}}' 'cpu cpu.idle=1'
both 'cpu.realtime*' '{"cpu":{"realtimeRuntime":950,"realtimePeriod":1000}}' \
	'cpu cpu.rt_period_us=1000 | cpu cpu.rt_runtime_us=950' \
	'linux.resources.cpu.realtimePeriod: cgroup v2 has no such limit'
both 'cpu.cpus and mems' '{"cpu":{"cpus":"0-1","mems":"0"}}' \
	'cpuset cpuset.cpus=0-1 | cpuset cpuset.mems=0' \
	'cpuset cpuset.cpus=0-1 | cpuset cpuset.mems=0'
writes 'G 9.1: a newline in a list of cpus is refused' v1 \
	'{"cpu":{"cpus":"0\n1"}}' 'linux.resources.cpu.cpus: a newline in the value'
both 'pids.limit' '{"pids":{"limit":7}}' 'pids pids.max=7' 'pids pids.max=7'
both 'a pids.limit of zero' '{"pids":{"limit":0}}' 'pids pids.max=0' 'pids pids.max=0'
both 'no pids.limit' '{"pids":{"limit":-1}}' 'pids pids.max=max' 'pids pids.max=max'
both 'blockIO.weight' '{"blockIO":{"weight":500}}' \
	'blkio blkio.weight=500 or blkio.bfq.weight=500' \
	'blkio io.bfq.weight=500 or io.weight=4950'
both 'blockIO.weight at its ends' '{"blockIO":{"weight":10}}' \
	'blkio blkio.weight=10 or blkio.bfq.weight=10' \
	'blkio io.bfq.weight=10 or io.weight=1'
both 'blockIO.weight out of range' '{"blockIO":{"weight":9}}' \
	'linux.resources.blockIO.weight: out of range (10 to 1000)' \
	'linux.resources.blockIO.weight: out of range (10 to 1000)'
both 'blockIO.leafWeight' '{"blockIO":{"leafWeight":500}}' \
	'blkio blkio.leaf_weight=500' \
	'linux.resources.blockIO.leafWeight: cgroup v2 has no such limit'
both 'blockIO.weightDevice' \
	'{"blockIO":{"weightDevice":[{"major":8,"minor":16,"weight":300}]}}' \
	'blkio blkio.weight_device=8:16 300 or blkio.bfq.weight_device=8:16 300' \
	'blkio io.bfq.weight=8:16 300'
both 'blockIO.weightDevice without a weight' \
	'{"blockIO":{"weightDevice":[{"major":8,"minor":16}]}}' \
	"linux.resources.blockIO.weightDevice[0]: expected 'weight' or 'leafWeight'" \
	"linux.resources.blockIO.weightDevice[0]: expected 'weight' or 'leafWeight'"
both 'blockIO.throttle*' '{"blockIO":{
	"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":0}],
	"throttleWriteBpsDevice":[{"major":8,"minor":0,"rate":2}],
	"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":3}],
	"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":4}]}}' \
	'blkio blkio.throttle.read_bps_device=8:0 1 | blkio blkio.throttle.read_bps_device=8:1 0 | blkio blkio.throttle.write_bps_device=8:0 2 | blkio blkio.throttle.read_iops_device=8:0 3 | blkio blkio.throttle.write_iops_device=8:0 4' \
	'blkio io.max=8:0 rbps=1 | blkio io.max=8:1 rbps=max | blkio io.max=8:0 wbps=2 | blkio io.max=8:0 riops=3 | blkio io.max=8:0 wiops=4'
both 'hugepageLimits' '{"hugepageLimits":[{"pageSize":"2MB","limit":4096}]}' \
	'hugetlb hugetlb.2MB.limit_in_bytes=4096 | hugetlb hugetlb.2MB.rsvd.limit_in_bytes=4096 optional' \
	'hugetlb hugetlb.2MB.max=4096 | hugetlb hugetlb.2MB.rsvd.max=4096 optional'
for size in 64kB 2 MB 02MB ../2MB 2MBx; do
	writes "G 9.1: a page size of $size is refused" v2 \
		"{\"hugepageLimits\":[{\"pageSize\":\"$size\",\"limit\":1}]}" \
		"linux.resources.hugepageLimits[0].pageSize: expected a size such as '2MB', found '$size'"
done
both 'network' '{"network":{"classID":1048577}}' 'net_cls net_cls.classid=1048577' \
	'linux.resources.network.classID: cgroup v2 has no such limit'
both 'network priorities' '{"network":{"priorities":[{"name":"lo","priority":3}]}}' \
	'net_prio net_prio.ifpriomap=lo 3' \
	'linux.resources.network.priorities: cgroup v2 has no such limit'
both 'rdma' '{"rdma":{"mlx5_1":{"hcaHandles":3,"hcaObjects":10},"x":{"hcaObjects":0}}}' \
	'rdma rdma.max=mlx5_1 hca_handle=3 hca_object=10 | rdma rdma.max=x hca_object=0' \
	'rdma rdma.max=mlx5_1 hca_handle=3 hca_object=10 | rdma rdma.max=x hca_object=0'
both 'unified' '{"unified":{"memory.high":"1","io.max":"8:0 rbps=1\n8:1 rbps=2","cgroup.max.depth":"3"}}' \
	'memory memory.high=1 | blkio io.max=8:0 rbps=1 | blkio io.max=8:1 rbps=2 |  cgroup.max.depth=3' \
	'memory memory.high=1 | blkio io.max=8:0 rbps=1 | blkio io.max=8:1 rbps=2 |  cgroup.max.depth=3'
for key in memory memory/high ../memory.high .high; do
	writes "G 9.1: $key is no file of a cgroup" v2 "{\"unified\":{\"$key\":\"1\"}}" \
		"linux.resources.unified.$key: expected the name of a cgroup file"
done
is 'G 9.1: weights by the newest formula' "$(tests/bin/limit weight 2 3 10 100 \
	128 256 512 1000 1024 1025 2048 4096 10000 65536 200000 262143 262144 |
	sed 's/.*=//' | tr '\n' ' ')" \
	'1 2 4 17 21 35 59 99 100 101 174 303 627 3023 7899 10000 10000 '

# ---- the files of a container ----

[ "$(id -u)" = 0 ] || { skip 'limits of a container' 'needs root'; done_testing; }
host=$(host_kind)

# value FILE...: what the first of the files says that is in a cgroup of ours
value()
{
	for value_f; do
		for value_d in $(cgroups); do
			[ -e "$value_d/$value_f" ] || continue
			tr '\n' ' ' <"$value_d/$value_f" | sed 's/ $//'
			return
		done
	done
	echo "no $*"
}

# has CONTROLLER: some hierarchy here has it
has()
{
	awk -v c="$1" '$0 ~ / - cgroup / && ("," $NF ",") ~ ("," c ",") { f = 1 }
	END { exit !f }' /proc/self/mountinfo && return
	awk '$0 ~ / - cgroup2 / { print $5 }' /proc/self/mountinfo | while read -r m; do
		grep -qw "$(echo "$1" | sed 's/blkio/io/')" "$m/cgroup.controllers" && echo y
	done | grep -q y
}

# held 'sentence' CONTROLLER RESOURCES "FILE|FILE" WANT: read while it runs
held()
{
	has "$2" || { skip "$1" "no $2 controller here"; return; }
	bundle
	args '"sleep", "100"'
	edit ".linux.resources += $3"
	if ! o run -d -b "$B" "$ID" >"$T/out" 2>&1 </dev/null; then
		not_ok "$1"
		diag "$(cat "$T/out")"
		return
	fi
	# shellcheck disable=SC2046
	is "$1" "$(value $(echo "$4" | tr '|' ' '))" "$5"
	o delete -f "$ID"
}

need_root
held 'G6: a limit of memory is in its file' memory '{memory:{limit:67108864}}' \
	'memory.limit_in_bytes|memory.max' 67108864
held 'G6: a limit that goes above the one of swap' memory \
	'{memory:{limit:67108864,reservation:1048576}}' \
	'memory.soft_limit_in_bytes|memory.low' 1048576
held 'G6: a limit of processes is in its file' pids '{pids:{limit:33}}' pids.max 33
held 'G6: a share of the cpu is in its file' cpu '{cpu:{shares:512}}' \
	'cpu.shares|cpu.weight' "$([ "$host" = v2 ] && echo 59 || echo 512)"
held 'G6: a quota of the cpu is in its file' cpu '{cpu:{quota:30000,period:50000}}' \
	'cpu.cfs_quota_us|cpu.max' "$([ "$host" = v2 ] && echo 30000 50000 || echo 30000)"
held 'G6: a burst of the cpu is in its file' cpu '{cpu:{quota:30000,burst:1000}}' \
	'cpu.cfs_burst_us|cpu.max.burst' 1000
held 'G6: a set of cpus is in its file' cpuset '{cpu:{cpus:"0",mems:"0"}}' cpuset.cpus 0
if [ "$host" = v2 ]; then
	held 'G6: a file of v2 is written by its name' memory \
		'{unified:{"memory.high":"33554432"}}' memory.high 33554432
else
	held 'G6: a weight of block devices is in its file' blkio \
		'{blockIO:{weight:500}}' 'blkio.weight|blkio.bfq.weight' 500
fi

bundle
edit '.linux.resources.network = {classID: 7}'
if has net_cls; then
	skip 'G6: a controller that is nowhere is named' 'net_cls is here'
elif [ "$host" = v2 ]; then
	refused 'G6: what v2 cannot hold is refused' \
		'network.classID: cgroup v2 has no such limit' run_b
else
	refused 'G6: a controller that is nowhere is named' \
		"config.json:[0-9:]+ linux.resources.network.classID: network.classID needs the cgroup controller 'net_cls', which is not mounted" run_b
fi
bundle
edit '.linux.resources.unified = {"nothing.here": "1"}'
refused 'G6: an unknown controller is named' \
	"linux.resources.unified.nothing.here: .*(controller 'nothing'|cgroup v1)" run_b
bundle
edit '.linux.resources.cpu = {cpus: "4000"}'
has cpuset && refused 'G6: what the kernel refuses is named, nothing is left' \
	"cpu.cpus: write '4000' to cpuset.cpus" run_b

# ---- limits that bite ----

if has pids; then
	bundle
	script 'for i in 1 2 3 4 5 6; do sleep 3 & done; wait'
	edit '.linux.resources.pids = {limit: 4}'
	like 'a fork above the limit is refused' "$(run_b 2>&1)" \
		"can't fork|Resource temporarily"
fi
if has memory; then
	bundle
	script 'a=x; while :; do a=$a$a; done'
	edit '.linux.resources.memory = {limit: 8388608, swap: 8388608}'
	run_b >/dev/null 2>&1
	is 'an allocation above the limit is killed' $? 137
fi
if has cpu; then
	bundle
	script 'while :; do :; done'
	edit '.linux.resources.cpu = {quota: 10000, period: 100000}'
	o run -d -b "$B" "$ID" </dev/null >/dev/null 2>&1
	throttled()
	{
		[ "$(value cpu.stat | sed 's/.*nr_throttled \([0-9]*\).*/\1/')" -gt 3 ]
	}
	check 'a loop above the quota is throttled' wait_for 10 throttled
	o delete -f "$ID"
fi
check 'nothing is left' nothing_left

done_testing
