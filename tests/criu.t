#!/bin/sh
# criu.t - checkpoint and restore. What is asked of criu, and what is said when
# it is not there or fails, is shown with a criu of our own, everywhere. That a
# program goes on where it was is shown where the real one works (Linux 6.1 for
# criu 3.17: the VM). Needs root and a mount namespace of its own.
# shellcheck disable=SC2016,SC2119,SC2317
. tests/lib.sh
need_root
need_program unshare
unshare -m true 2>/dev/null || skip_all 'needs unshare -m'
IMG=$T/img
real=1
"$OCIRT" checkpoint --help >/dev/null 2>&1 || real=

run()
{
	timeout 120 "$OCIRT" --root "$ROOT" "$@" >"$T/out" 2>"$T/err" </dev/null
	rc=$?
	out=$(cat "$T/out")
	# Notes are for those at a terminal.
	err=$(grep -v ': note: ' "$T/err")
}

# with_criu FILE COMMAND...: FILE stands in the place of every criu
with_criu()
{
	mkdir -p "$T/bin"
	rm -f "$T/bin/criu"
	cp -p "$1" "$T/bin/criu"
	shift
	PATH=$T/bin:$PATH timeout 60 unshare -m sh -c '
		for d in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin \
			/sbin /bin; do
			[ ! -e $d/criu ] ||
				mount --bind "$0" $d/criu || exit 99
		done
		exec "$@"' "$T/bin/criu" "$@"
}

fake()
{
	with_criu "$T/fake" "$OCIRT" --root "$ROOT" "$@" >"$T/out" \
		2>"$T/err" </dev/null
	rc=$?
	err=$(grep -v ': note: ' "$T/err")
}

# says 'sentence' PATTERN ARGS...: exit status 1 and one line
says()
{
	what=$1 pattern=$2
	shift 2
	fake "$@"
	like "$what" "$rc $(printf '%s\n' "$err" | wc -l | tr -d ' ') $err" \
		"^1 1 .*$pattern"
}

# asked ARGS...: what criu is asked for, in hexadecimal
asked()
{
	fake "$@"
	od -An -v -tx1 "$T/asked" | tr -d ' \n'
}

hex()
{
	printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
}

varint()
{
	v=$1
	while [ "$v" -gt 127 ]; do
		printf %02x $((v % 128 + 128))
		v=$((v / 128))
	done
	printf %02x "$v"
}

counter()
{
	bundle
	config 's/"readonly": true/"readonly": false/'
	script 'echo begin; i=0; while [ ! -e /tmp/end ]; do i=$((i + 1))
echo $i >/tmp/.n; mv /tmp/.n /tmp/n; sleep 0.05; done; echo end; exit 7'
	# mv is not among the applets that bundle links
	ln -sf busybox "$B/rootfs/bin/mv"
	rm -rf "$IMG"
}

count()
{
	cat "$B/rootfs/tmp/n" 2>/dev/null || echo 0
}

above()
{
	[ "$(count)" -gt "$1" ]
}

# ---- a criu that fails, and none ----

# It says what it was asked, leaves a log and fails.
cat >"$T/fake" <<END
#!/bin/sh
dd of=$T/asked bs=65536 count=1 <&3 2>/dev/null
for log in dump restore; do
	printf '(00.1) Error (criu/a.c:1): a: first\n(00.2) Error (criu/b.c:2): mnt: no such luck\n(00.3) Error (criu/c.c:3): 7 exited, status=1\n(00.4) Error (criu/cr-dump.c:4): Dumping FAILED.\n' \
		>/proc/self/fd/5/\$log.log
done
exit 3
END
chmod 755 "$T/fake"
: >"$T/none"
chmod 644 "$T/none"

counter
run run -d -b "$B" "$ID"
is 'a container runs' "$rc:$err" 0:
check 'and counts' wait_for 10 above 2
before=$(pid "$ID")

with_criu "$T/none" "$OCIRT" --root "$ROOT" checkpoint --image-path "$IMG" \
	"$ID" >"$T/out" 2>"$T/err"
rc=$?
like 'OP-checkpoint: without criu there is one clear line' \
	"$rc $(cat "$T/err")" '^1 ocirt: .*criu was not found \(hint: '
check 'and no directory of images' test ! -e "$IMG"
refused_b=$T/other
bundle "$refused_b"
refused_restore()
{
	with_criu "$T/none" "$OCIRT" --root "$ROOT.2" restore -b "$refused_b" \
		--image-path "$T" "$ID.2"
}
refused_restore >"$T/out" 2>"$T/err" </dev/null
like 'OP-restore: nor does restore work' "$? $(cat "$T/err")" \
	'^1 ocirt: .*criu was not found'
