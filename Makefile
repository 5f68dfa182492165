# make demo and make test do everything on a Debian machine that has Swift 6.3.

SWIFT_FLAGS ?= -c release
BINARIES = .build/release
PREFIX ?= /usr/local
DOCUMENTED = GimbalCRDT GimbalWire GimbalSigning GimbalReplication GimbalStorage GimbalRocksDB GimbalStore GimbalClient GimbalHTTP
PACKAGES = librocksdb-dev libsodium-dev pkg-config curl python3-venv spin gcc libc6-dev strace faketime
BROWSER_PACKAGES = chromium chromium-driver
BENCH_PACKAGES = redis-server nginx-light

.PHONY: demo test test-core interop laws mutation fuzz models clients browser build bench docs examples format lint tidy install packages browser-packages bench-packages clean

build: packages
	swift build $(SWIFT_FLAGS)

# Installs the Debian packages that are missing; asks for nothing when all are there.
packages: WANTED = $(PACKAGES)
browser-packages: WANTED = $(BROWSER_PACKAGES)
bench-packages: WANTED = $(BENCH_PACKAGES)
packages browser-packages bench-packages:
	@missing=""; for package in $(WANTED); do \
	  dpkg-query -W -f='$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ]; then \
	  echo "installing$$missing"; \
	  sudo=""; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	  $$sudo apt-get update -qq && $$sudo apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi

# A pivot and two nodes on this machine, walked through. KEEP=1 leaves them running.
demo: packages
	swift build $(SWIFT_FLAGS) --product pivot
	swift build $(SWIFT_FLAGS) --product node
	swift build $(SWIFT_FLAGS) --product gimbal
	KEEP=$(KEEP) docs/Examples/demo.sh $(BINARIES)

# All that must pass. Tests that wait for something to happen run by themselves: the laws keep every core busy.
test: packages browser-packages lint tidy
	Specs/models/run.sh
	Tests/Mutation/run.py --check
	$(MAKE) docs examples
	swift build $(SWIFT_FLAGS) --build-tests
	Tests/Clients/run.sh $(BINARIES)
	Fuzz/run.sh 2
	Tests/Browser/run.sh $(BINARIES)
	swift test $(SWIFT_FLAGS) --skip-build --skip EndToEndTests --skip GimbalStoreTests
	rm -rf .build/samples .build/bundles
	GIMBAL_SAMPLES=$(CURDIR)/.build/samples GIMBAL_BUNDLES=$(CURDIR)/.build/bundles \
	  swift test $(SWIFT_FLAGS) --skip-build --filter GimbalStoreTests
	Tests/Interop/run.sh .build/samples .build/bundles
	swift test $(SWIFT_FLAGS) --skip-build --filter EndToEndTests

# The Promela models: searched in full, and every planted fault found. About a minute; Specs/README.md says what they claim.
models: packages
	Specs/models/run.sh $(MODEL)

# Clients that are not ours (Python) against real servers.
clients: build
	Tests/Clients/run.sh $(BINARIES)

# The page at / in Debian's Chromium.
browser: build browser-packages
	Tests/Browser/run.sh $(BINARIES)

# The core alone: CRDTs, bytes, signatures, replication, storage. Builds in seconds, without the server packages.
test-core: packages
	GIMBAL_CORE=1 swift test --scratch-path .build-core

# Vectors, real bytes against the CDDL, and bundles of drawn histories, read by what is not ours (Python).
interop: packages
	rm -rf .build-core/samples .build-core/bundles
	GIMBAL_CORE=1 GIMBAL_SAMPLES=$(CURDIR)/.build-core/samples GIMBAL_BUNDLES=$(CURDIR)/.build-core/bundles \
	  swift test -c release --scratch-path .build-core --filter 'ExportSamples|ExportBundles'
	Tests/Interop/run.sh .build-core/samples .build-core/bundles

# The laws of merge and exchange on as many drawn histories as one likes: make laws SEED=1000000 COUNT=1000000
SEED ?= 1
COUNT ?= 200000
laws: packages
	GIMBAL_CORE=1 GIMBAL_LAWS_SEED=$(SEED) GIMBAL_LAWS_COUNT=$(COUNT) \
	  swift test -c release --scratch-path .build-core --filter LawTests.LawTests

# Builds every wrong rule of Tests/Mutation and requires that its test kills it; takes minutes.
mutation: packages
	Tests/Mutation/run.py $(MUTATIONS)

# Every fuzz target for TIME seconds; inputs that once broke something are replayed first.
fuzz: packages
	Fuzz/run.sh $(or $(TIME),60)

# The table of docs/performance.md; BENCH="--quick" for a short one.
bench: packages bench-packages
	swift build -c release --product pivot
	swift build -c release --product node
	GIMBAL_CORE=1 swift build -c release --package-path Tests/Benchmarks
	Tests/Benchmarks/.build/release/benchmarks --binaries $(BINARIES) $(BENCH)

# The library products' documentation, in .build/docs; a warning is a failure.
docs: packages
	mkdir -p .build/docs
	for target in $(DOCUMENTED); do \
	  GIMBAL_DOCS=1 swift package $(SWIFT_FLAGS) --allow-writing-to-directory .build/docs generate-documentation --target $$target \
	    --disable-indexing --output-path .build/docs/$$target --warnings-as-errors || exit 1; done

# The programs of docs/Examples, built and run. They share this build folder: dependencies are not built again, Gimbal is.
examples: packages
	swift build $(SWIFT_FLAGS) --product pivot
	docs/Examples/run.sh $(BINARIES)

format:
	swift format --in-place --recursive Package.swift Sources Tests Fuzz
	Tests/Tidy/wrap.py

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Fuzz

# Lengths, names, references, imports, limits: what a compiler does not see. Seconds, no build.
tidy:
	Tests/Tidy/run.py

install: build
	install -d $(PREFIX)/bin
	install $(BINARIES)/pivot $(BINARIES)/node $(BINARIES)/gimbal $(PREFIX)/bin

clean:
	rm -rf .build .build-core .build-fuzz
