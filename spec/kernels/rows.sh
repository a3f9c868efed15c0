# rows.sh -- sourced by the scripts of this folder: what a row of the kernel matrix is.
#   row NAME   sets, for a name of the table below or the version of a kernel:
#     machine  what uname -m says there          arch     Debian's name for it
#     kernel   a version, or newest              flavour  what stands before the architecture in the name of Debian's package
#     modules  loaded before the specs, with what they need
#     tools    programs of the system that the specs call or compare with, where they are installed
#     c_tests  the C tests that its guest is given
#     specs    those that it runs; none: all
# What is in full kernels alone has a row; what a foreign machine can say that this one cannot has one for each: arm64 for its names of system
# calls and its registers, s390x for its order of bytes.
row() {
	machine=x86_64 kernel=$1 flavour=cloud- modules='sch_ingress cls_bpf veth nf_conntrack' specs=
	tools='setpriv bpftool ip tc nm readelf objcopy strip python3 unshare'
	# What rooms that make no system call are made of (asm, base, btf, core, spec) a kernel does not change; and emulation is slow: a thousand
	# loads with a failure in each (load_failure) would take a quarter of an hour.
	c_tests='code_* kernel_* link_* load_test loop_* map_* minimize_* perf_* program_* prototype_* ring_* struct_ops_* symbol_* sys_*'
	case $1 in
	full)
		kernel=newest flavour=
		modules="$modules uhid hid-generic"
		specs='features full since' ;;
	arm64)
		machine=aarch64 kernel=6.12 c_tests='link_* ring_* struct_ops_* symbol_*'
		specs='arena btf_kernel c collection decode examples features link_args link_iter link_multi link_net link_perf link
			loader loop map pin ring since struct_ops usdt' ;;
	s390x)
		machine=s390x kernel=6.12 flavour=
		c_tests='asm_test base_* btf_*test code_* core_* kernel_test load_test map_* minimize_* program_* ring_* spec_*test'
		specs='asm btf_build btf_kernel btf_print btf c collection decode disasm examples features gen link_args link loader
			loop map_many map objects pin ring since spec' ;;
	esac
	specs=$(for name in $specs; do [ ! -e "spec/${name}_spec.lua" ] || echo "spec/${name}_spec.lua"; done)
	case $machine in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$machine ;; esac
}
