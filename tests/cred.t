#!/bin/sh
# cred.t - who the program is when it starts: capabilities, ids, groups,
# limits, environment, working directory, descriptors, session; and that it
# never holds the runtime's binary. All is read from /proc of the program or
# by tests/probe.c in its place. Needs root.
# shellcheck disable=SC2119,SC2317,SC2016,SC2012,SC1003
. tests/lib.sh
need_root
PROBE=$TOP/tests/bin/probe
LAUNCH=$TOP/tests/bin/launch

# process MEMBERS: more members of "process"
process()
{
	config "s~^\t\t\"cwd\": \"/\",\$~&$1,~"
}

writable()
{
	config '/"readonly": true/s/true/false/'
}

# caps JSON: the whole capabilities object; nothing for none
caps()
{
	config "/\"capabilities\": {/,/^\t\t},\$/c\\
${1:+\"capabilities\": $1,}"
}

# start_in DIR: process.cwd
start_in()
{
	sed -i "s~\"cwd\": \".*\"~\"cwd\": \"$1\"~" "$B/config.json"
}

# env JSON-STRINGS: process.env
env_is()
{
	sed -i '/"env": \[/,/\]/c\
"env": ['"$1"'\
],' "$B/config.json"
}

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

# launched OPTIONS...: run $B by a caller like that
launched()
{
	"$LAUNCH" "$@" "$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null
}

# field NAME: of /proc/PID/status in $out, blanks made one
field()
{
	printf '%s\n' "$out" | sed -n "s/^$1:[[:blank:]]*//p" |
		tr -s '\t ' '  ' | sed 's/ $//'
}

# sets: the five capability sets in the order of status
sets()
{
	for set in Inh Prm Eff Bnd Amb; do
		field Cap$set | sed 's/^0*\(.\)/\1/'
	done | tr '\n' ' ' | sed 's/ $//'
}

refused()
{
	if out=$(run_b 2>&1); then
		not_ok "$1"
		diag "it ran: $out"
		return
	fi
	like "$1" "$out" "$2"
	if ! nothing_left >"$T/left" 2>&1; then
		not_ok 'a failure leaves nothing'
		diag "$(cat "$T/left")"
	fi
}

# ---- capabilities ----

# kill is 20, net_bind_service 400, audit_write 20000000, chown 1
capabilities()
{
	fresh
	args '"cat","/proc/self/status"'
	cp "$B/config.json" "$T/plain"
	out=$(run_b)
	is 'P9: the default sets are bounding, effective, permitted' "$(sets)" \
		'0 20000420 20000420 20000420 0'

	caps ''
	out=$(run_b)
	is 'P9: no capabilities object gives none' "$(sets)" '0 0 0 0 0'
	for empty in '{}' \
		'{"bounding":[],"effective":[],"permitted":[],"inheritable":[],"ambient":[]}'; do
		again
		caps "$empty"
		out=$(run_b)
		is "empty lists give none ($empty)" "$(sets)" '0 0 0 0 0'
	done

	again
	all=$(for n in CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL \
		SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE \
		NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE \
		SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT \
		SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE \
		AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN \
		SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF \
		CHECKPOINT_RESTORE; do
		printf ',"CAP_%s"' $n
	done | cut -c 2-)
	# With CAP_MKNOD the rule that denies all devices has to be enforced,
	# which not every host can.
	config '/"devices": \[/,/\]/d'
	caps '{"bounding":['"$all"'],"effective":['"$all"'],"permitted":['"$all"'],"inheritable":['"$all"'],"ambient":['"$all"']}'
	out=$(run_b)
	have=$(sed -n 's/^CapPrm:[[:blank:]]*0*//p' /proc/self/status)
	is 'P9: all are what the caller has itself' "$(sets)" \
		"$have $have $have $have $have"

	again
	caps '{"bounding":["CAP_KILL","CAP_UNHEARD_OF"],"effective":["CAP_UNHEARD_OF","CAP_KILL"],"permitted":["CAP_KILL"]}'
	out=$(run_b 2>&1)
	is 'P9: an unknown name is left out, the rest holds' "$(sets)" \
		'0 20 20 20 0'
	again
	caps '{"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_CHOWN","CAP_KILL"],"permitted":["CAP_KILL"]}'
	out=$(run_b 2>&1)
	is 'P9: the sets are not mixed up' "$(sets)" '0 20 20 21 0'

	again
	config 's/"uid": 0/"uid": 1000/'
	out=$(run_b)
	is 'another user without ambient ones has but the bounding set' \
		"$(sets)" '0 0 0 20000420 0'
	caps '{"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_KILL"],"permitted":["CAP_KILL","CAP_CHOWN"],"inheritable":["CAP_KILL"],"ambient":["CAP_KILL"]}'
	out=$(run_b)
	is 'P9: another user has its ambient ones' "$(sets)" '20 20 20 21 20'
}

# ---- ids, groups, umask, limits ----

ids()
{
	fresh
	script 'cat /proc/self/status; umask; echo x >/tmp/new
		stat -c "new %a" /tmp/new
		echo "oom $(cat /proc/self/oom_score_adj)"; cat /proc/self/limits'
	writable
	chmod 777 "$B/rootfs/tmp"
	cp "$B/config.json" "$T/plain"
	out=$(launched -g 4,27,1234)
	is "P8: the caller's groups are gone" "$(field Groups)" ''
	is 'uid 0 is 0 in all four' "$(field Uid)" '0 0 0 0'
	like 'P7: umask is 022 by default' "$out" '^0022$'
	like 'and what is made has mode 644' "$out" '^new 644$'
	is 'P11: no_new_privs is set as asked' "$(field NoNewPrivs)" 1
	is 'without a filter there is none' "$(field Seccomp)" 0
	like 'P14: oom_score_adj stays as the caller has it' "$out" \
		"^oom $(cat /proc/self/oom_score_adj)\$"
	like 'P10: RLIMIT_NOFILE is as in the config' "$out" \
		'^Max open files  *1024  *1024  *files'

	rm -f "$B/rootfs/tmp/new"
	config 's/"uid": 0/"uid": 4242/; s/"gid": 0/"gid": 4343,"additionalGids":[7,9,4294967294],"umask":63/'
	config 's/"noNewPrivileges": true/"noNewPrivileges": false/'
	process '"oomScoreAdj":321'
	config '/"type": "RLIMIT_NOFILE"/s/^/"type":"RLIMIT_CORE","hard":4096,"soft":0},{"type":"RLIMIT_CPU","hard":1000,"soft":999},{"type":"RLIMIT_AS","hard":18446744073709551615,"soft":1073741824},{/'
	out=$(launched -g 4,27,1234 -u 000)
	is 'P6: uid is as asked, in all four' "$(field Uid)" '4242 4242 4242 4242'
	is 'P6: gid is as asked, in all four' "$(field Gid)" '4343 4343 4343 4343'
	is 'P8: additional groups are those asked for and no others' \
		"$(field Groups)" '7 9 4294967294'
	like 'P7: umask is as asked' "$out" '^0077$'
	like 'and counts' "$out" '^new 600$'
	is 'P11: no_new_privs is not set when not asked for' "$(field NoNewPrivs)" 0
	like 'P14: oomScoreAdj is as asked' "$out" '^oom 321$'
	like 'P10: a limit of 0 with a hard one is set' "$out" \
		'^Max core file size  *0  *4096 '
	like 'a second limit too' "$out" '^Max cpu time  *999  *1000 '
	like 'P10: the largest number is no limit' "$out" \
		'^Max address space  *1073741824  *unlimited '

	again
	config 's/"RLIMIT_NOFILE"/"RLIMIT_NOSUCH"/'
	refused 'P10: an unknown limit is named' RLIMIT_NOSUCH
	again
	config '/"type": "RLIMIT_NOFILE"/s/^/"type":"RLIMIT_NOFILE","hard":1,"soft":1},{/'
	refused 'P10: a limit given twice is refused' 'rlimits.*duplicate'
	for bad in 4294967295 -1 1.5 4294967296; do
		again
		config 's/"uid": 0/"uid": '$bad'/'
		refused "uid $bad is refused" uid
	done
}

# ---- working directory ----

cwd()
{
	fresh
	writable
	script 'pwd; readlink /proc/self/cwd'
	for dir in /made/here /tmp; do
		start_in $dir
		is "P3: cwd $dir is where the program starts" \
			"$(run_b | tr '\n' ' ')" "$dir $dir "
	done
	is 'P3: a missing one is made with mode 755' \
		"$(stat -c %a "$B/rootfs/made/here")" 755
	start_in /script
	refused 'P3: cwd that is a file is named' '/script'
	for dir in tmp . ''; do
		start_in "$dir"
		refused "P3: cwd '$dir' is refused" '[Cc]wd'
	done

	# The caller has 3 to 20 open on / (CVE-2024-21626). A descriptor of
	# the runtime's may be the container's own root: that is no harm.
	ln -s /proc/self/fd/7 "$B/rootfs/link7"
	script '[ "$(stat -c %d:%i . ..)" = "$(stat -c %d:%i / /)" ] || {
		echo outside; ls ..; }'
	bad=
	for dir in $(seq 3 24 | sed 's,^,/proc/self/fd/,') /proc/1/fd/8 \
		/proc/self/fd/9/tmp /link7 /link7/etc /proc/thread-self/fd/10 \
		/dev/fd/11; do
		start_in "$dir"
		out=$(launched -f 3-20=/ 2>&1) && [ -n "$out" ] &&
			bad="$bad $dir: $out"
	done
	is "P3: cwd through a caller's descriptor leads nowhere" "$bad" ''
	for dir in /proc/self/fd/7 /link7; do
		start_in $dir
		out=$(launched -f 3-20=/ 2>&1)
		like "and is named: $dir" "$? $out" \
			"^1 .*$dir.* outside the container"
	done
	start_in /
	bad=
	for fd in 3 4 5 6 7 8 12 20; do
		args '"/proc/self/fd/'$fd"$BUSYBOX"'","true"'
		out=$(launched -f 3-20=/ 2>&1) && bad="$bad $fd: $out"
	done
	is 'nor can a program be run through one' "$bad" ''
	args '"sleep","60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/null" 2>&1
	bad=
	for fd in 3 4 5 6 7 8 12 20; do
		out=$("$LAUNCH" -f 3-20=/ "$OCIRT" --root "$ROOT" exec --cwd \
			/proc/self/fd/$fd "$ID" sh /script </dev/null 2>&1) &&
			[ -n "$out" ] && bad="$bad $fd: $out"
		out=$("$LAUNCH" -f 3-20=/ "$OCIRT" --root "$ROOT" exec \
			"$ID" "/proc/self/fd/$fd$BUSYBOX" true \
			</dev/null 2>&1) &&
			bad="$bad $fd: $out"
	done
	is 'nor by exec' "$bad" ''
	is 'exec --cwd counts' "$(o exec --cwd /tmp "$ID" pwd)" /tmp
	o delete -f "$ID"
}

