# Every command of the lab. `make` alone prints them.
#
#   ALLOCATOR=gperftools|libc   libc: no profiles, for sanitizers and Valgrind
#   SANITIZE=address,undefined  passed to -fsanitize; needs ALLOCATOR=libc
#   BUILD=DIR                   where everything goes (build)
#   V=1                         prints every command whole

BUILD ?= build
CC = gcc
ALLOCATOR ?= gperftools
SANITIZE ?=
VERSION := 1.0.0
Q := $(if $(V),,@)

# These flags keep every leak and every function name. At -O1 and above gcc deletes a
# malloc whose memory nobody reads, unless malloc is no builtin; -O2 merges functions with
# the same body; a tail call makes the caller vanish from the stack, and so does inlining,
# which clang does even at -Og. PIE, because Go's pprof finds no symbols in a C program at
# fixed addresses.
CFLAGS := -std=c11 -D_GNU_SOURCE -DLAB_VERSION='"$(VERSION)"' -I. -Icommon -Og -g -fPIE -fno-inline \
	-fno-omit-frame-pointer -fno-optimize-sibling-calls -fno-builtin-malloc \
	-fno-builtin-calloc -fno-builtin-realloc -fno-builtin-free -fno-builtin-strdup \
	-fno-builtin-strndup -pthread -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla
LDFLAGS := -pie -pthread
SERVER_LIBS := -lcivetweb -lcurl -lcjson -lsqlite3 -lm
LAUNCHER_LIBS := -lelf
JUDGE_LIBS := -lcurl -lcjson -ldw -lelf -lz -lm

ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-sanitize-recover=undefined
LDFLAGS += -fsanitize=$(SANITIZE)
endif

