# debian.sh -- sourced by what fetches from other suites than the system's: packages and sources of any Debian suite, from this system's own
# mirror, by a private apt configuration below a cache; nothing of the system's is touched.
#   cache          the cache (EBPF_CACHE, default ~/.cache/ebpf)
#   debian_use FOLDER SUITE...    sets it up in FOLDER; with debian_sources=1, for sources as well; with debian_arch=arm64, for that machine
#   debian_update                 brings the lists up to date, when this was not done yet; not in a subshell
#   debian apt-get|apt-cache ...  runs a program of apt so
# DEBIAN_MIRROR names a mirror where the system has none (Ubuntu).
cache=${EBPF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ebpf}

debian_use() {
	private=$1; shift
	suites=$*
	mkdir -p "$private/lists/partial" "$private/archives/partial"
}

debian() {
	program=$1; shift
	"$program" -q -o Dir::Etc::sourcelist="$private/sources.list" -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists="$private/lists" \
		${debian_arch:+-o APT::Architecture="$debian_arch" -o APT::Architectures="$debian_arch"} \
		-o Dir::Cache="$private" -o Dir::State::status=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=root "$@"
}

debian_update() {
	[ -z "${debian_updated:-}" ] || return 0
	mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 2>/dev/null | awk '$1 == "Debian" && $2 !~ /security/ {print $2; exit}')}
	if [ -z "$mirror" ]; then
		echo "fetch: no Debian mirror is configured here; set DEBIAN_MIRROR=http://.../debian" >&2
		exit 1
	fi
	for suite in $suites; do
		for kind in deb ${debian_sources:+deb-src}; do
			echo "$kind [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
		done
	done > "$private/sources.list"
	debian apt-get update > "$private/update.log" 2>&1 || { cat "$private/update.log" >&2; exit 1; }
	debian_updated=1
}