with_criu "$T/none" "$OCIRT" checkpoint --help >"$T/out" 2>&1
is 'C8 OP-checkpoint: the help of checkpoint fails without criu' "$?" 1
check 'and is still help' grep -q -- --leave-running "$T/out"
with_criu "$T/fake" "$OCIRT" checkpoint --help >"$T/out" 2>&1
is 'C8: and with one that does not work' "$?" 1
like 'features agrees' "$(with_criu "$T/none" "$OCIRT" features)" \
	'"org.opencontainers.runc.checkpoint.enabled": "false"'
"$OCIRT" restore --lsm-mount-context >"$T/out" 2>&1
check 'C7: restore --lsm-mount-context needs an argument' \
	grep -q 'flag needs an argument' "$T/out"

says "OP-checkpoint: criu's own words are told, and where its log is" \
	"criu failed: Error \\(criu/b.c:2\\): mnt: no such luck \\(hint: its log is $IMG/dump.log\\)" \
	checkpoint --image-path "$IMG" "$ID"
is 'OP-checkpoint: after a failure the container runs on' \
	"$(status "$ID") $(pid "$ID")" "running $before"
n=$(count)
check 'and counts on' wait_for 10 above "$n"
fake checkpoint --image-path "$IMG" --work-path "$T/logs" "$ID"
like '--work-path has the log' "$err" "its log is $T/logs/dump.log"

# ---- what criu is asked for ----

plain=$(asked checkpoint --image-path "$IMG" "$ID")
like 'a checkpoint asks for a dump' "$plain" '^0801'
like 'of the container' "$plain" "10$(varint "$before")"
# option, field: what option adds
while read -r name value want; do
	unlike "without --$name nothing of it" "$plain" "$want"
	like "OP-checkpoint: --$name reaches criu" "$(asked checkpoint \
		--image-path "$IMG" "--$name=$value" "$ID")" "$want"
done <<END
leave-running true 1801
ext-unix-sk true 20019a
tcp-established true 2801
shell-job true 3801
file-locks true 4001
auto-dedup true 800101
link-remap true 900101
tcp-skip-in-flight true f00201
lazy-pages true 800301
manage-cgroups-mode full 900204
manage-cgroups-mode ignore 900200
empty-ns network b002808080
page-server 10.0.0.1:1234 5a0d0a08$(hex 10.0.0.1)10d209
END
mkdir -p "$IMG/../parent"
like 'OP-checkpoint: --parent-path reaches criu, and memory is tracked' \
	"$(asked checkpoint --image-path "$IMG" --parent-path ../parent "$ID")" \
	"7209$(hex ../parent).*7801"
like 'OP-checkpoint: --pre-dump is another question' "$(asked checkpoint \
	--image-path "$IMG" --pre-dump "$ID")" '^0804'
like 'a path that is masked is not to be written down' "$plain" \
	"$(hex ocirt:masked-)"
says '--parent-path is relative' 'must be relative' checkpoint \
	--image-path "$IMG" --parent-path "$T" "$ID"
says 'and there' 'invalid --parent-path' checkpoint \
	--image-path "$IMG" --parent-path nosuch "$ID"
says '--page-server is an address and a port' 'not ADDRESS:PORT' checkpoint \
	--page-server here "$ID"
says '--manage-cgroups-mode is one of a few words' "'x' is not soft" \
	checkpoint --manage-cgroups-mode x "$ID"
says '--empty-ns knows the network' "namespace 'ipc' is not supported" \
	checkpoint --empty-ns ipc "$ID"
says '--status-fd is an open descriptor' '--status-fd 77: ' checkpoint \
	--status-fd 77 "$ID"

says 'OP-restore: the id may not be taken' 'already exists' restore -b "$B" \
	--image-path "$IMG" "$ID"
run delete -f "$ID"
says "OP-restore: criu's own words are told" 'criu failed: .*no such luck' \
	restore -b "$B" --image-path "$IMG" "$ID"
check 'OP-restore: and nothing is left' nothing_left
plain=$(asked restore -b "$B" --image-path "$IMG" "$ID")
like 'a restore asks for one' "$plain" '^0802'
while read -r name value want; do
	like "OP-restore: --$name reaches criu" "$(asked restore -b "$B" \
		--image-path "$IMG" "--$name=$value" "$ID")" "$want"
done <<END
tcp-established true 2801
file-locks true 4001
lsm-profile apparmor:x aa030a$(hex apparmor:x)
lsm-mount-context ctx fa0303$(hex ctx)
END
says 'restore needs the images' 'nosuch: no such file' restore -b "$B" \
	--image-path "$T/nosuch" "$ID"
check 'and leaves nothing' nothing_left

# ---- what cannot be written down ----

run create -b "$B" "$ID"
says 'OP-checkpoint: a created container is refused' 'in created state' \
	checkpoint "$ID"
