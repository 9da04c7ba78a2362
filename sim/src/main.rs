//! The `meshquake` command.

use std::process::ExitCode;

/// A run allocates a hundred times per request, from memory spread over all pods. One of 200 pods takes an
/// eighth less time with this allocator than with glibc's (benches/README.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    meshquake::cli::main()
}
