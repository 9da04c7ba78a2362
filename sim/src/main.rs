//! The `meshquake` command.

use std::process::ExitCode;

/// A run allocates a hundred times per request, and its memory is spread over all pods. This allocator takes
/// a tenth less time for that than glibc's (benches/README.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    meshquake::cli::main()
}
