#!/bin/sh
# hook.t - the six kinds of hooks: when they run, in which namespaces, what
# they are given, and what their failures do. Needs root.
# shellcheck disable=SC2119,SC2317,SC2016
. tests/lib.sh
need_root

kinds='prestart createRuntime createContainer startContainer poststart poststop'

# hooks JSON: the members of "hooks"
hooks()
{
	config "s~^\t\"hostname\"~\"hooks\":{$1},&~"
}

# one KIND SCRIPT [MEMBERS]: a hook of that kind that runs the host's
# $T/SCRIPT; startContainer the container's /SCRIPT
one()
{
	h=$T/$2
	[ "$1" != startContainer ] || h=/$2
	echo '"'"$1"'":[{"path":"'"$h"'","args":["arg zero","'"$1"'","b c"]'"${3-}"'}]'
}

# hook_script NAME TEXT: in both places
hook_script()
{
	printf '#!/bin/sh\n%s\n' "$2" >"$T/$1"
	chmod 755 "$T/$1"
	mkdir -p "$B/rootfs/log"
	# The container sees the log directory at the same path.
	cp "$T/$1" "$B/rootfs/$1"
}

fresh()
{
	bundle
	rm -rf "$T/log"
	mkdir -p "$T/log"
	chmod 777 "$T/log"
	config "s~^\t\],\$~,{\"destination\":\"$T/log\",\"source\":\"$T/log\",\"options\":[\"bind\"]}\n\t],~"
}

# log NAME: what a hook wrote there
log()
{
	cat "$T/log/$1" 2>"$T/null"
}

# A mistake shall not make the test wait for ever: none of this takes long.
run_soon()
{
	timeout -s KILL 15 "$OCIRT" --root "$ROOT" run -b "$B" "$ID" </dev/null
}

refused()
{
	if out=$(run_soon 2>&1); then
		not_ok "$1"
		diag "it ran: $out"
		return
	fi
	like "$1" "$out" "$2"
	left
}

left()
{
	if ! nothing_left >"$T/left" 2>&1; then
		not_ok 'nothing is left'
		diag "$(cat "$T/left")"
	fi
}

# member NAME: of the state in $state, whatever the blanks
member()
{
	printf '%s\n' "$state" | tr -d '\n' |
		sed -n 's/.*"'"$1"'": *\("[^"]*"\|[0-9]*\).*/\1/p' | tr -d '"'
}

# ---- when, where, with what ----

