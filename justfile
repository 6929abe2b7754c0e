# The commands of the inner loop; `just` lists them.

# Formatting and lints.
check:
    cargo fmt --all --check
    cargo clippy --all-targets --locked -- -D warnings

# What README calls.
test:
    cargo test --locked

# Nothing left out, and larger samples of the crash matrix. Needs root.
test-all:
    REQUIRE_ALL=1 CRASH=ci cargo test --locked

# Everything that runs before a change lands.
ci:
    .ci/run

# Some seconds of one fuzz target, for example `just fuzz ledger 60`.
fuzz target seconds="30":
    RUSTC_BOOTSTRAP=1 cargo fuzz run {{target}} -- -max_total_time={{seconds}}

# What completeness costs.
bench:
    cargo bench --bench requests

# How fast it is beside other tools, for example `just speed wire --rounds 5 --windows 4`.
speed *arguments:
    cargo bench --bench speed -- {{arguments}}

# Everything that is released, in target/dist; `packaging/tools` installs what it needs.
dist:
    packaging/dist

# Lives with the .deb in a Debian of its own. Needs root.
try deb:
    packaging/try {{deb}}

# Man pages and completions, as a package ships them.
manual dir="target/manual":
    cargo run --locked --example manual -- {{dir}}