# ---- environment ----

environment()
{
	fresh
	env_is '"PATH=/bin:/usr/bin","A=1","B=two words","A=3","EMPTY=","HOME=/given","Q=a=b\\"c\\\\","A=last"'
	args '"env"'
	is 'P4 V5: the environment is exactly as given; of two the last one counts' \
		"$(LEAK=1 run_b)" 'PATH=/bin:/usr/bin
A=last
B=two words
EMPTY=
HOME=/given
Q=a=b"c\'
	cp "$B/config.json" "$T/plain"
	for bad in NOEQUALS =empty ''; do
		config 's~"A=1"~"'"$bad"'"~'
		refused "V5: an entry '$bad' is refused" env
		again
	done

	# HOME, when the config has none: /etc/passwd of the container (T23).
	config 's~"HOME=/given",~~; s/"uid": 0/"uid": 77/'
	cp "$B/config.json" "$T/plain"
	p=$B/rootfs/etc/passwd
	printf '%s\n' root:x:0:0:r:/root:/bin/sh u:x:77:7::/home/u:/bin/sh \
		v:x:77:7::/second:/bin/sh >"$T/passwd"
	for kind in file link no-newline odd-lines missing fifo dir outside \
		device huge relative; do
		rm -rf "$p" "$B/rootfs/etc/real"
		want=/
		case $kind in
		file) cp "$T/passwd" "$p" && want=/home/u ;;
		link) cp "$T/passwd" "$B/rootfs/etc/real" &&
			ln -s real "$p" && want=/home/u ;;
		no-newline) printf 'u:x:77:7::/home/u:/bin/sh' >"$p" &&
			want=/home/u ;;
		odd-lines) printf ':::\n\n77\nu:x:077x:7::/wrong\nu:x:77\n%s' \
			'x:x:77:7::/home/u:' >"$p" && want=/home/u ;;
		fifo) mkfifo "$p" ;;
		dir) mkdir "$p" ;;
		outside) ln -s "../../../../../../../..$T/passwd" "$p" ;;
		device) ln -s /dev/zero "$p" ;;
		huge) dd if=/dev/zero of="$p" bs=1024 count=0 seek=1048576 \
			2>"$T/null" ;;
		relative) echo 'u:x:77:7::home:/bin/sh' >"$p" ;;
		esac
		out=$(timeout 10 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" \
			</dev/null 2>&1)
		is "V5: HOME of a passwd that is: $kind" \
			"$(printf '%s\n' "$out" | sed -n 's/^HOME=//p')" $want
	done
	cp "$T/passwd" "$p.new"
	rm "$p"
	mv "$p.new" "$p"
	config 's~"EMPTY="~"HOME="~'
	is 'V5: an empty HOME counts as none' \
		"$(run_b | sed -n 's/^HOME=//p')" /home/u
}