BASE := $(wildcard base/*.c)
ALL_PROBE := $(wildcard probe/*/*.c)
# What only the library for other programs has, and what that library does not have.
PRELOADED := $(wildcard probe/preload/*.c probe/listener/*.c probe/*/*_preload.c)
NOT_PRELOADED := %_gperftools.c %_libc.c probe/calls/plain_%
PROBE := $(filter-out $(PRELOADED),$(ALL_PROBE))
# A sanitizer stands in front of the C library itself.
ifneq ($(SANITIZE),)
PROBE := $(filter-out probe/calls/%,$(PROBE))
endif
COMMON := $(wildcard common/*.c common/*/*.c)
ifeq ($(ALLOCATOR),gperftools)
PROBE := $(filter-out %_libc.c,$(PROBE))
SERVER_LIBS += -ltcmalloc
else ifeq ($(ALLOCATOR),libc)
PROBE := $(filter-out %_gperftools.c,$(PROBE))
# Where no sanitizer has the place of malloc, the recorder can have it.
ifeq ($(SANITIZE),)
PROBE += probe/preload/malloc_calls.c
endif
else
$(error ALLOCATOR is gperftools or libc, not '$(ALLOCATOR)')
endif
LEAKY := $(wildcard leaky/*.c)
FIXED := $(wildcard fixed/*.c)
# What ./learn.sh mystery puts beside the pairs.
DECOYS := $(wildcard exercises/decoys/*.c)
LAUNCHER := $(wildcard leakprobe/*.c)
JUDGE := $(wildcard leakcheck/*.c leakcheck/*/*.c)
UNIT := $(wildcard tests/unit/*_test.c)
object = $(patsubst %.c,$(BUILD)/objects/%.o,$(1))
# Files that are built into a program, each as an array of its bytes, ended by a '\0', and
# its length: report_page.html becomes `report_page_html` and `report_page_html_bytes`.
CHART_JS := /usr/share/javascript/chart.js/chart.min.js
D3_JS := /usr/share/nodejs/d3-hierarchy/dist/d3-hierarchy.min.js
web_files = $(wildcard $(addprefix $(1)/*.,html css js svg))
PROBE_FILES := $(call web_files,probe/web/files) $(CHART_JS) $(D3_JS)
LAB_FILES := $(call web_files,common/page) $(BUILD)/lessons.diff
JUDGE_FILES := leakcheck/report/report_page.html
embedded = $(patsubst %,$(BUILD)/embedded/%.o,$(notdir $(1)))
SERVED := $(call embedded,$(PROBE_FILES) $(LAB_FILES))
# The library for other programs is compiled apart: position-independent, fast, and
# with every name hidden but those in its list of exports.
LIBRARY_CFLAGS = $(filter-out -Og -fPIE -fno-inline -fno-optimize-sibling-calls \
	-fno-builtin-% -fsanitize=% -fno-sanitize-recover=% -Icommon,$(CFLAGS)) -O2 -fPIC \
	-fvisibility=hidden -ftls-model=initial-exec -fexceptions
LIBRARY_LIBS := -lgcc_s
library_object = $(patsubst %.c,$(BUILD)/pic/%.o,$(1))
LIBRARY := $(call library_object,$(BASE) $(filter-out $(NOT_PRELOADED),$(ALL_PROBE))) \
	$(patsubst %,$(BUILD)/pic/embedded/%.o,$(notdir $(PROBE_FILES)))
UNIT_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(UNIT))

# What a failed command has written is not taken for the result.
.DELETE_ON_ERROR:

.PHONY: help lab build unit unit-programs test lesson sanitize lint tidy tidied format \
	bench clean install uninstall
help:
	@echo 'make build                  the servers, the judge, leakprobe, into $(BUILD)/'
	@echo 'make lab                    the servers and the judge alone'
	@echo 'make lesson S=slice-prefix  how the fixed half of a pair differs (S: its name)'
	@echo 'make test                   every test, as scripts/test.sh'
	@echo 'make unit                   the unit tests alone'
	@echo 'make sanitize               the servers under the sanitizers and Valgrind'
	@echo 'make lint                   the pair rule, and every static checker'
	@echo 'make format                 clang-format, over every C file'
	@echo 'make bench                  what profiling and its pages cost, measured'
	@echo 'make install                leakprobe and leakcheck, into PREFIX=/usr/local'
	@echo 'make uninstall              takes them away again'
	@echo 'make clean                  removes $(BUILD)/'
	@echo 'Variables: BUILD=DIR  CC=clang  ALLOCATOR=gperftools|libc'
	@echo '           SANITIZE=address,undefined|thread (with ALLOCATOR=libc)'

# What the walk-through needs; and everything.
lab: $(BUILD)/leaky $(BUILD)/fixed $(BUILD)/leakcheck
build: lab $(BUILD)/leakprobe $(BUILD)/libleakprobe.so

$(BUILD)/leaky: $(call object,$(COMMON) $(PROBE) $(BASE) $(LEAKY)) $(SERVED)
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)

$(BUILD)/fixed: $(call object,$(COMMON) $(PROBE) $(BASE) $(FIXED)) $(SERVED)
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)

$(BUILD)/leakcheck: $(call object,$(JUDGE) $(BASE)) $(call embedded,$(JUDGE_FILES))
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(JUDGE_LIBS)

$(BUILD)/libleakprobe.so: $(LIBRARY) probe/preload/exports.map
	@echo '  link  $@'
	$(Q)$(CC) -shared -pthread -Wl,-soname,libleakprobe.so -Wl,-z,defs,-z,now,-z,nodelete \
		-Wl,--version-script=probe/preload/exports.map -o $@ $(filter %.o,$^) $(LIBRARY_LIBS)

$(BUILD)/leakprobe: $(call object,$(LAUNCHER) $(BASE))
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LAUNCHER_LIBS)

# A server of other scenarios than the pairs: ./learn.sh writes their units into
# $(UNITS)/, with a list and a variant of their own. They include a learner's code, so
# warnings are no errors there.
SERVER ?= $(BUILD)/mine
UNITS ?=
UNIT_SOURCES := $(if $(UNITS),$(wildcard $(UNITS)/*.c))
SHARED := $(call object,$(filter-out common/scenario_list.c,$(COMMON)) $(PROBE) $(BASE)) \
	$(SERVED)
.PHONY: server shared
server: $(SERVER)
shared: $(SHARED)
ifneq ($(UNITS),)
$(SERVER): $(SHARED) $(call object,$(UNIT_SOURCES))
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS)
$(call object,$(UNIT_SOURCES)): CFLAGS += -ffile-prefix-map=./= -Wno-error -Wno-unused-function \
	-Werror=implicit-function-declaration -Werror=incompatible-pointer-types \
	-Werror=int-conversion -Werror=return-type
-include $(patsubst %.o,%.d,$(call object,$(UNIT_SOURCES)))
endif

# How each of these files becomes an object.
define embed
$(BUILD)/embedded/$(notdir $(1)).c: $(1)
	@mkdir -p $$(@D)
	$$(Q)bytes=$$$$(od -An -v -tx1 $$<) || exit 1; \
	name=$$$$(printf %s '$(notdir $(1))' | tr -c 'a-z0-9' _); { \
		printf '#include <stddef.h>\nextern const char %s[];\n' $$$$name; \
		printf 'extern const size_t %s_bytes;\nconst char %s[] = {\n' $$$$name $$$$name; \
		printf '%s\n' "$$$$bytes" | sed 's/ \(..\)/0x\1,/g'; \
		printf '0};\nconst size_t %s_bytes = sizeof(%s) - 1;\n' $$$$name $$$$name; } > $$@
endef
$(foreach file,$(PROBE_FILES) $(LAB_FILES) $(JUDGE_FILES),$(eval $(call embed,$(file))))

# What `make lesson` prints, of every pair: the lab's page shows it.
$(BUILD)/lessons.diff: $(LEAKY) $(FIXED) | paired
	@mkdir -p $(@D)
	$(Q)for file in $(notdir $(filter-out leaky/variant.c,$(LEAKY))); do \
		diff -u --label "leaky/$$file" --label "fixed/$$file" "leaky/$$file" \
			"fixed/$$file" || test $$? -eq 1 || exit 1; \
	done > $@

$(BUILD)/embedded/%.o: $(BUILD)/embedded/%.c $(BUILD)/flags
	$(Q)$(CC) $(CFLAGS) -c -o $@ $<

$(BUILD)/pic/embedded/%.o: $(BUILD)/embedded/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(Q)$(CC) $(LIBRARY_CFLAGS) -c -o $@ $<

$(BUILD)/pic/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  pic   $<'
	$(Q)$(CC) $(LIBRARY_CFLAGS) -MMD -MP -c -o $@ $<

# What stands in front of the C library leaves no frame of its own on a thread's stack,
# and cleans up when a thread is cancelled. At -Og neither compiler makes a tail call.
$(BUILD)/objects/probe/calls/%.o: CFLAGS += -O2 -fexceptions -foptimize-sibling-calls
$(BUILD)/objects/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo '  cc    $<'
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

# Everything is built again when the compiler or the flags change.
$(BUILD)/flags: FORCE | paired
	@mkdir -p $(@D)
	@echo '$(CC) $(CFLAGS) $(ALLOCATOR)' | cmp -s - $@ || \
		echo '$(CC) $(CFLAGS) $(ALLOCATOR)' > $@
.PHONY: FORCE
FORCE:

# A scenario is a pair of files. Nothing is compiled if one half is missing, because the
# linker's error message would be hard to read.
HALVES := $(notdir $(LEAKY) $(FIXED))
.PHONY: paired
paired:
	@lonely=0; for file in $(sort $(HALVES)); do for half in leaky fixed; do \
		test -f $$half/$$file || { lonely=1; \
			echo "make: $$half/$$file is missing, the other half of the pair" >&2; }; \
	done; done; exit $$lonely

# Unit tests: each tests/unit/NAME_test.c becomes a program, with all of common/runtime
# and base. A test of something else names its objects, libraries and linker flags here, in
# lines like these:
#   $(BUILD)/tests/unit/NAME_test: $(call object,probe/ROOM/NAME.c)
#   $(BUILD)/tests/unit/NAME_test: UNIT_LIBS = -lNAME
UNIT_LIBS :=
UNIT_LDFLAGS :=
FREE_COUNTED := $(patsubst %,$(BUILD)/tests/unit/%_test,defer object pool slice)
$(FREE_COUNTED): UNIT_LDFLAGS = -Wl,--wrap=free
$(BUILD)/tests/unit/ticker_test: UNIT_LDFLAGS = -Wl,--wrap=pthread_create

PROBE_TESTED := $(patsubst %,$(BUILD)/tests/unit/%_test,descriptor_notes dump_file figures \
	heap_file heap_preload heap_profile heap_snapshot heap_tidy mapping_notes profile_memory \
	stacks symbols thread_profile \
	thread_notes thread_questions thread_stacks thread_waits timer_notes)
# These need one of the implementations of heap.h.
ON_HEAP := $(addprefix probe/heap/,heap.c heap_difference.c heap_dump.c heap_file.c \
	heap_recorder.c)
$(PROBE_TESTED): $(call object,$(filter-out %_gperftools.c %_libc.c $(ON_HEAP) \
	probe/http/% probe/pages/% probe/preload/% probe/trace/% probe/web/% %/figures.c \
	%/memory_trace.c,$(PROBE)))
$(BUILD)/tests/unit/heap_file_test: $(call object,probe/heap/heap_file.c)
$(BUILD)/tests/unit/heap_preload_test: $(call object,$(ON_HEAP) probe/heap/heap_preload.c)
$(BUILD)/tests/unit/thread_questions_test: $(call object,common/server/poll_override.c)
$(BUILD)/tests/unit/timer_notes_test: UNIT_LDFLAGS = -Wl,--wrap=open
$(BUILD)/tests/unit/profile_memory_test: \
	UNIT_LDFLAGS = -Wl,--wrap=mmap -Wl,--wrap=probe_symbols_load

$(BUILD)/tests/unit/heap_mappings_test: $(call object,probe/reach/heap_mappings.c \
	probe/recorder/inside.c probe/recorder/lock.c)
$(BUILD)/tests/unit/mapping_kind_test: $(call object,probe/resources/mapping_kind.c probe/reach/maps_text.c)
$(BUILD)/tests/unit/range_notes_test: $(call object,probe/resources/range_notes.c)
$(BUILD)/tests/unit/memory_line_test: $(call object,probe/figures/memory_line.c)
$(BUILD)/tests/unit/trace_recording_test: $(call object,probe/stacks/hash_table.c \
	probe/trace/trace_rate.c probe/trace/trace_recording.c)
$(BUILD)/tests/unit/trace_test: $(call object,probe/stacks/hash_table.c \
	probe/stacks/stacks.c probe/http/json_string.c $(wildcard probe/trace/*.c))
$(BUILD)/tests/unit/trace_test: UNIT_LIBS = -lcjson
$(BUILD)/tests/unit/trace_test: \
	UNIT_LDFLAGS = -Wl,--wrap=mmap -Wl,--wrap=clock_gettime

$(BUILD)/tests/unit/leak_plan_test: $(call object,\
	common/server/leak_plan.c common/scenario.c)

$(BUILD)/tests/unit/options_test: $(call object,common/options.c probe/http/origin.c)

HTTP_TESTED := $(patsubst %,$(BUILD)/tests/unit/%_test,http origin)
$(HTTP_TESTED): $(call object,$(wildcard probe/http/*.c))

$(BUILD)/tests/unit/lab_json_test: $(call object,common/server/lab_json.c \
	$(wildcard probe/http/*.c))
$(BUILD)/tests/unit/lab_json_test: UNIT_LIBS = -lcjson
$(BUILD)/tests/unit/json_writer_test: $(call object,probe/http/json_writer.c probe/http/json_string.c)
$(BUILD)/tests/unit/json_writer_test: UNIT_LIBS = -lcjson
$(BUILD)/tests/unit/metric_text_test: $(call object,probe/metrics/metric_text.c)
$(BUILD)/tests/unit/figures_test: $(call object,probe/figures/figures.c $(ON_HEAP) \
	probe/heap/heap_libc.c)
$(BUILD)/tests/unit/figures_test: UNIT_LDFLAGS = -Wl,--wrap=clock_gettime
COUNTED := $(call object,$(wildcard probe/figures/proc*.c) probe/figures/child_count.c \
	probe/process/descriptors.c)
$(patsubst %,$(BUILD)/tests/unit/%_test,child_count process_figures): $(COUNTED)
$(BUILD)/tests/unit/child_count_test: UNIT_LDFLAGS = -Wl,--wrap=openat
$(BUILD)/tests/unit/process_figures_test: UNIT_LDFLAGS = -Wl,--wrap=read -Wl,--wrap=open

$(BUILD)/tests/unit/libc_function_test: $(call object,probe/calls/libc_function.c)
$(BUILD)/tests/unit/lock_graph_test: $(call object,probe/locks/lock_graph.c)
$(BUILD)/tests/unit/lock_state_test: $(call object,probe/locks/lock_futex.c \
	probe/locks/lock_state.c probe/locks/lock_memory.c \
	$(patsubst %,probe/process/%.c,descriptors memory_read) probe/figures/proc_file.c \
	probe/reach/ranges.c probe/threads/thread_details.c)
$(BUILD)/tests/unit/lock_notes_test: $(call object,probe/locks/lock_waits.c \
	$(patsubst %,probe/recorder/%.c,inside lock own_memory))

# The recorder and the calls that it is told of, in the test program itself: its own
# malloc is then the probe's.
RECORDER_TESTED := $(patsubst %,$(BUILD)/tests/unit/recorder_%_test,\
	exact fork sampled stack)
$(RECORDER_TESTED): $(call library_object,$(wildcard probe/recorder/*.c) \
	$(patsubst %,probe/preload/%_calls.c,dl malloc operator) probe/calls/real_function.c \
	$(patsubst %,probe/process/%.c,descriptors loaded_code) probe/stacks/stacks.c probe/stacks/hash_table.c)
$(RECORDER_TESTED): UNIT_LIBS = -lstdc++ -lm
$(RECORDER_TESTED): UNIT_LDFLAGS = -rdynamic -Wl,--no-as-needed
$(BUILD)/tests/unit/wait_records_test: $(call object,probe/preload/wait_records.c \
	$(patsubst %,probe/recorder/%.c,inside lock own_memory) \
	$(patsubst %,probe/process/%.c,descriptors memory_read) probe/resources/resources_mark.c)

# A library to be preloaded, for tests of the waits alone: without a debug port.
WAIT_PROFILER := $(patsubst %,tests/programs/%.c,wait_profiler no_notes) $(BASE) $(wildcard probe/process/*.c) \
	probe/recorder/inside.c probe/recorder/lock.c probe/recorder/own_memory.c \
	$(wildcard probe/threads/*.c probe/stacks/*.c probe/preload/*wait*.c) \
	$(patsubst %,probe/preload/%.c,signal_calls stack_copy) probe/calls/real_function.c \
	probe/resources/resources_mark.c
$(BUILD)/tests/wait_profiler.so: $(call library_object,$(filter-out \
	probe/threads/thread_profile.c,$(WAIT_PROFILER))) probe/preload/exports.map
	@mkdir -p $(@D)
	@echo '  link  $@'
	$(Q)$(CC) -shared -pthread -Wl,-z,defs -Wl,-z,now \
		-Wl,--version-script=probe/preload/exports.map -o $@ $(filter %.o,$^) $(LIBRARY_LIBS)

JUDGE_TESTED := $(patsubst %,$(BUILD)/tests/unit/judge_%_test,\
	binary held http made page profile proto report text trend verdict wrappers)
$(JUDGE_TESTED): $(call object,$(filter-out leakcheck/main.c,$(JUDGE)))
$(JUDGE_TESTED): $(call embedded,$(JUDGE_FILES))
$(JUDGE_TESTED): UNIT_LIBS = $(JUDGE_LIBS)

# A program with the probe's listener and pages, for tests: over libc's allocator.
LISTENING := $(filter-out $(PRELOADED) %_gperftools.c,$(PROBE)) $(wildcard probe/*/*_libc.c) \
	$(wildcard probe/listener/*.c) tests/programs/listening.c
$(BUILD)/tests/listening: $(call object,$(LISTENING) $(BASE)) $(call embedded,$(PROBE_FILES))
	@mkdir -p $(@D)
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) -ldw -lelf

$(UNIT_PROGRAMS): $(BUILD)/%: $(BUILD)/objects/%.o $(call object,$(wildcard common/runtime/*.c) $(BASE))
	@mkdir -p $(@D)
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) $(UNIT_LDFLAGS) -o $@ $(filter %.o,$^) $(UNIT_LIBS) -lcmocka

# What tests/e2e/symbols_test.py gives libraries to.
SYMBOL_NAMES := $(BUILD)/tests/programs/symbol_names
$(SYMBOL_NAMES): $(call object,tests/programs/symbol_names.c $(wildcard probe/symbols/*.c \
	probe/stacks/*.c probe/process/*.c) probe/recorder/inside.c $(BASE))
	@mkdir -p $(@D)
	@echo '  link  $@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $^

# Each has a time limit, because with a lost wake-up a test never ends. TEST_RUN is put
# before each: valgrind, for example.
TEST_RUN ?=
unit: $(UNIT_PROGRAMS)
	@failed=0; for program in $(UNIT_PROGRAMS); do \
		timeout --kill-after=5 120 $(TEST_RUN) $$program || \
			{ echo "FAILED: $$program" >&2; failed=1; }; \
	done; exit $$failed

unit-programs: $(UNIT_PROGRAMS) $(BUILD)/tests/listening

test:
	./scripts/test.sh

LESSONS := $(filter-out variant,$(patsubst leaky/%.c,%,$(LEAKY)))

# S is what the user typed, so the shell gets it as a variable, never as a part of the
# command. diff exits 1 because the halves differ, which is what the reader wants to see.
unexport S
lesson: export NAME := $(value S)
lesson: export NAMES := $(subst _,-,$(sort $(LESSONS)))
lesson:
	@file=$$(printf '%s' "$$NAME" | tr - _).c; \
	case $$NAME in \
	'') echo 'usage: make lesson S=slice-prefix' >&2; exit 2 ;; \
	variant | *[!a-z0-9_-]*) file= ;; \
	esac; \
	for half in leaky fixed; do \
		other=leaky; test $$half = fixed || other=fixed; \
		if test -n "$$file" && test -f "$$half/$$file" && ! test -f "$$other/$$file"; \
		then \
			echo "make lesson: $$other/$$file is missing, the other half of the pair" >&2; \
			exit 2; \
		fi; \
	done; \
	test -n "$$file" && test -f "leaky/$$file" && test -f "fixed/$$file" || { \
		printf "make lesson: no scenario named '%s'; these are there: %s\\n" \
			"$$NAME" "$$NAMES" | fold -s >&2; exit 2; }; \
	diff -u --label "leaky/$$file" --label "fixed/$$file" "leaky/$$file" "fixed/$$file" && \
		echo "leaky/$$file and fixed/$$file are the same" || test $$? -eq 1

sanitize:
	BUILD=$(BUILD) ./scripts/test.sh --long sanitizers_test valgrind_test

TEST_SOURCES := $(wildcard tests/*/*.c tests/e2e/*/*.c)
SOURCES := $(BASE) $(ALL_PROBE) $(COMMON) $(LEAKY) $(FIXED) $(DECOYS) $(JUDGE) \
	$(LAUNCHER) $(TEST_SOURCES)
HEADERS := $(wildcard base/*.h probe/*/*.h common/*.h common/*/*.h leakcheck/*.h \
	leakcheck/*/*.h leakprobe/*.h tests/*/*.h)
