# Every command of the lab. `make` alone prints them.
#
#   ALLOCATOR=gperftools|libc   libc: no profiles, for sanitizers and Valgrind
#   SANITIZE=address,undefined  passed to -fsanitize; needs ALLOCATOR=libc
#   BUILD=DIR                   where everything goes (build)

BUILD ?= build
CC = gcc
ALLOCATOR ?= gperftools
SANITIZE ?=
PPROF ?= google-pprof
VERSION := 1.0.0

# -Og and the -fno flags keep every leak and every function name: see docs/building.md.
CFLAGS := -std=c11 -D_GNU_SOURCE -DLAB_VERSION='"$(VERSION)"' -Icommon -Og -g -fPIE \
	-fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-builtin-malloc \
	-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free -fno-builtin-strdup \
	-fno-builtin-strndup -pthread -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla
LDFLAGS := -pie -pthread
SERVER_LIBS := -lcivetweb -lcurl -lcjson -lsqlite3 -ldw -lelf -lz
JUDGE_LIBS := -lcurl -lcjson -lm

ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=$(SANITIZE)
endif

COMMON := $(wildcard common/*.c common/*/*.c)
ifeq ($(ALLOCATOR),gperftools)
COMMON := $(filter-out %_libc.c,$(COMMON))
SERVER_LIBS += -ltcmalloc
else ifeq ($(ALLOCATOR),libc)
COMMON := $(filter-out %_gperftools.c,$(COMMON))
else
$(error ALLOCATOR is gperftools or libc, not '$(ALLOCATOR)')
endif
LEAKY := $(wildcard leaky/*.c)
FIXED := $(wildcard fixed/*.c)
JUDGE := $(wildcard leakcheck/*.c)
UNIT := $(wildcard tests/unit/*_test.c)
object = $(patsubst %.c,$(BUILD)/%.o,$(1))
UNIT_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(UNIT))

.PHONY: help build unit clean
help:
	@echo 'make build              the servers and the judge, into $(BUILD)/'

build: $(BUILD)/leaky $(BUILD)/fixed $(BUILD)/leakcheck

$(BUILD)/leaky: $(call object,$(COMMON) $(LEAKY))
	$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)

$(BUILD)/fixed: $(call object,$(COMMON) $(FIXED))
	$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)

$(BUILD)/leakcheck: $(call object,$(JUDGE))
	$(CC) $(LDFLAGS) -o $@ $^ $(JUDGE_LIBS)

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# Everything is built again when the compiler or the flags change.
$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS) $(ALLOCATOR)' | cmp -s - $@ || \
		echo '$(CC) $(CFLAGS) $(ALLOCATOR)' > $@
.PHONY: FORCE
FORCE:

# Unit tests: tests/unit/NAME_test.c becomes a program of its own, with all of
# common/runtime. One that tests something else names its objects, libraries and linker
# flags here, in lines like these:
#   $(BUILD)/tests/unit/NAME_test: $(call object,common/debug/NAME.c)
#   $(BUILD)/tests/unit/NAME_test: UNIT_LIBS = -ldw
UNIT_LIBS :=
UNIT_LDFLAGS :=
FREE_COUNTED := $(patsubst %,$(BUILD)/tests/unit/%_test,defer object pool slice)
$(FREE_COUNTED): UNIT_LDFLAGS = -Wl,--wrap=free
$(BUILD)/tests/unit/ticker_test: UNIT_LDFLAGS = -Wl,--wrap=pthread_create

$(UNIT_PROGRAMS): $(BUILD)/%: $(BUILD)/%.o $(call object,$(wildcard common/runtime/*.c))
	$(CC) $(LDFLAGS) $(UNIT_LDFLAGS) -o $@ $(filter %.o,$^) $(UNIT_LIBS) -lcmocka

# Each has a time limit, because a lost wake-up shows as a test that never ends. TEST_RUN
# is put before each: valgrind, for one.
TEST_RUN ?=
unit: $(UNIT_PROGRAMS)
	@failed=0; for program in $(UNIT_PROGRAMS); do \
		timeout --kill-after=5 120 $(TEST_RUN) $$program || \
			{ echo "FAILED: $$program" >&2; failed=1; }; \
	done; exit $$failed

clean:
	rm -rf $(BUILD)

-include $(patsubst %.o,%.d,$(call object,$(COMMON) $(LEAKY) $(FIXED) $(JUDGE) $(UNIT)))