# ---- which program ----

lookup()
{
	fresh
	mkdir -p "$B/rootfs/a" "$B/rootfs/b/dir"
	printf '#!/bin/sh\necho a\n' >"$B/rootfs/a/prog"
	printf '#!/bin/sh\necho b\n' >"$B/rootfs/b/prog"
	printf '#!/bin/sh\necho plain\n' >"$B/rootfs/b/plain"
	chmod 755 "$B/rootfs/b/prog"
	env_is '"PATH=/a:/b:/bin"'
	args '"prog"'
	is 'P5: PATH is searched in the container; what cannot run is passed over' \
		"$(run_b)" b
	args '"plain"'
	refused 'X6: only a file that cannot run: permission denied' \
		'exec: "plain": permission denied$'
	args '"nowhere"'
	refused "X6: no such program: runc's words" \
		'exec: "nowhere": executable file not found in \$PATH$'
	args '"/no/where"'
	refused "X6: no such path: runc's words" \
		'exec: "/no/where": stat /no/where: no such file or directory$'
	args '"/b/dir"'
	refused 'X6: a directory: permission denied' \
		'exec: "/b/dir": permission denied$'
	args '"/b/plain"'
	refused 'X6: a file that cannot run: permission denied' \
		'exec: "/b/plain": permission denied$'
	args '"/b/prog/x"'
	refused 'below a file: not a directory' 'not a directory$'
	args '""'
	refused 'an empty name is not found' \
		'executable file not found in \$PATH'
	args '"'"$TOP"'/ocirt"'
	refused "the host's programs are not found" 'no such file or directory'
	args '"dir"'
	refused 'a directory in PATH is not a program' \
		'exec: "dir": (permission denied|executable file not found in \$PATH)$'
	printf 'not a program\n' >"$B/rootfs/b/prog"
	args '"/b/prog"'
	refused 'what is no program: exec format error' '[Ee]xec format error'
	args '"sh"'
	env_is ''
	refused 'P5 X6: without PATH a bare name is not found' \
		'executable file not found in \$PATH'
	args ''
	refused 'P5: no args at all is refused' args
}

