# ebpf for Lua. `make` builds everything into build/; see README.md for the rest.
#
#   make            the core library, the Lua module and the command
#   make demo       installs what is missing, builds, and traces processes as they start (needs root)
#   make test       installs what is missing, builds, runs all specs on the running kernel
#   make test-kernels KERNELS="5.10 s390x"   the same specs on other kernels and machines, in QEMU
#   make test-corpus   the objects that Debian has, compared with libbpf object by object
#   make fuzz FUZZ="btf spec" FUZZ_SECONDS=60   any bytes are safe: libFuzzer on what reads bytes
#   make bench lint format install uninstall clean rock      V=1 shows the commands

VERSION := 0.1.0
LUA ?= lua5.4
CC ?= cc
CLANG ?= clang
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCDIR ?= $(PREFIX)/include
LUA_SHAREDIR ?= $(PREFIX)/share/lua/5.4
LUA_LIBDIR ?= $(PREFIX)/lib/lua/5.4
LUA_CFLAGS ?= $(shell $(PKG_CONFIG) --cflags lua5.4 2>/dev/null || echo -I/usr/include/lua5.4)
LUA_LIBS ?= $(shell $(PKG_CONFIG) --libs lua5.4 2>/dev/null || echo -llua5.4)
LIBS := -lelf -lmnl -lz
DEMO_SECONDS ?= 10
Q := $(if $(V),,@)
KERNELS ?= arm64 s390x newest 6.12 6.1 5.10 full
FUZZ_SECONDS ?= 60
FUZZ ?= $(FUZZ_TARGETS)

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef -Wwrite-strings
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DEBPF_VERSION='"$(VERSION)"' -Isrc -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS)