run delete -f "$ID"
args '"true"'
run run -d -b "$B" "$ID"
is_stopped()
{
	is_status "$ID" stopped
}
wait_for 10 is_stopped
says 'OP-checkpoint: a stopped one too' \
	'Container cannot be checkpointed in stopped state' checkpoint "$ID"
run delete "$ID"
says 'and one that is not there' 'does not exist' checkpoint "$ID"
for ns in ipc uts; do
	counter
	mkdir -p "$T/ns"
	unshare -m -i -u sleep 1000 &
	pids="$pids $!"
	other=$!
	wait_for 10 sh -c "[ \"\$(readlink /proc/$other/ns/$ns)\" != \
		\"\$(readlink /proc/self/ns/$ns)\" ]"
	ns_path $ns "/proc/$other/ns/$ns"
	says "OP-restore: another one's $ns namespace is refused" \
		"another one's $ns namespace" restore -b "$B" --image-path "$T" "$ID"
done
counter
without mount
edit 'del(.mounts, .linux.maskedPaths, .linux.readonlyPaths, .root.readonly)'
says 'OP-restore: so is no mount namespace' 'without a mount namespace' \
	restore -b "$B" --image-path "$T" "$ID"
check 'and nothing is left of all these' nothing_left

# ---- the real one ----

if [ ! "$real" ]; then
	skip 'a program goes on where it was' 'no criu that works on this kernel'
	done_testing
fi

# criu closes the network by them; there is nothing to close here.
mkdir -p "$T/net"
for n in iptables-restore ip6tables-restore; do
	printf '#!/bin/sh\ncat >/dev/null\n' >"$T/net/$n"
	chmod 755 "$T/net/$n"
done
PATH=$T/net:$PATH
export PATH

view()
{
	sed 's/.* - //' "/proc/$(pid "$ID")/mountinfo" >"$T/view"
	cut -d' ' -f5,6 "/proc/$(pid "$ID")/mountinfo" | sort
}