# ---- descriptors and streams ----

descriptors()
{
	fresh
	args '"probe","fds"'
	is 'P19: the program has 0, 1 and 2 only' "$(run_b)" '0 1 2 '
	is "P19 X11: the caller's 3 to 20 are closed" "$(launched -f 3-20=/)" '0 1 2 '
	is 'V2: --preserve-fds 2 passes 3 and 4 only' "$("$LAUNCH" -f 3-20=/ \
		"$OCIRT" --root "$ROOT" run --preserve-fds 2 -b "$B" "$ID" \
		</dev/null)" '0 1 2 3 4 '
	for open in 3-3 4-4 5-9; do
		out=$("$LAUNCH" -f $open=/etc/passwd "$OCIRT" --root "$ROOT" \
			run --preserve-fds 2 -b "$B" "$ID" </dev/null 2>&1)
		like "V2: --preserve-fds 2 with only $open open is refused" "$out" \
			'unable to stat preserved-fd [01] \(of 2\)'
	done
	is 'V1: LISTEN_FDS of another process does not count' "$(LISTEN_FDS=1 \
		LISTEN_PID=1 launched -f 3-9=/etc/passwd)" '0 1 2 '
	args '"sleep","60"'
	"$LAUNCH" -f 3-20=/ "$OCIRT" --root "$ROOT" create -b "$B" "$ID" \
		</dev/null >"$T/null" 2>&1
	o start "$ID"
	is 'X11: nor has the program of create and start more' \
		"$(ls "/proc/$(pid "$ID")/fd" | sort | tr '\n' ' ')" '0 1 2 '
	is 'X11: nor that of exec' "$("$LAUNCH" -f 3-20=/ "$OCIRT" --root "$ROOT" \
		exec "$ID" probe fds </dev/null)" '0 1 2 '
	is 'exec --preserve-fds 1 passes 3 only' "$("$LAUNCH" -f 3-20=/ \
		"$OCIRT" --root "$ROOT" exec --preserve-fds 1 "$ID" probe fds \
		</dev/null)" '0 1 2 3 '
	is 'exec passes stdin' "$(echo typed | o exec "$ID" cat)" typed
	o delete -f "$ID"

	# Closed streams, all combinations (T10).
	script 'exec 8>/tmp/log; probe fds >&8
		for n in 0 1 2; do l=$(readlink /proc/$$/fd/$n); echo "$l" >&8; done'
	writable
	for c in '' 0 1 2 '0 1' '0 2' '1 2' '0 1 2'; do
		opts=
		for n in $c; do
			opts="$opts -c $n"
		done
		rm -f "$B/rootfs/tmp/log"
		# shellcheck disable=SC2086 # options
		"$LAUNCH" $opts "$OCIRT" --root "$ROOT" run -b "$B" "$ID" \
			</dev/zero >"$T/out" 2>"$T/err"
		is "closed streams (${c:-none}) are null in the program" \
			"$(head -n 1 "$B/rootfs/tmp/log")$(grep -c '/null$' \
				"$B/rootfs/tmp/log")" \
			"0 1 2 8 $(echo "$c" | wc -w | tr -d ' ')"
	done
	is 'and what was open got nothing' "$(cat "$T/out" "$T/err")" ''
}