SCRIPTS := demo.sh learn.sh .ci/run $(wildcard scripts/*.sh scripts/*/*.sh tests/*/*.sh)
FORMATTED = $(sort $(SOURCES) $(HEADERS) $(wildcard tests/programs/*.cc \
	tests/programs/*/*.c tests/programs/*/*.cc tests/programs/*/*.h))
TIDY_FLAGS := $(filter-out -Werror,$(CFLAGS))
# cppcheck believes that a function in another file reads a buffer which it only fills.
# The tests may crash when memory runs out. Newer versions of cppcheck say when they
# leave branches out.
# clang-tidy sees some of the leaks in leaky/, as it should, and does not understand what
# uthash's macros do with memory.
lint:
	./scripts/check-pairs.sh
	shellcheck $(SCRIPTS)
	clang-format --dry-run -Werror $(FORMATTED)
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --language=c \
		--enable=warning,performance,portability -I. -Icommon -D_GNU_SOURCE \
		--suppress=missingInclude --suppress=missingIncludeSystem \
		--suppress=ctuuninitvar --suppress=allocaCalled --suppress=normalCheckLevelMaxBranches \
		'--suppress=nullPointerOutOfMemory:tests/*' $(sort $(SOURCES))
	@$(MAKE) --no-print-directory tidy