# Six hooks that say all about themselves.
story()
{
	fresh
	# $1 is the hook's kind; shell builtins and what is in both worlds.
	hook_script all "k=\$1
		cat >$T/log/\$k.state
		echo \"\$k\" >>$T/log/order
		{ echo \"\$0|\$*\"; pwd; echo \$\$; } >$T/log/\$k.self
		env >$T/log/\$k.env
		for n in mnt pid net uts ipc; do
			readlink /proc/self/ns/\$n
		done >$T/log/\$k.ns
		hostname >$T/log/\$k.hostname
		ls -l /proc/self/fd | sed -n 's/.* \([0-9]* -> .*\)/\1/p' >$T/log/\$k.fds
		[ ! -e /script ] || echo inside >$T/log/\$k.inside
		[ ! -e $T/bundle ] || echo host >$T/log/\$k.host
		head -n 1 /proc/1/cmdline >$T/log/\$k.one
		sed -n 's/^NSpid:.//p' /proc/self/status >$T/log/\$k.nspid
		cat /proc/self/status | grep -e '^Sig[BI]' >$T/log/\$k.signals
		[ ! -e $T/log/payload ] || echo after >$T/log/\$k.when
		ls $ROOT >$T/log/\$k.root 2>&1
		exit 0"
	sep=
	json=
	for k in $kinds; do
		json=$json$sep$(one "$k" all)
		sep=,
	done
	hooks "$json"
	config 's~^\t"ociVersion".*~&"annotations":{"org.test.a":"b c"},~'
	script "echo payload >>$T/log/order; echo x >$T/log/payload; sleep 60"
	FROM_CALLER=1 o create -b "$B" "$ID" </dev/null >"$T/out" 2>&1 ||
		not_ok "create with hooks: $(cat "$T/out")"
	is 'L6 L5: create runs three kinds, and not the program' \
		"$(log order | tr '\n' ' ')" \
		'prestart createRuntime createContainer '
	p=$(pid "$ID")
	for n in mnt pid net uts ipc; do
		readlink "/proc/$p/ns/$n"
	done >"$T/container.ns"
	for n in mnt pid net uts ipc; do
		readlink "/proc/self/ns/$n"
	done >"$T/host.ns"
	FROM_CALLER=1 o start "$ID" </dev/null >"$T/out2" 2>&1
	check 'L6: start runs startContainer, the program, poststart' \
		wait_for 5 test -s "$T/log/payload" -a -s "$T/log/poststart.state"
	is 'startContainer is before the program' \
		"$(log order | sed -n '4p')" startContainer
	is 'both are there' "$(log order | sed -n '5,9p' | sort | tr '\n' ' ')" \
		'payload poststart '
	is 'poststop is not' "$(log poststop.state)" ''
	o kill "$ID" KILL
	wait_for 5 is_status "$ID" stopped
	is 'poststop is not when the program ends' "$(log poststop.state)" ''
	FROM_CALLER=1 o delete "$ID" >"$T/out3" 2>&1
	is 'L6: but by delete' "$(log order | tail -n 1)" poststop
	is 'when the container is gone already' "$(log poststop.root)" ''
	is 'no command prints anything' "$(cat "$T/out" "$T/out2" "$T/out3")" ''

	for k in prestart createRuntime poststart poststop; do
		check "$k runs in the host's namespaces" \
			cmp "$T/log/$k.ns" "$T/host.ns"
		is "H9: $k starts in the bundle" "$(sed -n 2p "$T/log/$k.self")" \
			"$(cd "$B" && pwd)"
		like "H3: $k has the caller's environment when it is given none" \
			"$(log $k.env)" '^FROM_CALLER=1$'
	done
	check "createContainer runs in the container's namespaces" \
		cmp "$T/log/createContainer.ns" "$T/container.ns"
	is "createContainer sees the host's files, startContainer the container's" \
		"$(cd "$T/log" && echo *.host *.inside)" \
		'createContainer.host createRuntime.host poststart.host poststop.host prestart.host startContainer.inside'
	check "startContainer runs in the container's namespaces" \
		cmp "$T/log/startContainer.ns" "$T/container.ns"
	is 'H3: createContainer has an empty environment when it is given none' \
		"$(log createContainer.env | grep -v -e '^PWD=' -e '^SHLVL=' \
			-e '^_=' -e '^OLDPWD=' \
			-e '^PATH=/sbin:/usr/sbin:/bin:/usr/bin$')" ''
	like "H3: startContainer has the container's" "$(log startContainer.env)" \
		'^TERM=xterm$'
	unlike "and not the caller's" "$(log startContainer.env)" FROM_CALLER
	unlike 'createContainer does not start in the root file system' \
		"$(sed -n 2p "$T/log/createContainer.self")" rootfs

	for k in $kinds; do
		state=$(log "$k.state")
		case $k in
		prestart | createRuntime) want="creating $p" ;;
		createContainer) want='creating 1' ;;
		startContainer) want='created 1' ;;
		poststart) want="running $p" ;;
		poststop) want='stopped ' ;;
		esac
		got="$(member status) $(member pid)"
		[ "$k" != poststop ] || got=${got%0}
		is "H1: $k is told status and pid" "$got" "$want"
		is "$k is told id, bundle, annotation, version" \
			"$(member id) $(member bundle) $(member org.test.a) $(member ociVersion)" \
			"$ID $B b c 1.3.0"
		like "H2: $k gets all its args" "$(head -n 1 "$T/log/$k.self")" \
			"\|$k b c\$"
		# ls has the folder open, the shell its script.
		is "$k has none of our descriptors" "$(grep -v -e '^[012] ' \
			-e ' -> /proc/[0-9]*/fd$' -e '/all$' "$T/log/$k.fds")" ''
		is "H6: $k has two pipes for three streams, not the container's" \
			"$(sed -n 's/^[012] -> \(.*\):.*/\1/p' "$T/log/$k.fds" |
				sort | uniq -c | tr -s ' ')" ' 3 pipe'
		is "$k has no signal blocked or ignored" \
			"$(log "$k.signals" | tr -d '\t' | tr '\n' ' ')" \
			'SigBlk:0000000000000000 SigIgn:0000000000000000 '
	done
	is 'the last program that createContainer saw as pid 1 is the runtime' \
		"$(tr '\0' ' ' <"$T/log/poststart.one" | cut -c 1-2)" \
		"$(tr '\0' ' ' </proc/1/cmdline | cut -c 1-2)"
	left
}