# ---- what else a caller leaves behind ----

inherited()
{
	fresh
	args '"probe","sched"'
	want="cpus $(nproc) blocked 0 ignored 0 umask 022
leader yes"
	is 'the program leads a session and a group, nothing is blocked' \
		"$(run_b)" "$want"
	is 'signals ignored and blocked and the umask do not stick' \
		"$(launched -i -b -u 077)" "$want"
	if [ "$(nproc)" -gt 1 ]; then
		is "nor does the caller's one processor" "$(launched -p)" \
			"$want"
	else
		skip "the caller's one processor does not stick" 'has only one'
	fi
	args '"probe","keyring"'
	out=$(launched -k "host$ID" 2>&1)
	case $out in
	none:* | keyctl:*) skip 'the session keyring' 'this kernel has none' ;;
	*)
		like "V7: the session keyring is the container's own" "$out" \
			"keyring;.*;_ses\.$ID\$"
		like "V7: --no-new-keyring keeps the caller's" "$("$LAUNCH" \
			-k "host$ID" "$OCIRT" --root "$ROOT" run \
			--no-new-keyring -b "$B" "$ID" </dev/null)" \
			"keyring;.*;host$ID\$"
		;;
	esac

	# Pushing bytes into the caller's terminal (CVE-2017-5226).
	args '"probe","tiocsti"'
	out=$("$TOP/tests/bin/ptyrun" -- "$OCIRT" --root "$ROOT" run -b "$B" \
		"$ID" 2>&1 | tr -d '\r')
	like "nothing can be typed into the caller's terminal" "$out" \
		'^push: (Operation not permitted|I/O error|Input/output error)$'
	like 'because it is not the controlling one' "$out" \
		'^tty: No such device or address$'
	args '"sleep","60"'
	o run -d -b "$B" "$ID" </dev/null >"$T/null" 2>&1
	out=$("$TOP/tests/bin/ptyrun" -- "$OCIRT" --root "$ROOT" exec "$ID" \
		probe tiocsti 2>&1 | tr -d '\r')
	like 'nor by exec' "$out" \
		'^push: (Operation not permitted|I/O error|Input/output error)$'
	like 'for the same reason' "$out" '^tty: No such device or address$'
	is 'a detached program lives on' "$(status "$ID")" running
	o delete -f "$ID"
}

