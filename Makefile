# ebpf for Lua. `make` builds everything into build/; see README.md for the rest.
#
#   make            the core library, the Lua module and the command
#   make demo       installs what is missing, builds, and traces processes as they start (needs root)
#   make test       installs what is missing, builds, runs all specs on the running kernel
#   make test-kernels KERNELS="5.10 6.1"   the same specs on other kernels, in QEMU
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
KERNELS ?= 5.10 6.1 6.12 newest
FUZZ_SECONDS ?= 60
FUZZ ?= $(FUZZ_TARGETS)

CFLAGS ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wundef -Wwrite-strings
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -DEBPF_VERSION='"$(VERSION)"' -Isrc -fPIC -fvisibility=hidden $(WARNINGS) $(CFLAGS)

SOURCES := $(wildcard src/*/*.c)
BINDINGS := $(wildcard bindings/*.c)
FUZZ_TARGETS := $(patsubst spec/fuzz/%_fuzz.c,%,$(wildcard spec/fuzz/*_fuzz.c))
C_TESTS := $(patsubst spec/c/%.c,%,$(wildcard spec/c/*.c))
BPF_TARGET := $(shell printf '\1\0' | od -An -td2 | grep -qw 1 && echo bpfel || echo bpfeb)
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(patsubst riscv64,riscv,$(patsubst ppc64le,powerpc,$(patsubst s390x,s390,$(shell uname -m))))))
BPF_CFLAGS := -O2 -g -Wall -D__TARGET_ARCH_$(BPF_ARCH) -Wno-compare-distinct-pointer-types -Ispec/bpf $(addprefix -idirafter ,$(wildcard /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)))
# What only newer compilers can (arenas, jump tables) is in spec/bpf/new, and left out, its specs skipped, where there is none.
NEW_CLANG ?= $(firstword $(foreach version,25 24 23 22 21 20 19,$(shell command -v clang-$(version))))
EXAMPLE_OBJECTS := $(patsubst %.bpf.c,build/%.bpf.o,$(wildcard examples/*.bpf.c))
EXAMPLE_MODULES := build/examples/killsnoop.lua
SPEC_OBJECTS := $(patsubst %.bpf.c,build/%.bpf.o,$(wildcard spec/bpf/*.bpf.c)) \
	$(patsubst spec/bpf/%.bpf.c,build/spec/bpf/big/%.bpf.o,$(wildcard spec/bpf/*.bpf.c)) \
	$(if $(NEW_CLANG),$(patsubst %.bpf.c,build/%.bpf.o,$(wildcard spec/bpf/new/*.bpf.c)))

.PHONY: all demo test test-kernels bench lint format install install-lua uninstall clean rock test-corpus fuzz objects tests
.DELETE_ON_ERROR:
.SECONDARY:

all: build/libebpf.a build/libebpf.so build/ebpf.pc build/lua/ebpf/core.so build/ebpf

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
$(1)/spec/c/%: $(1)/obj/spec/c/%.o $(1)/libebpf.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $(2) $$(LDFLAGS) -o $$@ $$^ $(LIBS) -lpthread
$(1)/spec/fuzz/%: $(1)/obj/spec/fuzz/%_fuzz.o $(1)/obj/spec/fuzz/replay.o $(1)/libebpf.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	$$(Q)$$(CC) $(2) $$(LDFLAGS) -o $$@ $$^ $(LIBS) -lpthread
endef
$(eval $(call variant,build,))
$(eval $(call variant,build/asan,$(SANITIZE) -O1))
$(eval $(call variant,build/fuzz,$(SANITIZE) -fsanitize=fuzzer-no-link -O1))

build/fuzz/%: CC := $(CLANG)
build/fuzz/%_fuzz: build/fuzz/obj/spec/fuzz/%_fuzz.o build/fuzz/libebpf.a
	@echo "  LD    $@"
	$(Q)$(CC) $(SANITIZE) -fsanitize=fuzzer $(LDFLAGS) -o $@ $^ $(LIBS) -lpthread

build/libebpf.so: $(SOURCES:%.c=build/obj/%.o)
	@echo "  LD    $@"
	$(Q)$(CC) -shared -Wl,-soname,libebpf.so.0 $(LDFLAGS) -o $@.$(VERSION) $^ $(LIBS)
	@ln -sf libebpf.so.$(VERSION) build/libebpf.so.0
	@ln -sf libebpf.so.0 $@

fill_in = sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCDIR@|$(INCDIR)|' -e 's|@VERSION@|$(VERSION)|'
build/ebpf.pc: src/ebpf.pc.in Makefile
	@mkdir -p build
	$(Q)$(fill_in) $< > $@

build/ebpf: lua/ebpf/cli/ebpf.sh
	@mkdir -p build
	$(Q)install -m 755 $< $@

-include $(shell find build -name '*.d' 2>/dev/null)

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

# A Lua module that carries the object: what ships with a script instead of the .bpf.o.
build/examples/%.lua: examples/%.bpf.c build/lua/ebpf/core.so build/ebpf $(wildcard lua/ebpf/gen.lua lua/ebpf/gen/*.lua)
	@mkdir -p $(@D)
	@echo "  GEN   $@"
	$(Q)build/ebpf gen $< -o $@ --cc "$(CLANG)" --deps $(@:.lua=.d)

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
build/spec/support/%: spec/support/%.c
	@mkdir -p $(@D)
	@echo "  CC    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -o $@ $<

# Programs that specs run, or probe.
SUPPORT := send sweep probed usdt usdt_fixed libusdt.so

objects: $(EXAMPLE_OBJECTS) $(EXAMPLE_MODULES) $(SPEC_OBJECTS)
tests: all objects $(SUPPORT:%=build/spec/support/%) $(C_TESTS:%=build/spec/c/%) $(C_TESTS:%=build/asan/spec/c/%) build/asan/lua/ebpf/core.so $(FUZZ_TARGETS:%=build/asan/spec/fuzz/%)

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
	clang-tidy --quiet $(SOURCES) $(BINDINGS) -- -std=gnu11 -D_GNU_SOURCE -DEBPF_VERSION='""' -Isrc $(LUA_CFLAGS)

format:
	clang-format -i $(SOURCES) $(BINDINGS) $(wildcard src/*.h src/*/*.h bindings/*.h)

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
	install -m 644 src/ebpf.h src/ebpf_btf.h $(DESTDIR)$(INCDIR)
	install -D -m 644 src/bpf/usdt.bpf.h $(DESTDIR)$(INCDIR)/ebpf/usdt.bpf.h
	install -m 644 build/libebpf.a $(DESTDIR)$(LIBDIR)/libebpf.a
	install -m 755 build/libebpf.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libebpf.so.$(VERSION)
	ln -sf libebpf.so.$(VERSION) $(DESTDIR)$(LIBDIR)/libebpf.so.0
	ln -sf libebpf.so.0 $(DESTDIR)$(LIBDIR)/libebpf.so
	$(fill_in) src/ebpf.pc.in > $(DESTDIR)$(LIBDIR)/pkgconfig/ebpf.pc
	$(MAKE) --no-print-directory install-lua
	printf '#!/bin/sh\nLUA_PATH="%s/?.lua;%s/?/init.lua;$${LUA_PATH:-;}" LUA_CPATH="%s/?.so;$${LUA_CPATH:-;}" exec $(LUA) %s/ebpf/cli/main.lua "$$@"\n' \
		$(LUA_SHAREDIR) $(LUA_SHAREDIR) $(LUA_LIBDIR) $(LUA_SHAREDIR) > $(DESTDIR)$(BINDIR)/ebpf
	chmod 755 $(DESTDIR)$(BINDIR)/ebpf

# The Lua side alone: what the rockspec installs.
install-lua: build/lua/ebpf/core.so
	install -d $(DESTDIR)$(LUA_LIBDIR)/ebpf
	install -m 755 build/lua/ebpf/core.so $(DESTDIR)$(LUA_LIBDIR)/ebpf/core.so
	cd lua && find . -name '*.lua' | while read -r f; do install -D -m 644 "$$f" "$(DESTDIR)$(LUA_SHAREDIR)/$$f"; done

uninstall:
	rm -rf $(DESTDIR)$(LUA_SHAREDIR)/ebpf $(DESTDIR)$(LUA_LIBDIR)/ebpf
	rm -rf $(DESTDIR)$(INCDIR)/ebpf
	rm -f $(DESTDIR)$(BINDIR)/ebpf $(DESTDIR)$(INCDIR)/ebpf.h $(DESTDIR)$(INCDIR)/ebpf_btf.h $(DESTDIR)$(LIBDIR)/libebpf.a $(DESTDIR)$(LIBDIR)/libebpf.so* \
		$(DESTDIR)$(LIBDIR)/pkgconfig/ebpf.pc

clean:
	rm -rf build