# Each file with the flags that it is compiled with.
TIDIED = $(sort $(BASE) $(filter-out $(PRELOADED),$(ALL_PROBE)) $(COMMON) $(JUDGE) \
	$(LAUNCHER) $(DECOYS))
TIDIED_LIBRARY = $(sort $(PRELOADED))
TIDIED_PAIRS = $(sort $(LEAKY) $(FIXED))
PAIR_CHECKS := --checks=-clang-analyzer-unix.Malloc,-clang-analyzer-unix.Stream
tidy:
	$(if $(TIDIED),clang-tidy --quiet $(TIDIED) -- $(TIDY_FLAGS))
	$(if $(TIDIED_LIBRARY),clang-tidy --quiet $(TIDIED_LIBRARY) -- \
		$(filter-out -Werror,$(LIBRARY_CFLAGS)))
	$(if $(TIDIED_PAIRS),clang-tidy --quiet $(PAIR_CHECKS) $(TIDIED_PAIRS) -- $(TIDY_FLAGS))

tidied:
	@echo '$(TIDIED)'
	@echo '$(TIDIED_LIBRARY)'
	@echo '$(TIDIED_PAIRS)'

format:
	$(Q)clang-format -i $(FORMATTED)

bench: build
	BUILD=$(BUILD) ./scripts/bench.sh