counter
mkdir -p "$T/bound" "$B/rootfs/bound"
echo there >"$T/bound/file"
add_mount "{destination: \"/bound\", type: \"bind\", source: \"$T/bound\",
	options: [\"rbind\", \"ro\"]}"
for h in prestart createRuntime poststart poststop; do
	printf '#!/bin/sh\ncat >>%s\necho %s >>%s\n' "$T/state.$h" $h \
		"$T/hooks" >"$T/hook.$h"
	chmod 755 "$T/hook.$h"
	edit ".hooks.$h = [{path: \"$T/hook.$h\"}]"
done
timeout 60 "$OCIRT" --root "$ROOT" run -d -b "$B" "$ID" >"$T/log" 2>&1 </dev/null
wait_for 20 above 2
p=$(pid "$ID")
view >"$T/view1"
grep -E 'Cap|NoNew|Seccomp:|[UG]id' "/proc/$p/status" >"$T/status1"
: >"$T/hooks"

run checkpoint --image-path "$IMG" --empty-ns network --leave-running "$ID"
is 'OP-checkpoint: --leave-running succeeds' "$rc:$err" 0:
is 'OP-checkpoint: and leaves it running' "$(status "$ID"):$(pid "$ID")" \
	"running:$p"
run pause "$ID"
rm -rf "$IMG"
run checkpoint --image-path "$IMG" --work-path "$T/logs" --empty-ns network "$ID"
is 'OP-checkpoint: a checkpoint of a paused container succeeds' "$rc:$err" 0:
check 'its log is in --work-path' test -s "$T/logs/dump.log"
is 'OP-checkpoint: it is deleted then' "$(status "$ID")" ''
check 'and leaves nothing' nothing_left
is 'but runs its poststop hook' "$(cat "$T/hooks")" poststop
n=$(count)
: >"$T/hooks"
: >"$T/state.createRuntime"

# Nothing but the images is left of it; a state that was not there before.
timeout 120 "$OCIRT" --root "$ROOT" restore -d -b "$B" --image-path "$IMG" \
	--work-path "$T/logs" --empty-ns network --pid-file "$T/pid" \
	"$ID" >>"$T/log" 2>"$T/err" </dev/null
is 'OP-restore: restore -d succeeds' "$?:$(grep -v note: "$T/err")" 0:
is 'OP-restore: it runs' "$(status "$ID")" running
p=$(pid "$ID")
like 'the pid file has its pid' "$(cat "$T/pid")" "^${p:-none}\$"
check 'OP-restore: and counts on' wait_for 20 above "$n"
check 'OP-restore: from where it was, not from the beginning' \
	[ "$(grep -c begin "$T/log")" = 1 ]
p=$(pid "$ID")
is 'OP-restore: its mounts are as they were' "$(view)" "$(cat "$T/view1")"
is 'its ids, capabilities, noNewPrivs and filter too' \
	"$(grep -E 'Cap|NoNew|Seccomp:|[UG]id' "/proc/$p/status")" \
	"$(cat "$T/status1")"
for ns in pid net ipc uts mnt cgroup; do
	grep -q cgroup "$B/config.json" || [ $ns != cgroup ] || continue
	its=$(readlink "/proc/$p/ns/$ns")
	check "its $ns namespace is not ours" test -n "$its" -a \
		"$its" != "$(readlink "/proc/self/ns/$ns")"
done
is 'it has the bound directory' "$(cat "/proc/$p/root/bound/file")" there
is 'a masked path is empty' "$(wc -c <"/proc/$p/root/proc/kcore")" 0
check 'it is in its cgroup' grep -q "$ID" "/proc/$p/cgroup"
is 'the hooks of a new container ran' "$(tr '\n' ' ' <"$T/hooks")" \
	'prestart createRuntime poststart '
like 'with its pid' "$(cat "$T/state.createRuntime")" "\"pid\": ?${p}[,}]"
run exec "$ID" echo hello
is 'exec works in it' "$rc:$out" 0:hello
touch "$B/rootfs/tmp/end"
check 'OP-restore: it ends' wait_for 10 is_stopped
check 'and its output went to the new place' grep -q '^end$' "$T/log"
run delete "$ID"
is 'it can be deleted' "$rc:$err" 0:
check 'and nothing is left' nothing_left

# With a memory that is mostly there before, and in the foreground.
counter
"$OCIRT" --root "$ROOT" run -d -b "$B" "$ID" >"$T/log" 2>&1 </dev/null
wait_for 20 above 2
run checkpoint --image-path "$IMG/1" --pre-dump "$ID"
is 'OP-checkpoint: --pre-dump succeeds' "$rc:$err" 0:
is 'and it runs on' "$(status "$ID")" running
run checkpoint --image-path "$IMG/2" --parent-path ../1 --empty-ns network "$ID"
is 'OP-checkpoint: with its --parent-path a checkpoint succeeds' "$rc:$err" 0:
check 'that refers to it' test -L "$IMG/2/parent"
n=$(count)
timeout 120 "$OCIRT" --root "$ROOT" restore -b "$B" --image-path "$IMG/2" \
	--empty-ns network "$ID.new" >>"$T/log" 2>"$T/err" </dev/null &
waiting=$!
pids="$pids $waiting"
check 'OP-restore: another id, in the foreground: it counts on' wait_for 60 \
	above "$n"
check 'in the cgroup of that id' grep -q "$ID.new" "/proc/$(pid "$ID.new")/cgroup"
touch "$B/rootfs/tmp/end"
wait "$waiting"
is 'OP-restore: the exit status is the program'"'"'s' "$?" 7
check 'and it is deleted' nothing_left

# A terminal, a network of another, and images that are broken.
counter
unshare -n sleep 1000 &
pids="$pids $!"
net=$!
wait_for 10 sh -c "[ \"\$(readlink /proc/$net/ns/net)\" != \
	\"\$(readlink /proc/self/ns/net)\" ]"
ns_path network "/proc/$net/ns/net"
edit '.process.terminal = true'
"$TOP/tests/bin/consock" "$T/sock" >"$T/console" 2>&1 &
pids="$pids $!"
wait_for 5 test -S "$T/sock"
run run -d --console-socket "$T/sock" -b "$B" "$ID"
wait_for 20 above 2
run checkpoint --image-path "$IMG" "$ID"
is "OP-checkpoint: a terminal and another one's network: it succeeds" "$rc:$err" 0:
n=$(count)
"$TOP/tests/bin/consock" "$T/sock2" >"$T/console" 2>&1 &
pids="$pids $!"
wait_for 5 test -S "$T/sock2"
run restore -d -b "$B" --image-path "$IMG" --console-socket "$T/sock2" "$ID"
is 'OP-restore: so does its restore' "$rc:$err" 0:
check 'it counts on' wait_for 20 above "$n"
check 'OP-restore: the terminal arrives at the console socket' wait_for 5 \
	grep -q '^terminal: yes' "$T/console"
is 'it is in that network' "$(readlink "/proc/$(pid "$ID")/ns/net")" \
	"$(readlink "/proc/$net/ns/net")"
run delete -f "$ID"
: >"$IMG/pstree.img"
refused 'OP-restore: broken images are an error with criu'"'"'s words' \
	'criu failed: Error \(criu/' timeout 120 "$OCIRT" --root "$ROOT" restore \
	-d -b "$B" --image-path "$IMG" --console-socket "$T/sock2" "$ID"
done_testing