# ---- the runtime's binary (CVE-2019-5736) ----

sealed()
{
	fresh
	some='"CAP_SYS_PTRACE","CAP_DAC_OVERRIDE"'
	caps '{"bounding":['"$some"'],"effective":['"$some"'],"permitted":['"$some"']}'
	cp "$OCIRT" "$T/copy"
	chmod 755 "$T/copy"
	sum=$(md5sum <"$T/copy")
	printf '#!/proc/self/exe\n' >"$B/rootfs/bin/evil"
	chmod 755 "$B/rootfs/bin/evil"
	for a in /proc/self/exe /bin/evil; do
		args '"'$a'","--version"'
		"$T/copy" --root "$ROOT" run -b "$B" "$ID" </dev/null \
			>"$T/out" 2>&1
		is "P20: args $a do not change the binary" "$(md5sum <"$T/copy")" \
			"$sum"
	done
	args '"probe","exe","30"'
	"$T/copy" --root "$ROOT" run -d -b "$B" "$ID" </dev/null \
		>"$T/seen" 2>&1
	n=0
	while [ $n -lt 20 ] || { [ $n -lt 200 ] && [ ! -s "$T/seen" ]; }; do
		for a in /proc/self/exe /bin/evil; do
			"$T/copy" --root "$ROOT" exec "$ID" $a --version \
				</dev/null >"$T/out" 2>&1
		done
		n=$((n + 1))
	done
	o delete -f "$ID"
	is 'nor do 40 execs or more with a hand in /proc/PID/exe' \
		"$(md5sum <"$T/copy")" "$sum"
	like 'the hand was there' "$(sort -u "$T/seen")" \
		'^exe /memfd:ocirt '
	is "it never saw the host's file" "$(grep -e "$T" -e '/copy' "$T/seen" |
		sort | uniq -c)" ''
	is 'nor could it write to what it saw of the runtime' \
		"$(grep '/memfd:.*WRITTEN' "$T/seen" | sort | uniq -c)" ''

	# While create waits, init is the runtime itself.
	args '"true"'
	"$T/copy" --root "$ROOT" create -b "$B" "$ID" </dev/null \
		>"$T/null" 2>&1
	p=$(pid "$ID")
	like 'P20: a created container runs from memory' \
		"$(readlink "/proc/$p/exe")" '^/memfd:ocirt \(deleted\)$'
	check 'which cannot be written' cannot_write "/proc/$p/exe"
	o delete -f "$ID"
	check 'nothing is left at the end' nothing_left
}

cannot_write()
{
	! dd if=/dev/null of="$1" bs=1 conv=notrunc
}

: >"$T/null"
capabilities
ids
cwd
environment
lookup
descriptors
inherited
sealed
done_testing