# What is installed: the instruments, which work without this tree.
PREFIX ?= /usr/local
DESTDIR ?=
INSTALLED := bin/leakprobe bin/leakcheck lib/libleakprobe.so include/leakprobe.h \
	lib/pkgconfig/leakprobe.pc share/man/man1/leakprobe.1 share/man/man1/leakcheck.1
INSTALL = install -D $(2) '$(1)' '$(DESTDIR)$(PREFIX)/$(3)'

install: $(BUILD)/leakprobe $(BUILD)/leakcheck $(BUILD)/libleakprobe.so
	$(Q)sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' probe/preload/leakprobe.pc.in \
		> $(BUILD)/leakprobe.pc
	$(call INSTALL,$(BUILD)/leakprobe,-m 755,bin/leakprobe)
	$(call INSTALL,$(BUILD)/leakcheck,-m 755,bin/leakcheck)
	$(call INSTALL,$(BUILD)/libleakprobe.so,-m 644,lib/libleakprobe.so)
	$(call INSTALL,probe/preload/leakprobe.h,-m 644,include/leakprobe.h)
	$(call INSTALL,$(BUILD)/leakprobe.pc,-m 644,lib/pkgconfig/leakprobe.pc)
	$(call INSTALL,docs/man/leakprobe.1,-m 644,share/man/man1/leakprobe.1)
	$(call INSTALL,docs/man/leakcheck.1,-m 644,share/man/man1/leakcheck.1)

uninstall:
	rm -f $(foreach file,$(INSTALLED),'$(DESTDIR)$(PREFIX)/$(file)')

clean:
	rm -rf $(BUILD)

-include $(patsubst %.o,%.d,$(call object,$(BASE) $(PROBE) $(COMMON) $(LEAKY) $(FIXED) $(JUDGE) \
	$(LAUNCHER) $(UNIT) $(LISTENING)) $(LIBRARY))
