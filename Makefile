# rmail: build, run, test. `make run` and `make test` are all that a fresh Debian 12 with Swift 6.3 needs.
PREFIX ?= /usr/local
DESTDIR ?=
SWIFT ?= swift
STRESS_SECONDS ?= 60

# Packages that the installed binary needs on a machine without Swift. README.md repeats them; `make test-binary`
# compares both lists with the libraries that the binary loads.
RUNTIME_PACKAGES = libc6 libgcc-s1 liblmdb0 libssl3 libstdc++6 libunistring2 zlib1g
BUILD_PACKAGES = libssl-dev liblmdb-dev libunistring-dev zlib1g-dev pkg-config
RUN_PACKAGES = $(BUILD_PACKAGES) python3
TEST_PACKAGES = $(RUN_PACKAGES) openssl isync curl swaks libnet-ssleay-perl mutt bsdutils offlineimap3 python3-venv \
	dovecot-imapd libmail-imapclient-perl libio-socket-ssl-perl php-cli php-imap imapfilter interimap msmtp

# Options of every release build of the server. The Swift runtime is linked in, so that only Debian's libraries are
# needed; a build id matches a core file to its build. -Xcxx -g0: no debug information for BoringSSL, which is C++ and
# most of a build; Swift and C keep theirs.
RELEASE = -c release --static-swift-stdlib -Xlinker --build-id -Xcxx -g0
BUILD = SWIFT="$(SWIFT)" scripts/build

.PHONY: run check test test-binary build bench bench-imap stress fuzz format lint docs install clean

build:
	@scripts/install-packages $(BUILD_PACKAGES)
	@$(BUILD) $(RELEASE) --product rmail

run:
	@scripts/install-packages $(RUN_PACKAGES)
	@$(BUILD) $(RELEASE) --product rmail
	@scripts/demo "$$($(SWIFT) build $(RELEASE) --show-bin-path)/rmail"

# Dovecot must be started by root.
AS_ROOT = $(if $(filter 0,$(shell id -u)),,sudo)

# For daily work: format, lint, build, unit tests; no apt, no sudo, no other mail programs. Leaves out the slow tests:
# the replay of power cuts, and the build of a package that depends on the engine.
check: format lint
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --skip ShardFSTests
	$(SWIFT) test --skip-build --filter ShardFSTests --skip 'PowerCut|ExampleTests'

# One debug build serves the unit tests, the interop tests and the short stress run. The engine's tests block their
# threads and would starve servers, so they run separately; so does the test that builds a package. Only as many tests
# run in parallel as keep the cores busy: if all ran at once, each would wait for the others, and the client of a server
# test might time out. Swift Testing's backtrace of each thrown error is off: the fault runs throw so many that it
# took more than half of their time.
check test: export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH = 6
check test: export SWT_SWIFT_ERROR_BACKTRACING_ENABLED = 0
test:
	@scripts/install-packages $(TEST_PACKAGES)
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --skip ShardFSTests
	RMAIL_TEST_INDEX=off RMAIL_TEST_INLINE=off $(SWIFT) test --skip-build --filter 'IMAPSession|IMAPServer'
	$(SWIFT) test --skip-build --filter ShardFSTests --skip ExampleTests
	$(SWIFT) test --skip-build --filter ExampleTests
	python3 Tests/Interop/bare_debian.py --list "$$($(SWIFT) build --show-bin-path)/rmail" $(RUNTIME_PACKAGES)
	python3 Tests/Interop/usage_sessions.py "$$($(SWIFT) build --show-bin-path)/rmail"
	@scripts/python-clients .build/interop-python >/dev/null
	.build/interop-python/bin/python3 Tests/Interop/clients.py "$$($(SWIFT) build --show-bin-path)/rmail"
	python3 Tests/Interop/descriptors.py "$$($(SWIFT) build --show-bin-path)/rmail"
	$(AS_ROOT) python3 Tests/Interop/privileges.py "$$($(SWIFT) build --show-bin-path)/rmail"
	$(AS_ROOT) python3 Tests/Interop/differential.py "$$($(SWIFT) build --show-bin-path)/rmail"
	$(AS_ROOT) env RMAIL_STORAGE_INLINE=false python3 Tests/Interop/differential.py "$$($(SWIFT) build --show-bin-path)/rmail" --no-index --seed 2
	python3 Tests/Interop/imap_stress.py "$$($(SWIFT) build --show-bin-path)/rmail" --seconds 20
	RMAIL_STORAGE_INLINE=false python3 Tests/Interop/imap_stress.py "$$($(SWIFT) build --show-bin-path)/rmail" --seconds 20 --no-index
	"$$($(SWIFT) build --show-bin-path)/shardfs-stress" --mode self-test
	"$$($(SWIFT) build --show-bin-path)/shardfs-stress" --seconds 10