# Of several: in order; the env given is the whole environment.
lists()
{
	fresh
	hook_script a "cat >/dev/null; echo a >>$T/log/order; env >$T/log/env"
	hook_script b "echo b >>$T/log/order; env >$T/log/env.empty; echo \"\$0 \$#\" >$T/log/args"
	hooks '"createRuntime":[{"path":"'"$T/a"'","env":["ONLY=this","PATH=/bin:/usr/bin"]},{"path":"'"$T/b"'","env":[]},{"path":"'"$T/a"'","env":["PATH=/bin:/usr/bin"],"timeout":5}],"startContainer":[{"path":"/b","env":[]}]'
	script 'true'
	run_b >"$T/out" 2>&1
	is 'H1: hooks of a kind run in the order given' "$(log order | tr '\n' ' ')" \
		'a b a b '
	is 'H2: without args the path is argv' "$(log args)" '/b 0'
	unlike 'H3: an env of its own replaces all' "$(log env)" 'HOME|OCIRT|TERM'
	unlike 'H3: an empty one is empty' "$(log env.empty)" 'HOME|TERM|ONLY'
	left

	# A relative path and a bad timeout are the config's mistakes.
	while IFS='|' read -r what json want; do
		fresh
		hooks "$json"
		script 'echo ran'
		refused "$what is refused" "$want"
	done <<-'ROWS'
		a relative path|"prestart":[{"path":"bin/true"}]|path
		an empty path|"prestart":[{"path":""}]|path
		a timeout of 0|"prestart":[{"path":"/bin/true","timeout":0}]|timeout
		a timeout below 0|"prestart":[{"path":"/bin/true","timeout":-1}]|timeout
		an unknown program|"prestart":[{"path":"/no/such/hook"}]|no/such/hook
	ROWS
}

# ---- failures ----

failures()
{
	for k in prestart createRuntime createContainer startContainer poststart; do
		fresh
		hook_script fails 'echo to stdout; echo to stderr >&2; exit 3'
		hook_script second "cat >/dev/null; echo \$1 >>$T/log/second"
		f=$(one $k fails)
		hooks "${f%]},$(one $k second | sed 's/^[^[]*\[//'),$(one poststop second)"
		script "echo started >$T/log/payload; sleep 60"
		o create -b "$B" "$ID" >"$T/out" 2>&1 </dev/null
		rc=$?
		case $k in
		startContainer | poststart)
			is "$k that fails lets create succeed" $rc 0
			p=$(pid "$ID")
			o start "$ID" >"$T/out" 2>&1 </dev/null
			rc=$?
			;;
		*) p= ;;
		esac
		out=$(cat "$T/out")
		is "L7: $k that fails makes the command fail" $rc 1
		like "H5: and is named with its status and output" "$out" \
			"error running $k hook #0: exit status 3"
		like "and what it said is told" "$out" 'to stderr'
		is "L7 H7: no second $k runs, poststop does ($k)" "$(log second)" poststop
		[ $k = poststart ] ||
			is "the program never ran ($k)" "$(log payload)" ''
		check "L8: nothing is left of it ($k)" nothing_left
		[ -z "$p" ] || check "and its init is dead ($k)" wait_for 5 dead "$p"
		o delete -f "$ID" 2>"$T/null"
	done

	fresh
	hook_script fails 'exit 3'
	hook_script second "cat >/dev/null; echo \$1 >>$T/log/second"
	f=$(one poststop fails)
	hooks "${f%]},$(one poststop second | sed 's/^[^[]*\[//')"
	script 'exit 7'
	out=$(run_b 2>&1)
	is 'L7: poststop that fails does not change the status' $? 7
	is 'and the next one runs' "$(log second)" poststop
	left
	script 'sleep 60'
	o run -d -b "$B" "$ID" </dev/null >"$T/null" 2>&1
	is 'H7: delete -f runs poststop and succeeds though it fails' \
		"$(o delete -f "$ID" 2>"$T/null"; echo $?; log second | wc -l |
			tr -d ' ')" '0
