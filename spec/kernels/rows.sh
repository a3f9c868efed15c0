# rows.sh -- sourced by the scripts of this folder: what a row of the kernel matrix is.
#   row NAME   sets, for a name of the table below or the version of a kernel:
#     machine  what uname -m says there          arch     Debian's name for it
#     kernel   a version, or newest              flavour  what stands before the architecture in the name of Debian's package
#     modules  loaded before the specs, with what they need
#     tools    programs of this system that the specs compare with, where they are installed
#     specs    those that it runs; none: all
# What is in full kernels alone has a row; what a foreign machine can say that this one cannot has one for each: arm64 for its names of system
# calls and its registers, s390x for its order of bytes.
row() {
	machine=x86_64 kernel=$1 flavour=cloud- modules='sch_ingress cls_bpf' tools= specs=
	case $1 in
	full)
		kernel=newest flavour=
		modules='sch_ingress cls_bpf nf_conntrack uhid hid-generic'
		tools=bpftool specs='spec/full_spec.lua' ;;
	arm64) machine=aarch64 kernel=6.12 ;;
	s390x) machine=s390x kernel=6.12 flavour= ;;
	esac
	case $machine in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$machine ;; esac
}
