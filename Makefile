# Two commands do all on a fresh Debian 12 with Rust and root: `make demo`, `make test`.

.PHONY: demo test check bench build lab-down needs

# what the tests and the lab need beyond Rust; nothing is installed that is there
NEEDS := openssh-server openssh-client sudo perl procps util-linux bsdutils hostname busybox gcc libc6-dev

demo: needs
	cargo build --release
	tests/demo

test: needs check
	RUNBOOK_LAB_POOL=4 cargo test --all-targets
	cargo test --doc
	@for lab in t0 t1 t2 t3; do LAB=$$lab tests/lab/down; done

# what needs no lab: formatting, lints, documentation, the book itself
check:
	cargo fmt --check
	cargo clippy --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --document-private-items
	cargo run -q -- --book runbooks check --deny-warnings

bench: needs
	benches/run

build:
	cargo build --release

needs:
	@tests/needs $(NEEDS)

lab-down:
	tests/lab/down