2'
	left

	# A program that dies at once is no reason for poststart to fail.
	fresh
	hook_script second "cat >/dev/null; echo \$1 >>$T/log/second"
	hooks "$(one poststart second)"
	script 'exit 5'
	run_b >"$T/out" 2>&1
	is 'run with poststart keeps the status of a short program' \
		"$? $(log second)" '5 poststart'

	fresh
	hook_script killed 'kill -9 $$'
	hooks "$(one prestart killed)"
	refused 'H5: a hook that is killed is a failure' \
		'error running prestart hook #0: signal: (9|killed)'
}

dead()
{
	[ ! -e "/proc/$1/stat" ] || grep -q '^[^)]*) [ZX]' "/proc/$1/stat"
}

# ---- unpleasant hooks ----

# A time to sleep that nobody else sleeps, to find those who do.
nap=20.$$

timeouts()
{
	for k in prestart createContainer startContainer; do
		fresh
		# Its child would outlive it, were only the hook killed.
		hook_script slow "sleep $nap & echo \$! >$T/log/child
			sleep $nap"
		hooks "$(one $k slow ',"timeout":1')"
		script 'echo ran'
		begin=$(date +%s)
		refused "H4: $k above its time limit is a failure" \
			'hook ran past specified timeout of 1'
		check "and ends soon ($k)" test $(($(date +%s) - begin)) -lt 5
		if [ $k = prestart ]; then
			check "H4: with all that it started ($k)" \
				wait_for 3 dead "$(log child)"
		else
			check "with all that it started ($k)" wait_for 3 \
				no_sleeper
		fi
	done
}

# Nobody sleeps like that any more, by the commands of all processes.
no_sleeper()
{
	for c in /proc/[0-9]*/cmdline; do
		tr '\0' ' ' <"$c"
		echo
	done >"$T/cmdlines" 2>"$T/null"
	! grep -qx "sleep $nap " "$T/cmdlines"
}

odd()
{
	fresh
	annotate 30000
	hook_script closes "exec <&-; echo closed >>$T/log/odd"
	hook_script flood "i=0; while [ \$i -lt 300 ]; do
		echo 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
		i=\$((i + 1)); done; echo flooded >>$T/log/odd"
	hook_script whole "wc -c >$T/log/whole"
	s=
	hooks "$(for k in prestart createContainer startContainer poststart; do
		f=$(one $k closes)
		printf '%s' "$s${f%]},$(one $k flood | sed 's/^[^[]*\[//; s/]$//'),$(one $k whole | sed 's/^[^[]*\[//')"
		s=,
	done)"
	script 'echo ran'
	out=$(run_soon 2>&1)
	is 'H6: hooks that close stdin or flood stdout disturb nobody' "$? $out" \
		'0 ran'
	is 'they came to their ends' \
		"$(log odd | sort | uniq -c | tr -s ' \n' '  ')" \
		' 4 closed 4 flooded '
	check 'a large state arrives whole' test "$(log whole)" -gt 30000
	left

	# More than a pipe holds, for a hook that does not read it.
	fresh
	annotate 200000
	hook_script closes "exec <&-; echo closed >>$T/log/odd"
	hooks "$(one prestart closes)"
	script 'echo ran'
	out=$(run_soon 2>&1)
	is 'a hook may close stdin with a large state half written' "$? $out" \
		'0 ran'

	fresh
	annotate 200000
	hook_script deaf "echo \$\$ >$T/log/deaf; exec sleep $nap"
	hooks "$(one prestart deaf ',"timeout":1')"
	script 'echo ran'
	begin=$(date +%s)
	out=$(run_soon 2>&1)
	like 'the time limit holds for a hook that does not read a large state' \
		"$out" 'hook ran past specified timeout of 1'
	check 'and it ends soon' test $(($(date +%s) - begin)) -lt 5
	[ ! -s "$T/log/deaf" ] || kill -9 "$(log deaf)" 2>"$T/null"
	o delete -f "$ID" 2>"$T/null"

	# What a hook started and left behind does not hold us up.
	fresh
	hook_script leaves "cat >/dev/null; sleep 7 >/dev/null 2>&1 </dev/null &
		echo \$! >$T/log/left"
	hooks "$(one prestart leaves)"
	script 'echo ran'
	begin=$(date +%s)
	is 'a hook may leave a process behind' "$(run_b 2>&1)" ran
	check 'which is not waited for' test $(($(date +%s) - begin)) -lt 5
	check 'and lives on' kill "$(log left)"

	# The hook gets nothing of the environment of the program (CVE-2025-23266).
	fresh
	config 's~"TERM=xterm"~"TERM=xterm","LD_PRELOAD=/proc/self/cwd/evil.so"~'
	hook_script env "cat >/dev/null; env >$T/log/env; pwd >$T/log/pwd"
	hooks "$(one createContainer env)"
	script 'true'
	run_b >"$T/out" 2>&1
	unlike "createContainer has not the program's environment" \
		"$(log env)" LD_PRELOAD
	check 'and did run' test -e "$T/log/env"
}

