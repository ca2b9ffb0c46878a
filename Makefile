# Two commands do all on a fresh Debian 12 with Rust and root: `make demo`, `make test`.

.PHONY: demo test check bench build lab-down needs fuzz fuzz-short site-check

# what the tests and the lab need beyond Rust; nothing is installed that is there
NEEDS := openssh-server openssh-client sudo perl procps util-linux bsdutils hostname busybox curl gcc g++ libc6-dev \
	gearman-server gearman-job-server rsyslog libgearman-client-perl memcached libcache-memcached-perl \
	mariadb-server libtheschwartz-perl postfix postfix-mysql postfix-pcre python3-venv \
	mediawiki php-cli php-sqlite3 php-mbstring php-xml php-intl php-apcu php-curl openssl

demo: needs
	cargo build --release
	tests/demo

# four at once also on two cores: the hosts' tests mostly wait
test: needs check
	RUNBOOK_LAB_POOL=4 RUST_TEST_THREADS=4 cargo test --all-targets --no-fail-fast
	cargo test --doc
	$(MAKE) fuzz-short
	@for lab in t0 t1 t2 t3; do LAB=$$lab tests/lab/down; done

# what needs no lab: formatting, lints, documentation, the book itself
check:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
	cargo run -q -- --book runbooks check --deny-warnings
	cargo run -q -- --book runbooks test --all

bench: needs
	benches/run

# each fuzz target for SECONDS, or only TARGET; an input that fails is printed and kept in target/fuzz
SECONDS := 60
TARGET := journal yaml screen masking control receipt
fuzz: needs
	fuzz/run -max_total_time=$(SECONDS) -- $(TARGET)

# the same inputs each time
fuzz-short: needs
	fuzz/run -seed=1 -runs=3000 -- $(TARGET)

# the pages in a browser: axe's rules, two screens, light and dark, the keyboard
site-check:
	tests/site/check

build:
	cargo build --release

needs:
	@tests/needs $(NEEDS)

lab-down:
	tests/lab/down