SOURCES := $(wildcard src/*/*.c)
BINDINGS := $(filter-out $(wildcard bindings/host*.c) bindings/command.c,$(wildcard bindings/*.c))
# The host: scripts inside a C program. It has the bindings and the Lua modules in it; the command is such a program.
HOST := $(wildcard bindings/host*.c)
LUA_MODULES := $(sort $(shell find lua -name '*.lua'))
LUA_STATIC ?= $(firstword $(wildcard $(shell $(PKG_CONFIG) --variable=libdir lua5.4 2>/dev/null)/liblua5.4.a \
	/usr/lib/$(shell $(CC) -print-multiarch 2>/dev/null)/liblua5.4.a))
HEADERS := $(wildcard src/*.h) bindings/ebpf_host.h
FUZZ_TARGETS := $(patsubst spec/fuzz/%_fuzz.c,%,$(wildcard spec/fuzz/*_fuzz.c))
C_TESTS := $(patsubst spec/c/%.c,%,$(wildcard spec/c/*.c))
# For another machine: CROSS=s390x (what uname -m says there) SYSROOT=the folder with its headers and libraries. spec/kernels/cross calls it so.
MACHINE := $(or $(CROSS),$(shell uname -m))
ifdef CROSS
CC := $(CROSS)-linux-gnu-gcc --sysroot=$(SYSROOT) $(foreach folder,$(CROSS)-linux-gnu .,-isystem $(SYSROOT)/usr/include/$(folder)) \
	$(foreach folder,usr/lib/$(CROSS)-linux-gnu lib/$(CROSS)-linux-gnu,-B$(SYSROOT)/$(folder) -L$(SYSROOT)/$(folder))
LUA_CFLAGS := -I$(SYSROOT)/usr/include/lua5.4
LUA_LIBS := -llua5.4
LUA_STATIC := $(wildcard $(SYSROOT)/usr/lib/$(CROSS)-linux-gnu/liblua5.4.a)
BPF_TARGET := $(if $(shell $(CC) -dM -E -x c /dev/null | grep 'BYTE_ORDER__ __ORDER_BIG'),bpfeb,bpfel)
else
BPF_TARGET := $(shell printf '\1\0' | od -An -td2 | grep -qw 1 && echo bpfel || echo bpfeb)
endif
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(patsubst riscv64,riscv,$(patsubst ppc64le,powerpc,$(patsubst s390x,s390,$(MACHINE))))))
BPF_CFLAGS := -O2 -g -Wall -D__TARGET_ARCH_$(BPF_ARCH) -Wno-compare-distinct-pointer-types -Ispec/bpf $(addprefix -idirafter ,$(wildcard $(SYSROOT)/usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)))
# What only newer compilers can (arenas, jump tables) is in spec/bpf/new, and left out, its specs skipped, where there is none.
NEW_CLANG ?= $(firstword $(foreach version,25 24 23 22 21 20 19,$(shell command -v clang-$(version))))
EXAMPLE_OBJECTS := $(patsubst %.bpf.c,build/%.bpf.o,$(wildcard examples/*.bpf.c))
EXAMPLE_MODULES := build/examples/killsnoop.lua
SPEC_OBJECTS := $(patsubst %.bpf.c,build/%.bpf.o,$(wildcard spec/bpf/*.bpf.c)) \
	$(patsubst spec/bpf/%.bpf.c,build/spec/bpf/big/%.bpf.o,$(wildcard spec/bpf/*.bpf.c)) \
	$(if $(NEW_CLANG),$(patsubst %.bpf.c,build/%.bpf.o,$(wildcard spec/bpf/new/*.bpf.c)))

.PHONY: all demo test test-kernels bench lint format install install-lua uninstall clean rock test-corpus fuzz objects guest tests
.DELETE_ON_ERROR:
.SECONDARY:

all: build/libebpf.a build/libebpf.so build/ebpf.pc build/libebpf_host.a build/libebpf_host.so build/ebpf-host.pc build/lua/ebpf/core.so build/ebpf

# -- the core, the module, the command. One rule set for the plain build (build/) and the sanitized one (build/asan/). --

define variant
$(1)/obj/%.o: %.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC) $$(ALL_CFLAGS) $(2) -MMD -MP -c -o $$@ $$<
$(1)/obj/bindings/%.o: bindings/%.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC) $$(ALL_CFLAGS) $(2) $$(LUA_CFLAGS) -MMD -MP -c -o $$@ $$<
$(1)/libebpf.a: $$(SOURCES:%.c=$(1)/obj/%.o)
	@rm -f $$@
	@echo "  AR    $$@"
	$$(Q)$$(AR) rcs $$@ $$^
$(1)/lua/ebpf/core.so: $$(BINDINGS:%.c=$(1)/obj/%.o) $(1)/libebpf.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) -shared $(2) $$(LDFLAGS) -o $$@ $$^ -Wl,--exclude-libs,ALL $$(LIBS)
$(1)/obj/embedded.o: build/embedded.c
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	$$(Q)$$(CC) $$(ALL_CFLAGS) $(2) $$(LUA_CFLAGS) -Ibindings -MMD -MP -c -o $$@ $$<
$(1)/libebpf_host.a: $$(BINDINGS:%.c=$(1)/obj/%.o) $$(HOST:%.c=$(1)/obj/%.o) $(1)/obj/embedded.o
	@rm -f $$@
	@echo "  AR    $$@"
	$$(Q)$$(AR) rcs $$@ $$^
$(1)/obj/spec/c/host_%.o: ALL_CFLAGS += $$(LUA_CFLAGS) -Ibindings
$(1)/spec/c/host_%: $(1)/obj/spec/c/host_%.o $(1)/libebpf_host.a $(1)/libebpf.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $(2) $$(LDFLAGS) -o $$@ $$^ $$(or $$(LUA_STATIC),$$(LUA_LIBS)) $(LIBS) -lm -ldl -lpthread
$(1)/spec/c/%: $(1)/obj/spec/c/%.o $(1)/libebpf.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $(2) $$(LDFLAGS) -o $$@ $$^ $(LIBS) -lpthread
$(1)/obj/spec/fuzz/host_%.o: ALL_CFLAGS += $$(LUA_CFLAGS) -Ibindings
$(1)/spec/fuzz/host_%: $(1)/obj/spec/fuzz/host_%_fuzz.o $(1)/obj/spec/fuzz/replay.o $(1)/libebpf_host.a $(1)/libebpf.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $(2) $$(LDFLAGS) -o $$@ $$^ $$(or $$(LUA_STATIC),$$(LUA_LIBS)) $(LIBS) -lm -ldl -lpthread
$(1)/spec/fuzz/%: $(1)/obj/spec/fuzz/%_fuzz.o $(1)/obj/spec/fuzz/replay.o $(1)/libebpf.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $(2) $$(LDFLAGS) -o $$@ $$^ $(LIBS) -lpthread
endef
$(eval $(call variant,build,))
$(eval $(call variant,build/asan,$(SANITIZE) -O1))
$(eval $(call variant,build/fuzz,$(SANITIZE) -fsanitize=fuzzer-no-link -O1))

build/fuzz/%: CC := $(CLANG)
build/fuzz/host_%_fuzz: build/fuzz/obj/spec/fuzz/host_%_fuzz.o build/fuzz/libebpf_host.a build/fuzz/libebpf.a
	@echo "  LD    $@"
	$(Q)$(CC) $(SANITIZE) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(or $(LUA_STATIC),$(LUA_LIBS)) $(LIBS) -lm -ldl -lpthread
build/fuzz/%_fuzz: build/fuzz/obj/spec/fuzz/%_fuzz.o build/fuzz/libebpf.a
	@echo "  LD    $@"
	$(Q)$(CC) $(SANITIZE) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS) -lpthread

build/libebpf.so: $(SOURCES:%.c=build/obj/%.o)
	@echo "  LD    $@"
	$(Q)$(CC) -shared -Wl,-soname,libebpf.so.0 $(LDFLAGS) -o $@.$(VERSION) $^ $(LIBS)
	@ln -sf libebpf.so.$(VERSION) build/libebpf.so.0
	@ln -sf libebpf.so.0 $@

comma := ,
fill_in = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCDIR@|$(INCDIR)|' -e 's|@VERSION@|$(VERSION)|'
build/ebpf.pc: src/ebpf.pc.in Makefile
	@mkdir -p build
	$(Q)$(fill_in) $< > $@

build/ebpf-host.pc: bindings/ebpf-host.pc.in Makefile
	@mkdir -p build
	$(Q)$(fill_in) $< > $@

build/embedded.c: bindings/embed.lua $(LUA_MODULES)
	@mkdir -p build
	@echo "  EMBED $@"
	$(Q)$(LUA) $^ > $@

build/libebpf_host.so: $(BINDINGS:%.c=build/obj/%.o) $(HOST:%.c=build/obj/%.o) build/obj/embedded.o build/libebpf.so
	@echo "  LD    $@"
	$(Q)$(CC) -shared -Wl,-soname,libebpf_host.so.0 $(LDFLAGS) -o $@.$(VERSION) $(filter %.o,$^) -Lbuild -lebpf $(LUA_LIBS)
	@ln -sf libebpf_host.so.$(VERSION) build/libebpf_host.so.0
	@ln -sf libebpf_host.so.0 $@

# One file: the command needs no Lua interpreter and no files of ours. What it exports is Lua's, for the C modules that scripts load.
build/ebpf: build/obj/bindings/command.o build/libebpf_host.a build/libebpf.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -Wl,-E -o $@ $^ $(if $(LUA_STATIC),-Wl$(comma)--whole-archive $(LUA_STATIC) -Wl$(comma)--no-whole-archive,$(LUA_LIBS)) $(LIBS) -lm -ldl

-include $(shell find build -path build/cross -prune -o -name '*.d' -print 2>/dev/null)

# -- BPF objects of the examples and specs: clang needs no LLVM library at run time of anything here --

build/%.bpf.o: %.bpf.c $(wildcard spec/bpf/*.h src/bpf/*.h)
	@mkdir -p $(@D)
	@echo "  CLANG $@"
	$(Q)$(CLANG) $(BPF_CFLAGS) -target $(BPF_TARGET) -c -o $@ $<
build/spec/bpf/new/%.bpf.o: spec/bpf/new/%.bpf.c $(wildcard spec/bpf/*.h src/bpf/*.h)
	@mkdir -p $(@D)
	@echo "  CLANG $@"
	$(Q)$(NEW_CLANG) $(BPF_CFLAGS) -mcpu=v4 -target $(BPF_TARGET) -c -o $@ $<
build/spec/bpf/big/%.bpf.o: spec/bpf/%.bpf.c $(wildcard spec/bpf/*.h src/bpf/*.h)
	@mkdir -p $(@D)
	@echo "  CLANG $@"
	$(Q)$(CLANG) $(BPF_CFLAGS) -target $(if $(filter bpfel,$(BPF_TARGET)),bpfeb,bpfel) -c -o $@ $<

# A Lua module that carries the object: what ships with a script instead of the .bpf.o. EBPF is a command that runs here.
EBPF ?= build/ebpf
build/examples/%.lua: examples/%.bpf.c build/lua/ebpf/core.so $(EBPF) $(wildcard lua/ebpf/gen.lua lua/ebpf/gen/*.lua)
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(EBPF) gen $< -o $@ $(if $(CROSS),--target $(BPF_ARCH)) --cc "$(CLANG)" --deps $(@:.lua=.d)

# The example of a program with scripts in it; with libmicrohttpd-dev.
build/examples/tracerd: examples/tracerd/tracerd.c build/libebpf_host.a build/libebpf.a bindings/ebpf_host.h src/ebpf.h
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -Isrc -Ibindings $(LUA_CFLAGS) $(LDFLAGS) -o $@ $(filter %.c %.a,$^) \
		$(or $(LUA_STATIC),$(LUA_LIBS)) $(LIBS) -lmicrohttpd -lm -ldl -lpthread

build/spec/support/sweep: spec/support/sweep.c
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) $(LUA_CFLAGS) -o $@ $< $(LUA_LIBS) -Wl,-E
# The same probes at addresses that are fixed, and in a library.
build/spec/support/usdt_fixed: spec/support/usdt.c
	@echo "  CC    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -fno-pie -no-pie -o $@ $<
build/spec/support/libusdt.so: spec/support/usdt.c
	@echo "  CC    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -DLIBRARY -fPIC -shared -o $@ $<
build/spec/support/libversions.so: spec/support/versions.c spec/support/versions.map
	@echo "  CC    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -DLIBRARY -fPIC -shared -Wl,--version-script=spec/support/versions.map -o $@ $<
build/spec/support/dedup_libbpf: LDLIBS := -lbpf
build/spec/support/versions: LDLIBS := -ldl
build/spec/support/%: spec/support/%.c
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -o $@ $< $(LDLIBS)

# C programs on the headers that are generated of objects, as a user would compile them.
build/spec/skeleton/%.h: build/spec/bpf/%.bpf.o $(EBPF) $(wildcard lua/ebpf/gen.lua lua/ebpf/gen/*.lua)
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(EBPF) gen $< --c $@
build/spec/skeleton/%.h: build/examples/%.bpf.o $(EBPF) $(wildcard lua/ebpf/gen.lua lua/ebpf/gen/*.lua)
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)$(EBPF) gen $< --c $@
build/spec/skeleton/gen_types_opened build/spec/skeleton/gen_types_loaded: build/spec/skeleton/gen_types.h
build/spec/skeleton/killsnoop_attached: build/spec/skeleton/killsnoop.h
build/spec/skeleton/load_link_ops_attached: build/spec/skeleton/load_link_ops.h
SKELETONS := gen_types_opened gen_types_loaded killsnoop_attached load_link_ops_attached
$(SKELETONS:%=build/spec/skeleton/%): build/spec/skeleton/%: spec/skeleton/%.c build/libebpf.a
	@echo "  CC    $@"
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Werror $(CFLAGS) -Isrc -Ibuild/spec/skeleton $(LDFLAGS) -o $@ $(filter %.c %.a,$^) $(LIBS)

# Programs that specs run, or probe.
SUPPORT := send sweep userns probed usdt usdt_fixed libusdt.so versions libversions.so \
	$(if $(wildcard $(SYSROOT)/usr/include/bpf/btf.h),dedup_libbpf)

objects: $(EXAMPLE_OBJECTS) $(EXAMPLE_MODULES) $(SPEC_OBJECTS)
# What specs need on another machine; here the same under sanitizers, too.
guest: all objects $(SUPPORT:%=build/spec/support/%) $(SKELETONS:%=build/spec/skeleton/%) $(C_TESTS:%=build/spec/c/%)
tests: guest $(if $(wildcard /usr/include/microhttpd.h /usr/local/include/microhttpd.h),build/examples/tracerd) $(C_TESTS:%=build/asan/spec/c/%) \
	build/asan/lua/ebpf/core.so $(FUZZ_TARGETS:%=build/asan/spec/fuzz/%)

# -- what people call --

demo:
	@.ci/packages build bpf
	@$(MAKE) --no-print-directory all build/examples/execsnoop.bpf.o
	@examples/demo.sh $(DEMO_SECONDS)

test:
	@.ci/packages build bpf test
	@$(MAKE) --no-print-directory tests
	@spec/support/run $(SPECS)

test-kernels:
	@.ci/packages build bpf test kernels
	@$(MAKE) --no-print-directory tests
	@spec/kernels/run $(KERNELS)

bench:
	@.ci/packages build bpf bench
	@$(MAKE) --no-print-directory all objects
	@spec/bench/run

lint:
	@.ci/packages build lint
	luacheck -q lua spec examples
	clang-tidy --quiet $(SOURCES) $(BINDINGS) $(HOST) -- -std=gnu11 -D_GNU_SOURCE -DEBPF_VERSION='""' -Isrc $(LUA_CFLAGS)

format:
	git clang-format HEAD -- $(SOURCES) $(BINDINGS) $(HOST) $(wildcard src/*.h src/*/*.h bindings/*.h)

test-corpus:
	@.ci/packages build bpf corpus
	@$(MAKE) --no-print-directory all
	@spec/corpus/run

fuzz:
	@.ci/packages build bpf fuzz
	@$(MAKE) --no-print-directory all objects $(FUZZ:%=build/fuzz/%_fuzz)
	@FUZZ_SECONDS=$(FUZZ_SECONDS) spec/fuzz/run $(FUZZ)

rock:
	luarocks --lua-version=5.4 make --tree build/rock rockspec/ebpf-scm-1.rockspec

install: all
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR)/pkgconfig $(DESTDIR)$(INCDIR) $(DESTDIR)$(LUA_LIBDIR)/ebpf
	install -m 644 $(HEADERS) $(DESTDIR)$(INCDIR)
	install -m 644 build/libebpf.a build/libebpf_host.a $(DESTDIR)$(LIBDIR)
	install -d $(DESTDIR)$(INCDIR)/ebpf
	install -m 644 src/bpf/*.bpf.h $(DESTDIR)$(INCDIR)/ebpf
	install -m 755 build/libebpf.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libebpf.so.$(VERSION)
	ln -sf libebpf.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libebpf.so.0
	ln -sf libebpf.so.0 $(DESTDIR)$(LIBDIR)/libebpf.so
	install -m 755 build/libebpf_host.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libebpf_host.so.$(VERSION)
	ln -sf libebpf_host.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libebpf_host.so.0
	ln -sf libebpf_host.so.0 $(DESTDIR)$(LIBDIR)/libebpf_host.so
	$(fill_in) src/ebpf.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/ebpf.pc
	$(fill_in) bindings/ebpf-host.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/ebpf-host.pc
	$(MAKE) --no-print-directory install-lua
	install -m 755 build/ebpf $(DESTDIR)$(BINDIR)/ebpf

# The Lua side alone: what the rockspec installs.
install-lua: build/lua/ebpf/core.so
	install -d $(DESTDIR)$(LUA_LIBDIR)/ebpf
	install -m 755 build/lua/ebpf/core.so $(DESTDIR)$(LUA_LIBDIR)/ebpf/core.so
	cd lua && find . -name '*.lua' | while read -r f; do install -D -m 644 "$$f" "$(DESTDIR)$(LUA_SHAREDIR)/$$f"; done

uninstall:
	rm -rf $(DESTDIR)$(LUA_SHAREDIR)/ebpf $(DESTDIR)$(LUA_LIBDIR)/ebpf
	rm -rf $(DESTDIR)$(INCDIR)/ebpf
	rm -f $(DESTDIR)$(BINDIR)/ebpf $(addprefix $(DESTDIR)$(INCDIR)/,$(notdir $(HEADERS))) \
		$(addprefix $(DESTDIR)$(LIBDIR)/,libebpf.a libebpf.so* libebpf_host.a libebpf_host.so* pkgconfig/ebpf.pc pkgconfig/ebpf-host.pc)

clean:
	rm -rf build