# annotate N: an annotation of so many bytes, more than an argument can have
annotate()
{
	{
		printf '{"annotations":{"big":"'
		dd if=/dev/zero bs="$1" count=1 2>"$T/null" | tr '\0' x
		echo '"},'
		sed 1d "$B/config.json"
	} >"$T/config.new"
	mv "$T/config.new" "$B/config.json"
}

# ---- other containers, other endings ----

# told KIND: what it was told as status and pid
told()
{
	state=$(log "$1.state")
	echo "$(member status) $(member pid)"
}

# Hooks of a container that keeps some of the host's namespaces, or has a user
# namespace: where they run follows, what they are told as well.
elsewhere()
{
	for how in pid network user; do
		fresh
		hook_script all "k=\$1
			cat >$T/log/\$k.state
			for n in mnt pid net user; do
				readlink /proc/self/ns/\$n
			done >$T/log/\$k.ns
			sed -n 's/^PPid:.//p' /proc/self/status >$T/log/\$k.ppid
			[ ! -e /script ] || echo inside >$T/log/\$k.inside"
		hooks "$(one prestart all),$(one createContainer all),$(one startContainer all),$(one poststart all),$(one poststop all)"
		script 'sleep 1000'
		if [ $how = user ]; then
			[ -e /proc/self/ns/user ] || continue
			# Its root must reach the bundle, and write the log.
			edit '.linux.namespaces += [{type: "user"}] |
				.linux.uidMappings = [{containerID: 0,
					hostID: 100000, size: 1000}] |
				.linux.gidMappings = .linux.uidMappings'
			chown -R 100000:100000 "$B/rootfs"
		else
			without $how
		fi
		p=
		if o run -d -b "$B" --pid-file "$T/pid" "$ID" </dev/null \
			>"$T/out" 2>&1; then
			p=$(cat "$T/pid")
		else
			not_ok "a container with other namespaces runs ($how)"
			diag "$(cat "$T/out")"
		fi
		for n in mnt pid net user; do
			readlink "/proc/$p/ns/$n"
		done >"$T/container.ns"
		for n in mnt pid net user; do
			readlink "/proc/self/ns/$n"
		done >"$T/host.ns"
		check "H1: createContainer is in the container's namespaces ($how)" \
			cmp "$T/log/createContainer.ns" "$T/container.ns"
		check "H1: so is startContainer ($how)" \
			cmp "$T/log/startContainer.ns" "$T/container.ns"
		check "H1: prestart is in the host's ($how)" \
			cmp "$T/log/prestart.ns" "$T/host.ns"
		one=1
		[ $how != pid ] || one=$p
		is "H1: what they are told ($how)" "$(told prestart), $(told \
			createContainer), $(told startContainer), $(told poststart)" \
			"creating $p, creating $one, created $one, running $p"
		is "startContainer alone is in the root file system ($how)" \
			"$(cd "$T/log" && echo *.inside)" startContainer.inside
		o delete -f "$ID"
		like "H7: delete -f runs poststop ($how)" "$(told poststop)" \
			'^stopped 0?$'
		left
	done
}