# Runs the installed binary in a Debian without Swift, made by debootstrap; debootstrap and chroot need root. Not part
# of `make test`, because a release build takes longer than all of its tests.
test-binary:
	@scripts/install-packages $(BUILD_PACKAGES) python3 debootstrap binutils
	rm -rf .build/installed
	$(MAKE) install DESTDIR=.build/installed PREFIX=/usr/local
	$(AS_ROOT) python3 Tests/Interop/bare_debian.py .build/installed $(RUNTIME_PACKAGES)

stress:
	@scripts/install-packages $(RUN_PACKAGES) openssl
	$(SWIFT) build $(RELEASE) --product shardfs-stress
	"$$($(SWIFT) build $(RELEASE) --show-bin-path)/shardfs-stress" --seconds $(STRESS_SECONDS)
	$(SWIFT) build $(RELEASE) --product rmail
	python3 Tests/Interop/imap_stress.py "$$($(SWIFT) build $(RELEASE) --show-bin-path)/rmail" --seconds $(STRESS_SECONDS)
	python3 Tests/Interop/imap_stress.py "$$($(SWIFT) build $(RELEASE) --show-bin-path)/rmail" --seconds $(STRESS_SECONDS) \
		--no-index
	python3 Tests/Interop/hostile_stress.py "$$($(SWIFT) build $(RELEASE) --show-bin-path)/rmail"

# BENCH_DIR: a directory on the disk to measure.
BENCH_DIR ?= .
bench:
	@scripts/install-packages $(BUILD_PACKAGES)
	$(SWIFT) build -c release --package-path Benchmarks --product shardfs-bench
	"$$($(SWIFT) build -c release --package-path Benchmarks --show-bin-path)/shardfs-bench" "$(BENCH_DIR)"

# Compares with Debian's Dovecot, which must be started by root.
# Example: `make bench-imap BENCH_OPTIONS="--rows select,fetch"`.
BENCH_OPTIONS ?=
bench-imap:
	@scripts/install-packages $(BUILD_PACKAGES) python3 openssl dovecot-imapd
	$(SWIFT) build $(RELEASE) --product rmail --scratch-path .build-release
	$(SWIFT) build -c release --package-path Benchmarks --product imap-bench
	@scripts/bench-imap .build-release/release/rmail \
		"$$($(SWIFT) build -c release --package-path Benchmarks --show-bin-path)/imap-bench" $(BENCH_OPTIONS)

# Runs each target for FUZZ_SECONDS; `make test` replays the corpora.
FUZZ_SECONDS ?= 60
fuzz:
	@scripts/install-packages $(BUILD_PACKAGES)
	scripts/fuzz $(FUZZ_SECONDS)

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests StressTests Benchmarks Fuzz docs/examples

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests StressTests Benchmarks/Sources Fuzz/Sources \
		docs/examples/*/Package.swift docs/examples/*/Sources

docs:
	@ls docs/*.md

# The unstripped binary stays in the build directory: it has the names and lines for the addresses of a crash.
install: build
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -s -m 0755 "$$($(SWIFT) build $(RELEASE) --show-bin-path)/rmail" "$(DESTDIR)$(PREFIX)/bin/rmail"

clean:
	rm -rf .build Benchmarks/.build Fuzz/.build