endings()
{
	# poststop of a failed create sees that all is gone
	fresh
	hook_script fails 'exit 3'
	hook_script looks "cat >$T/log/state; ls $ROOT >$T/log/root
		ls -d /proc/\$(cat $T/log/pid) >$T/log/alive 2>/dev/null"
	hook_script notes "sed 's/.*\"pid\":\([0-9]*\).*/\1/' >$T/log/pid"
	hooks "$(one prestart notes),$(one createContainer fails),$(one poststop looks)"
	script 'echo ran'
	out=$(run_b 2>&1)
	like 'L7 H7: poststop of a container that failed' "$(log state)" \
		'"status":"stopped"'
	is 'H7: its directory is gone by then, and its process' \
		"$(log root)$(log alive)" ''
	left

	# told to stop in a hook
	fresh
	hook_script waits "cat >/dev/null; echo \$\$ >$T/log/up; exec sleep $nap"
	hook_script looks "cat >$T/log/state"
	hooks "$(one createRuntime waits),$(one poststop looks)"
	script 'echo ran'
	"$OCIRT" --root "$ROOT" create -b "$B" "$ID" </dev/null >"$T/out" 2>&1 &
	creator=$!
	pids="$pids $creator"
	wait_for 5 test -s "$T/log/up"
	kill -TERM $creator
	await $creator
	is 'H7: a create that is told to stop' $? 1
	like 'H7: runs poststop, too' "$(log state)" '"status":"stopped"'
	check 'H4: and its hook is dead' wait_for 5 dead "$(log up)"
	left

	# an id that is taken: nothing was made, so nothing ends
	fresh
	hook_script looks "cat >/dev/null; echo x >>$T/log/stops"
	hooks "$(one poststop looks)"
	script 'sleep 1000'
	o create -b "$B" "$ID" </dev/null
	o create -b "$B" "$ID" </dev/null 2>"$T/null"
	is 'H7: an id that is taken: no poststop hook' "$(log stops)" ''
	o delete "$ID"
	is 'H7: delete of a created one runs it once' "$(log stops)" x
	o delete -f "$ID"
	is 'H7: delete -f of none runs none' "$(log stops)" x
	left

	# poststart that fails: the program is killed, in each way to start it
	for how in run 'run -d' start; do
		fresh
		hook_script fails 'echo no; exit 3'
		hook_script looks "cat >/dev/null; echo x >>$T/log/stops"
		hooks "$(one poststart fails),$(one poststop looks)"
		script "echo \$\$ >$T/log/payload; sleep $nap"
		case $how in
		start)
			o create -b "$B" "$ID" </dev/null
			out=$(timeout 10 "$OCIRT" --root "$ROOT" start "$ID" 2>&1)
			;;
		*)
			# shellcheck disable=SC2086
			out=$(timeout 10 "$OCIRT" --root "$ROOT" $how \
				-b "$B" "$ID" 2>&1 </dev/null)
			;;
		esac
		is "L7: poststart fails: $how" "$? $out" \
			"1 ocirt: ${how%% *} $ID: error running poststart hook #0: exit status 3, output: no"
		check "L7: the program is dead ($how)" wait_for 5 no_sleeper
		is "L7: poststop has run ($how)" "$(log stops)" x
		left
	done

	# time limits of the hooks behind the program
	fresh
	hook_script slow "sleep $nap & sleep $nap"
	hook_script looks "cat >/dev/null; echo x >>$T/log/stops"
	hooks "$(one poststop slow ',"timeout":1' | sed 's/]$//'),$(one poststop looks | sed 's/^[^[]*\[//')"
	script 'exit 4'
	out=$(run_soon 2>&1)
	is 'H4: poststop beyond its time: a warning that nobody is shown' \
		"$? $out" '4 '
	is 'H4: the next one runs' "$(log stops)" x
	check 'H4: what it started is dead' wait_for 5 no_sleeper
	out=$("$OCIRT" --debug --root "$ROOT" run -b "$B" "$ID" </dev/null 2>&1)
	like 'L7: with --debug it is told' "$out" \
		'error running poststop hook #0: hook ran past specified timeout of 1'
	left
}

: >"$T/null"
story
lists
failures
timeouts
odd
elsewhere
endings
check 'nothing is left at the end' nothing_left
done_testing
